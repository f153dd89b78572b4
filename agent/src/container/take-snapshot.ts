import type { ContainersClaims } from '@holdfast/evidence';
import type { ContainerFacts, Document } from './build-claims.ts';
import type { ContainerSnapshot } from './container-collector.ts';
import type { TrackedContainer } from './tracked-container.ts';

const MAX_LIMITS = 1024;

/** Gathers the claims-sets of all containers, the documents they name, and the index over them. */
export function takeSnapshot(
  containers: Iterable<TrackedContainer>,
  layersOf: (container: TrackedContainer) => ContainerFacts['layers'],
  limits: readonly string[],
  lost: readonly string[],
): ContainerSnapshot {
  const index: ContainersClaims = { type: 'containers', limits: limits.slice(0, MAX_LIMITS), containers: {} };
  const sets = new Map<string, Buffer>();
  const blobs = new Map<string, Buffer>();
  for (const container of [...containers].sort(byKey)) {
    const claims = container.encodeClaims(() => layersOf(container));
    index.containers[container.record.key] = claims.sha256;
    sets.set(claims.sha256, claims.bytes);
    for (const document of listDocuments(container)) blobs.set(document.sha256, document.bytes);
  }
  return { index, sets, blobs, lost };
}

function byKey(a: TrackedContainer, b: TrackedContainer): number {
  return a.record.key < b.record.key ? -1 : 1;
}

/** Of the scan that the claims-set tells of: both change in one turn of the event loop. */
function listDocuments({ scan }: TrackedContainer): Document[] {
  return scan === undefined ? [] : [scan.inventory, scan.baseline, scan.drift];
}
