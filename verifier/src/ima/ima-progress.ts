import { setImmediate } from 'node:timers/promises';
import {
  EvidenceError,
  type ImaEntry,
  type ImaReplayState,
  isImaViolation,
  matchBootAggregate,
  parseImaList,
  readQuotedIma,
  scanIma,
  startImaReplay,
  type VerifiedTokenQuote,
} from '@holdfast/evidence';
import type { TakeEntries } from './replay-allowance.ts';

/** How far the IMA list of a boot session was replayed. Between rounds it stands where a quote covered it. */
export interface ImaProgress {
  readonly replay: ImaReplayState;
  readonly violations: number;
  /** Whether the list belongs to the boot that was quoted; null where its first entry of PCR 10 does not tell. */
  readonly aggregate: boolean | null;
}

/** Entries of an IMA list. Unverified. */
export interface ImaSegment {
  /** Index of the first entry. */
  readonly offset: number;
  readonly content: Buffer;
}

export interface ImaStep {
  /** Where the quote stands; undefined where it is in none of the entries. */
  readonly matched: ImaProgress | undefined;
  /** After all entries. */
  readonly end: ImaProgress;
  /** Entries that the quote covers, or all of them where it stands in none. */
  readonly entries: readonly ImaEntry[];
}

const IMA_PCR = 10;
/** Some hashes each: the work of a few hundredths of a second. */
const PART_ENTRIES = 2048;

type BootPcrs = ReadonlyMap<number, Buffer> | null;

/** Before the first entry. */
export function startIma(): ImaProgress {
  return { replay: startImaReplay('sha256'), violations: 0, aggregate: null };
}

/** Whether the second verified quote of a token stands where the replay does. */
export function isQuotedAt({ replay }: ImaProgress, { quote }: VerifiedTokenQuote): boolean {
  const isQuoted = readQuotedIma(quote, replay.bank);
  return isQuoted !== undefined && Object.values(replay.values).some(isQuoted);
}

/**
 * Replays a segment that begins at or before the entry that comes next, and finds where the quote stands in it. `values`
 * are the quoted boot PCRs, for the first entry. A long segment lets others work in between. Undefined where the segment
 * does not reach that entry, `held` where `take` gives no more entries.
 *
 * Throws `EvidenceError` as `parseImaList` does.
 */
export async function advanceIma(
  progress: ImaProgress,
  segment: ImaSegment,
  { quote }: VerifiedTokenQuote,
  values: BootPcrs,
  take: TakeEntries,
): Promise<ImaStep | 'held' | undefined> {
  const skipped = progress.replay.entries - segment.offset;
  if (skipped < 0) return undefined;
  const entries = parseImaList(segment.content).slice(skipped);
  if (entries.length === 0) return undefined;
  const isQuoted = readQuotedIma(quote, progress.replay.bank) ?? (() => false);
  let replay = progress.replay;
  let found: { replay: ImaReplayState; count: number } | undefined;
  let count = 0;
  for await (const part of splitEntries(entries)) {
    if (!take(part.length)) return 'held';
    const { longest, end } = scanIma(replay, part, isQuoted);
    if (longest !== undefined) found = { replay: longest.state, count: count + longest.matchedPrefix };
    replay = end;
    count += part.length;
  }
  if (found === undefined) return { matched: undefined, end: goOn(progress, replay, entries, values), entries };
  const covered = entries.slice(0, found.count);
  const matched = goOn(progress, found.replay, covered, values);
  return { matched, end: matched, entries: covered };
}

/** Gives entries in parts between which others can work. */
export async function* splitEntries(entries: readonly ImaEntry[]): AsyncGenerator<readonly ImaEntry[]> {
  for (let at = 0; at < entries.length; at += PART_ENTRIES) {
    if (at > 0) await setImmediate();
    yield entries.slice(at, at + PART_ENTRIES);
  }
}

/** The aggregate stands in the first entry of PCR 10, however many of other PCRs come before it. */
function goOn(
  { replay: before, violations, aggregate }: ImaProgress,
  replay: ImaReplayState,
  entries: readonly ImaEntry[],
  values: BootPcrs,
): ImaProgress {
  const isFirst = before.extended === 0;
  return {
    replay,
    violations: violations + entries.filter((entry) => entry.pcr === IMA_PCR && isImaViolation(entry)).length,
    aggregate: isFirst ? judgeAggregate(entries, values) : aggregate,
  };
}

function judgeAggregate(entries: readonly ImaEntry[], values: BootPcrs): boolean | null {
  try {
    return values === null ? null : matchBootAggregate(entries, { sha256: values });
  } catch (error) {
    if (error instanceof EvidenceError) return null;
    throw error;
  }
}
