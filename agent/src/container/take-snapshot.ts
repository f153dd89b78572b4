import type { ContainersClaims } from '@holdfast/evidence';
import type { ContainerFacts, Document } from './build-claims.ts';
import type { ContainerSnapshot } from './container-collector.ts';
import type { TrackedContainer } from './tracked-container.ts';

const MAX_LIMITS = 1024;

type ListLayers = (container: TrackedContainer) => ContainerFacts['layers'];

interface Taken {
  readonly claims: ReadonlyMap<TrackedContainer, Document>;
  readonly limits: readonly string[];
  readonly snapshot: Omit<ContainerSnapshot, 'lost'>;
}

/**
 * Takes snapshots of containers; while nothing of them changes, each is made of the very same parts as the last one, and
 * costs nothing for a container.
 */
export class SnapshotTaker {
  #last: Taken | undefined;
  #isStale = true;

  /** A claims-set may be another one than the last snapshot has, as `ContainerListener` tells. */
  expire(): void {
    this.#isStale = true;
  }

  /** Gathers the claims-sets of all containers, the documents they name, and the index over them. */
  take(
    containers: ReadonlyMap<string, TrackedContainer>,
    listLayers: ListLayers,
    limits: readonly string[],
    lost: readonly string[],
  ): ContainerSnapshot {
    const isFresh = !this.#isStale && this.#last?.claims.size === containers.size && isEqual(this.#last.limits, limits);
    if (this.#last === undefined || !(isFresh || isSame(this.#last, containers, listLayers, limits))) {
      this.#last = gather([...containers.values()].sort(byKey), listLayers, limits);
    }
    // Not before: where a claims-set cannot be made there is no snapshot, now or the next time.
    this.#isStale = false;
    return { ...this.#last.snapshot, lost };
  }
}

function isSame(
  { claims, limits: before }: Taken,
  containers: ReadonlyMap<string, TrackedContainer>,
  listLayers: ListLayers,
  limits: readonly string[],
): boolean {
  if (claims.size !== containers.size) return false;
  for (const container of containers.values()) {
    if (claims.get(container) !== container.encodeClaims(listLayers)) return false;
  }
  return isEqual(before, limits);
}

function isEqual(before: readonly string[], limits: readonly string[]): boolean {
  return limits.length === before.length && limits.every((limit, at) => limit === before[at]);
}

function gather(containers: readonly TrackedContainer[], listLayers: ListLayers, limits: readonly string[]): Taken {
  const index: ContainersClaims = { type: 'containers', limits: limits.slice(0, MAX_LIMITS), containers: {} };
  const told = new Map<TrackedContainer, Document>();
  const sets = new Map<string, Buffer>();
  const blobs = new Map<string, Buffer>();
  for (const container of containers) {
    const claims = container.encodeClaims(listLayers);
    told.set(container, claims);
    index.containers[container.record.key] = claims.sha256;
    sets.set(claims.sha256, claims.bytes);
    for (const document of listDocuments(container)) blobs.set(document.sha256, document.bytes);
  }
  return { claims: told, limits, snapshot: { index, sets, blobs } };
}

function byKey(a: TrackedContainer, b: TrackedContainer): number {
  return a.record.key < b.record.key ? -1 : 1;
}

/** Of the scan that the claims-set tells of: both change in one turn of the event loop. */
function listDocuments({ scan }: TrackedContainer): Document[] {
  return scan === undefined ? [] : [scan.inventory, scan.baseline, scan.drift];
}
