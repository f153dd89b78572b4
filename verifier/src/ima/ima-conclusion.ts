import { EvidenceError, type VerifiedTokenQuote } from '@holdfast/evidence';
import {
  advanceIma,
  type ImaProgress,
  type ImaSegment,
  type ImaStep,
  isQuotedAt,
  splitEntries,
} from './ima-progress.ts';
import {
  type MeasuredFiles,
  MeasuredFilesCollector,
  type MeasuredFilesOptions,
  NO_MEASURED_FILES,
} from './measured-files.ts';
import type { TakeEntries } from './replay-allowance.ts';

/**
 * `matched`: a prefix of the list gives the quoted PCR 10. `missing`: no list was given, or more of it than is read.
 * `mismatch`: the list that was given does not give it, or ends before what was verified earlier.
 */
export type ImaOutcome = 'matched' | 'missing' | 'mismatch';

/** What IMA list and quote say together. */
export interface ImaConclusion {
  readonly outcome: ImaOutcome;
  /** Entries that a quote covers. */
  readonly entries: number;
  /** Those of them that extend PCR 10. */
  readonly extended: number;
  readonly violations: number;
  /** Whether the list belongs to the quoted boot; null where that is not known. */
  readonly aggregate: boolean | null;
  /** The TPM was started anew without a reset since the last evidence (TPM Restart), and the list with it. */
  readonly isRestarted: boolean;
}

export interface ImaInputs {
  readonly quote: VerifiedTokenQuote;
  /** Quoted boot PCRs by index; null where they are not known. */
  readonly values: ReadonlyMap<number, Buffer> | null;
  readonly given: readonly ImaSegment[];
  /** Gives entries from an index on, or nothing; `limit` where the round brought as much as it may. */
  readonly ask: (offset: number) => Promise<ImaSegment | 'limit' | undefined>;
  readonly take: TakeEntries;
  readonly files: MeasuredFilesOptions;
}

export interface ImaReplay {
  readonly outcome: ImaOutcome;
  /** Where the quote stands, or where the replay began. */
  readonly progress: ImaProgress;
  /** Of the entries between the two; none unless a quote covers them. */
  readonly files: MeasuredFiles;
}

/** Segments of one round: the agent sends 2 MiB in each. */
const MAX_SEGMENTS = 48;

/**
 * Replays an IMA list from where an earlier quote stood until the second quote of a token is met, with what was given
 * and what can be asked for. The list is read after the quotes, so that an honest one always reaches it.
 */
export async function replayToQuote(start: ImaProgress, inputs: ImaInputs): Promise<ImaReplay> {
  const unchanged = { progress: start, files: NO_MEASURED_FILES };
  if (isQuotedAt(start, inputs.quote)) return { outcome: 'matched', ...unchanged };
  const collector = new MeasuredFilesCollector(inputs.files);
  let reached = start;
  for (let count = 0; count < MAX_SEGMENTS; count += 1) {
    // Before anything is asked for or parsed, which costs as well.
    if (!inputs.take(1)) break;
    const segment = await findSegment(reached, inputs);
    if (segment === 'limit') break;
    if (segment === undefined) return { outcome: judgeEnd(start, reached), ...unchanged };
    const step = await tryAdvance(reached, segment, inputs);
    if (step === 'held') break;
    if (step === undefined) return { outcome: 'mismatch', ...unchanged };
    for await (const part of splitEntries(step.entries)) collector.add(part);
    if (step.matched !== undefined) return { outcome: 'matched', progress: step.matched, files: collector.files };
    reached = step.end;
  }
  return { outcome: 'missing', ...unchanged };
}

/** A list that ends without the quote was cut or forged; one that never began was not given. */
function judgeEnd(start: ImaProgress, reached: ImaProgress): ImaOutcome {
  return start.replay.entries === 0 && reached.replay.entries === 0 ? 'missing' : 'mismatch';
}

async function findSegment(
  { replay: { entries } }: ImaProgress,
  { given, ask }: ImaInputs,
): Promise<ImaSegment | 'limit' | undefined> {
  const exact = given.find(({ offset }) => offset === entries);
  if (exact !== undefined) return exact;
  const asked = await ask(entries);
  return asked === 'limit' || asked?.offset === entries ? asked : undefined;
}

async function tryAdvance(
  progress: ImaProgress,
  segment: ImaSegment,
  { quote, values, take }: ImaInputs,
): Promise<ImaStep | 'held' | undefined> {
  try {
    return await advanceIma(progress, segment, quote, values, take);
  } catch (error) {
    if (error instanceof EvidenceError) return undefined;
    throw error;
  }
}
