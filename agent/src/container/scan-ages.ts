import type { TrackedContainer } from './tracked-container.ts';

/** Of every round: walked without an iterator, which would make an object for each. */
type Containers = ReadonlyMap<string, TrackedContainer>;

/** Containers with a change that no finished scan covers, sorted: id, and milliseconds since the oldest such change. */
export function listPending(containers: Containers, nowMs: number): [string, number][] {
  const rows: [string, number][] = [];
  containers.forEach((container) => {
    const sinceMs = container.timing.pendingSinceMs;
    if (sinceMs === undefined || !container.isSupported) return;
    rows.push([container.record.key, Math.max(0, Math.floor(nowMs - sinceMs))]);
  });
  return rows.sort(([a], [b]) => (a < b ? -1 : 1));
}

/** Milliseconds since the oldest of the last walks; 0 where there is no container that can be scanned. */
export function findOldestScanMs(containers: Containers, nowMs: number): number {
  let oldestMs = nowMs;
  containers.forEach(({ isSupported, timing }) => {
    if (isSupported) oldestMs = Math.min(oldestMs, timing.walkedMs);
  });
  return Math.floor(nowMs - oldestMs);
}
