import type { TrackedContainer } from './tracked-container.ts';

/** Containers with a change that no finished scan covers, sorted: id, and milliseconds since the oldest such change. */
export function listPending(containers: Iterable<TrackedContainer>, nowMs: number): [string, number][] {
  const rows: [string, number][] = [];
  for (const container of containers) {
    const sinceMs = container.timing.pendingSinceMs;
    if (sinceMs === undefined || !container.isSupported) continue;
    rows.push([container.record.key, Math.max(0, Math.floor(nowMs - sinceMs))]);
  }
  return rows.sort(([a], [b]) => (a < b ? -1 : 1));
}

/** Milliseconds since the oldest of the last walks; 0 where there is no container that can be scanned. */
export function findOldestScanMs(containers: Iterable<TrackedContainer>, nowMs: number): number {
  let oldestMs = nowMs;
  for (const { isSupported, timing } of containers) {
    if (isSupported) oldestMs = Math.min(oldestMs, timing.walkedMs);
  }
  return Math.floor(nowMs - oldestMs);
}
