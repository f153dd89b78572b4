import type { ContainerAppraisal } from './appraise.ts';
import { badnessOf } from './finding.ts';
import { type FindingTally, LIMITED_BYTES, listFindings, measureFindings, measureJson } from './finding-tally.ts';

/** A container that was appraised, and all that was found about it. */
export interface TalliedContainer {
  readonly container: Omit<ContainerAppraisal, 'findings'>;
  readonly tally: FindingTally;
}

/** Containers whose own fields a result has room for. */
export interface ChosenContainers {
  readonly chosen: readonly TalliedContainer[];
  /** Bytes that these take without their findings. */
  readonly bytes: number;
}

/** Names of members, nonce, policy and vector of a submodule, which no container has a say in. */
const SUBMODULE_BYTES = 512;
/** Findings of one container, where there is room for all. */
const MAX_CONTAINER_BYTES = 256 * 1024;

/** Chooses as many containers as go into so many bytes with room for one finding each, the worst first. */
export function chooseContainers(tallied: readonly TalliedContainer[], maxBytes: number): ChosenContainers {
  const byStatus = tallied.toSorted((a, b) => badnessOf(b.container.status) - badnessOf(a.container.status));
  const chosen = new Set<TalliedContainer>();
  let bytes = 0;
  for (const each of byStatus) {
    const more = SUBMODULE_BYTES + measureJson(each.container);
    if (bytes + more + (chosen.size + 1) * LIMITED_BYTES > maxBytes) break;
    bytes += more;
    chosen.add(each);
  }
  return { chosen: tallied.filter((each) => chosen.has(each)), bytes };
}

/** Lists the findings of containers in so many bytes: a container with few takes nothing from those that have many. */
export function listContainers(chosen: readonly TalliedContainer[], maxBytes: number): ContainerAppraisal[] {
  const most = Math.min(MAX_CONTAINER_BYTES, Math.max(LIMITED_BYTES, (4 * maxBytes) / chosen.length));
  const share = findShare(
    chosen.map(({ tally }) => measureFindings(tally, most)),
    maxBytes,
  );
  return chosen.map(({ container, tally }) => ({
    ...container,
    findings: listFindings(tally, Math.min(most, share)),
  }));
}

/** The most that each may take so that all together take `total`, when some take less. */
function findShare(sizes: readonly number[], total: number): number {
  let left = total;
  for (const [at, size] of sizes.toSorted((a, b) => a - b).entries()) {
    const fair = left / (sizes.length - at);
    if (size > fair) return fair;
    left -= size;
  }
  return Number.POSITIVE_INFINITY;
}
