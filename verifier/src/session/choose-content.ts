import type { ContentAllowance } from './content-allowance.ts';
import type { MissingContent } from './resolve-evidence.ts';

/** Of what a round may carry; the rest is left to the logs, which are the kube node's own. */
const CONTENT_SHARE = 3 / 4;
/** Such as a claims-set: without it nothing is known of a container, and it takes next to nothing. */
const SMALL_BYTES = 16 * 1024;

export interface ContentRoom {
  /** What a round may carry, and what this one carries already. */
  readonly maxRoundBytes: number;
  readonly carriedBytes: number;
  /** What the kube node may bring now. */
  readonly allowance: Pick<ContentAllowance, 'left' | 'leftForOwn' | 'isOverdue'>;
  /** Digests of the claims-sets that the token itself names. */
  readonly own: ReadonlySet<string>;
}

/** Bytes of content that a round may carry at most. */
export function shareOfContent(maxRoundBytes: number): number {
  return Math.floor(maxRoundBytes * CONTENT_SHARE);
}

/** Whether content of this size never waits behind what is overdue. */
export function isSmall(bytes: number): boolean {
  return bytes <= SMALL_BYTES;
}

/**
 * What of missing content to ask for, by the sizes that the claims tell. What is the kube node's own comes first, then what is small, then
 * what earlier rounds had no room for, then the smallest, so that much in one container, or other content of it in each round, keeps out
 * neither the kube node's own evidence nor the other containers'. The rest stays missing in this round; the next one asks again.
 */
export function chooseContent(
  missing: readonly MissingContent[],
  { maxRoundBytes, carriedBytes, allowance, own }: ContentRoom,
): MissingContent[] {
  const allowed = allowance.left();
  let left = Math.min(shareOfContent(maxRoundBytes) - carriedBytes, allowed);
  const isOwn = ({ digest, isBootLog }: MissingContent) => isBootLog === true || own.has(digest);
  const ranked = missing.map((item) => ({ item, rank: isOwn(item) ? 0 : rankOf(item, allowance) }));
  ranked.sort((a, b) => a.rank - b.rank || a.item.bytes - b.item.bytes);
  return ranked.flatMap(({ item }) => {
    const isChosen = isOwn(item) ? allowance.leftForOwn() > 0 : allowed > 0 && item.bytes <= left;
    // Room is kept for what waited longer, until there is enough of it.
    if (isChosen || allowance.isOverdue(item.digest)) left -= item.bytes;
    return isChosen ? [item] : [];
  });
}

function rankOf({ digest, bytes }: MissingContent, allowance: ContentRoom['allowance']): number {
  if (isSmall(bytes)) return 1;
  return allowance.isOverdue(digest) ? 2 : 3;
}
