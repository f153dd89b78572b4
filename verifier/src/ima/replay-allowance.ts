/** Asks for so many entries to replay; false where a kube node has used up what it may. */
export type TakeEntries = (entries: number) => boolean;

/** What one kube node may have replayed of IMA lists, whatever streams it has. */
export interface ReplayAllowance {
  /** For the list of one round. */
  begin(): TakeEntries;
}

const PERIOD_MS = 60_000;
/** Of all rounds in a minute together; more than a machine measures in that time but for its start. */
const SHORT_ENTRIES = 32_768;

/**
 * Creates the allowance of a kube node: some thousand entries a minute in all, and once a minute one whole list. A list
 * that does not give the quote leaves nothing to go on from, so that each round would take all of it again.
 */
export function createReplayAllowance(now: () => number): ReplayAllowance {
  let left = SHORT_ENTRIES;
  let shortSinceMs = Number.NEGATIVE_INFINITY;
  let wholeSinceMs = Number.NEGATIVE_INFINITY;
  // A clock that was set back must not hold anybody for longer.
  const isOver = (sinceMs: number) => Math.abs(now() - sinceMs) >= PERIOD_MS;
  const takeShort = (entries: number): boolean => {
    if (isOver(shortSinceMs)) {
      left = SHORT_ENTRIES;
      shortSinceMs = now();
    }
    const isEnough = entries <= left;
    left = isEnough ? left - entries : 0;
    return isEnough;
  };
  return {
    begin: () => {
      let isWhole = false;
      return (entries) => {
        if (isWhole || takeShort(entries)) return true;
        if (!isOver(wholeSinceMs)) return false;
        wholeSinceMs = now();
        isWhole = true;
        return true;
      };
    },
  };
}
