import { isSmall, shareOfContent } from './choose-content.ts';
import type { MissingContent } from './resolve-evidence.ts';

/** What one kube node may bring of content that the verifier does not have, whatever streams it has. */
export interface ContentAllowance {
  /** Bytes that it may bring now. */
  left(): number;
  spend(bytes: number): void;
  /** What the last round that was resolved went without for lack of room. */
  note(lacking: readonly MissingContent[]): void;
  /** Lacking for more than one round: it comes before what is new, and room is kept for it. */
  isOverdue(digest: string): boolean;
  /** Bytes of all that is overdue. */
  overdueBytes(): number;
}

/** Within this time a whole round's content may be brought anew. */
const PERIOD_MS = 120_000;

/**
 * Creates the allowance of a kube node: as much as a round may carry at once, as when it is seen first, and from then on
 * that much in two minutes. Content is parsed, compared and stored: without a bound one kube node, by other content in each
 * round, could take all the time that there is for the others.
 */
export function createContentAllowance(maxRoundBytes: number, now: () => number): ContentAllowance {
  let left = maxRoundBytes;
  let atMs = now();
  let lacking = new Map<string, number>();
  let overdue = new Map<string, number>();
  const refill = (): void => {
    const nowMs = now();
    // A clock that was set back gives nothing, and holds nobody for longer.
    left = Math.min(maxRoundBytes, left + (maxRoundBytes * Math.max(0, nowMs - atMs)) / PERIOD_MS);
    atMs = nowMs;
  };
  return {
    left: () => {
      refill();
      return Math.floor(left);
    },
    spend: (bytes) => {
      refill();
      left -= bytes;
    },
    note: (items) => {
      // What fits into no round is kept no room for.
      const possible = items.filter(({ bytes }) => bytes <= shareOfContent(maxRoundBytes));
      overdue = new Map(possible.flatMap(({ digest, bytes }) => (lacking.has(digest) ? [[digest, bytes]] : [])));
      lacking = new Map(possible.map(({ digest, bytes }) => [digest, bytes]));
    },
    isOverdue: (digest) => overdue.has(digest),
    overdueBytes: () => [...overdue.values()].reduce((sum, bytes) => sum + bytes, 0),
  };
}

/**
 * Takes out of what came with a round what the allowance has no room for beside what is overdue, the largest first, and
 * spends the rest; what is known already is free. What was taken out counts as missing, and comes with later rounds.
 */
export function admitContents(
  contents: Map<string, Buffer>,
  known: ReadonlySet<string>,
  allowance: ContentAllowance,
): void {
  const unknown = [...contents].filter(([digest]) => !known.has(digest));
  if (unknown.length === 0) return;
  const kept = allowance.overdueBytes();
  for (const [digest, { length }] of unknown.sort(([, a], [, b]) => a.length - b.length)) {
    const room = allowance.left() - (isSmall(length) || allowance.isOverdue(digest) ? 0 : kept);
    if (length > room) contents.delete(digest);
    else allowance.spend(length);
  }
}
