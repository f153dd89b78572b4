import type { MissingContent } from './resolve-evidence.ts';

/** Of what a round may carry; the rest is left to the logs, which are the kube node's own. */
const CONTENT_SHARE = 3 / 4;

/**
 * What of missing content to ask for in a round that may carry so many bytes and carries some already, by the sizes that the
 * claims tell. The boot event log comes first, then the smallest, so that much in one container keeps out neither the kube
 * node's own evidence nor the other containers'. The rest stays missing in this round; the next one asks again.
 */
export function chooseContent(
  missing: readonly MissingContent[],
  { maxRoundBytes, carriedBytes }: { readonly maxRoundBytes: number; readonly carriedBytes: number },
): MissingContent[] {
  let left = Math.floor(maxRoundBytes * CONTENT_SHARE) - carriedBytes;
  return missing.toSorted(compareRank).filter(({ bytes, isBootLog }) => {
    const isChosen = isBootLog === true || bytes <= left;
    if (isChosen) left -= bytes;
    return isChosen;
  });
}

function compareRank(a: MissingContent, b: MissingContent): number {
  return Number(b.isBootLog === true) - Number(a.isBootLog === true) || a.bytes - b.bytes;
}
