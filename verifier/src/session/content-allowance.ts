import { decodeSubmoduleDigest, type SubmoduleName, type TokenClaims } from '@holdfast/evidence';
import { isSmall, shareOfContent } from './choose-content.ts';
import type { MissingContent } from './resolve-evidence.ts';

/** What one kube node may bring of content that the verifier does not have, whatever streams it has. */
export interface ContentAllowance {
  /** Bytes that it may bring now; no content of a container is taken beyond that. */
  left(): number;
  /** The same for what is the kube node's own: a quarter of a round is kept for it, whatever containers bring. */
  leftForOwn(): number;
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
const OWN_SHARE = 1 / 4;

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
    leftForOwn: () => {
      refill();
      return Math.floor(left + maxRoundBytes * OWN_SHARE);
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

const SUBMODULES: readonly SubmoduleName[] = ['host', 'boot', 'ima', 'kernel', 'containers'];

/** Digests (hex) of the claims-sets that a token itself names. */
export function listOwnDigests({ submods }: Pick<TokenClaims, 'submods'>): Set<string> {
  return new Set(SUBMODULES.map((name) => decodeSubmoduleDigest(submods, name).toString('hex')));
}

/**
 * Takes out of what came what the allowance has no room for beside what is overdue, the largest first, and
 * spends the rest; what is known already is free. What was taken out counts as missing, and comes with later rounds; it is
 * given back. `own` are digests of what is the kube node's own.
 */
export function admitContents(
  contents: Map<string, Buffer>,
  { known, own }: { readonly known: ReadonlySet<string>; readonly own: ReadonlySet<string> },
  allowance: ContentAllowance,
): MissingContent[] {
  const unknown = [...contents].filter(([digest]) => !known.has(digest));
  if (unknown.length === 0) return [];
  const kept = allowance.overdueBytes();
  const hasRoom = (digest: string, bytes: number): boolean => {
    if (own.has(digest)) return allowance.leftForOwn() > 0;
    return bytes <= allowance.left() - (isSmall(bytes) || allowance.isOverdue(digest) ? 0 : kept);
  };
  const lacking: MissingContent[] = [];
  for (const [digest, { length: bytes }] of unknown.sort(([, a], [, b]) => a.length - b.length)) {
    if (hasRoom(digest, bytes)) allowance.spend(bytes);
    else {
      contents.delete(digest);
      lacking.push({ digest, bytes });
    }
  }
  return lacking;
}
