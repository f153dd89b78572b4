import assert from 'node:assert/strict';
import { createHash } from 'node:crypto';
import { setTimeout as delay } from 'node:timers/promises';
import { inspect } from 'node:util';
import { type ContainerCollector, type ContainerSnapshot, createContainerCollector } from '@holdfast/agent';
import {
  type ContainerClaims,
  type Drift,
  type DriftEntry,
  type Inventory,
  parseClaimsSet,
  parseDrift,
  parseInventory,
} from '@holdfast/evidence';
import { startContainerd, type TestContainerd } from '@holdfast/scripts';

/** A containerd of our own with a collector over it. */
export interface ContainerWorld {
  readonly containerd: TestContainerd;
  readonly collector: ContainerCollector;
  /** What the collector says once nothing waits to be scanned or proven. */
  settle(): Promise<ContainerSnapshot>;
  /** The same, of one container. */
  look(id: string): Promise<SeenContainer>;
  close(): Promise<void>;
}

export interface SeenContainer {
  readonly claims: ContainerClaims;
  readonly bytes: Buffer;
  readonly drift: Drift | null;
  readonly inventory: Inventory | null;
  readonly baseline: Inventory | null;
}

const SETTLE_TIMEOUT_MS = 60_000;
const MAX_SHOWN_CHARS = 20_000;

/** Starts both; images may be added before the collector looks. */
export async function startContainerWorld(
  options: { readonly prepare?: (containerd: TestContainerd) => Promise<void>; readonly sweepMs?: number } = {},
): Promise<ContainerWorld> {
  const containerd = await startContainerd();
  const collector = await createContainerCollector({
    address: containerd.address,
    pollMs: 100,
    peekMs: 200,
    sweepMs: options.sweepMs ?? 150,
  });
  try {
    await options.prepare?.(containerd);
    await collector.start();
  } catch (error) {
    await collector.close();
    await containerd.close();
    throw error;
  }
  const settle = () => settleCollector(collector);
  return {
    containerd,
    collector,
    settle,
    look: (id) => lookAt(collector, id),
    close: async () => {
      await collector.close();
      await containerd.close();
    },
  };
}

/**
 * Waits until every container was scanned twice from now on: the second scan began after now, whatever the events said,
 * and until nothing is pending.
 */
export async function settleCollector(collector: ContainerCollector): Promise<ContainerSnapshot> {
  const deadline = performance.now() + SETTLE_TIMEOUT_MS;
  for (const _scan of [1, 2]) {
    const sinceMs = performance.now();
    while (collector.oldestScanMs() >= performance.now() - sinceMs) await pauseUntil(deadline, collector);
  }
  for (;;) {
    const snapshot = await collector.collect();
    const isBusy = [...snapshot.sets.values()].some((bytes) => /"(?:proofPending|notLookedAt)"/.test(bytes.toString()));
    if (collector.pending().length === 0 && !isBusy) return snapshot;
    await pauseUntil(deadline, collector);
  }
}

/** Waits until the collector has heard of the container, and then until it settled. */
export async function lookAt(collector: ContainerCollector, id: string): Promise<SeenContainer> {
  const deadline = performance.now() + SETTLE_TIMEOUT_MS;
  while ((await collector.collect()).index.containers[id] === undefined) await pauseUntil(deadline, collector);
  return readContainer(await settleCollector(collector), id);
}

async function pauseUntil(deadline: number, collector: ContainerCollector): Promise<void> {
  if (performance.now() > deadline) throw new Error(`still pending: ${JSON.stringify(collector.pending())}`);
  await delay(20);
}

/** Parses the claims-set of a container and every document it names, and checks each digest on the way. */
export function readContainer(snapshot: ContainerSnapshot, id: string): SeenContainer {
  const digest = snapshot.index.containers[id];
  const bytes = digest === undefined ? undefined : snapshot.sets.get(digest);
  assert.ok(digest !== undefined && bytes !== undefined, `container ${id} is not in the index`);
  assert.equal(createHash('sha256').update(bytes).digest('hex'), digest);
  const claims = parseClaimsSet(bytes, 'container', id);
  const open = (ref: ContainerClaims['drift']): Buffer | undefined => {
    if (ref === null) return undefined;
    const blob = snapshot.blobs.get(ref.sha256);
    assert.ok(blob !== undefined && blob.length === ref.bytes);
    assert.equal(createHash('sha256').update(blob).digest('hex'), ref.sha256);
    return blob;
  };
  const [drift, inventory, baseline] = [open(claims.drift), open(claims.inventory), open(claims.baseline)];
  return {
    claims,
    bytes,
    drift: drift === undefined ? null : parseDrift(drift),
    inventory: inventory === undefined ? null : parseInventory(inventory),
    baseline: baseline === undefined ? null : parseInventory(baseline),
  };
}

/** `kind path` of each relevant entry. */
export function listDrift({ drift }: SeenContainer): string[] {
  return (drift?.relevant ?? []).map(({ kind, path }) => `${kind} ${path}`);
}

/** The relevant entry of a path. */
export function findDrift({ drift }: SeenContainer, path: string): DriftEntry {
  const entry = drift?.relevant.find((each) => each.path === path);
  assert.ok(entry !== undefined, `${path} is not among ${drift?.relevant.map((each) => each.path).join(' ')}`);
  return entry;
}

/** Asks again until the answer is the one wanted; fails with the last answer. Errors count as other answers. */
export async function waitFor<T>(
  ask: () => Promise<T>,
  isWanted: (answer: T) => boolean,
  timeoutMs = 30_000,
): Promise<T> {
  const deadline = performance.now() + timeoutMs;
  let last: unknown;
  while (performance.now() < deadline) {
    try {
      const answer = await ask();
      if (isWanted(answer)) return answer;
      last = answer;
    } catch (error) {
      last = error;
    }
    await delay(50);
  }
  const shown = inspect(last, { depth: 8, maxArrayLength: 20, maxStringLength: 200, breakLength: 200 });
  throw new Error(`what was waited for did not come: ${shown.slice(0, MAX_SHOWN_CHARS)}`, { cause: last });
}
