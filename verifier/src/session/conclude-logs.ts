import type { VerifiedToken, VerifiedTokenQuote } from '@holdfast/evidence';
import { type BootConclusion, isExplained } from '../boot/boot-conclusion.ts';
import {
  type ImaConclusion,
  type ImaInputs,
  type ImaOutcome,
  type ImaReplay,
  replayToQuote,
} from '../ima/ima-conclusion.ts';
import { type ImaProgress, type ImaSegment, startIma } from '../ima/ima-progress.ts';
import type { MeasuredFiles } from '../ima/measured-files.ts';
import type { BootSession } from '../store/boot-session-store.ts';
import type { MeasuredState } from '../store/measured-file-store.ts';

/** What the logs beside a token say. */
export interface ConcludedLogs {
  readonly boot: BootConclusion;
  readonly ima: ImaConclusion;
  readonly files: RoundFiles;
  /** Where the next round goes on. */
  readonly session: BootSession;
}

/** Files that IMA measured since the last round. */
export interface RoundFiles {
  readonly added: MeasuredFiles;
  /** True when they are all of this boot session: what is kept of earlier ones does not count. */
  readonly isAnew: boolean;
  /** All that is kept, these among them. */
  readonly state: MeasuredState;
}

export interface LogInputs {
  /** Name of the AK that quoted, hex. */
  readonly akName: string;
  /** Compares the boot event log, and what the operating system logged, with the quote. */
  readonly concludeBoot: (quote: VerifiedTokenQuote, userspaceLog: Buffer | null) => BootConclusion;
  readonly segments: readonly ImaSegment[];
  readonly ask: ImaInputs['ask'];
  readonly take: ImaInputs['take'];
  /** The agent's directory as claims have it, and what is kept of earlier rounds; undefined where nothing is. */
  readonly agentRoot: string | null;
  readonly measured: MeasuredState | undefined;
  /** What the operating system measured after the boot, where it travelled. */
  readonly userspaceLog: Buffer | undefined;
  readonly askUserspaceLog: () => Promise<Buffer | undefined>;
  /** What an earlier round left; undefined where there was none. */
  readonly session: BootSession | undefined;
}

/**
 * Compares boot event log and IMA list with the verified quotes of a token. The list goes on where it stood in the same
 * boot session. When only the restart counter rose, the TPM resumed if PCR 10 goes on, and was restarted if it does not:
 * then the list begins anew. Undefined for a token without quotes.
 */
export async function concludeLogs(token: VerifiedToken, inputs: LogInputs): Promise<ConcludedLogs | undefined> {
  if (token.quotes === null) return undefined;
  const [bootQuote, imaQuote] = token.quotes;
  const { resetCount, restartCount } = bootQuote.quote.clockInfo;
  const { akName, session } = inputs;
  const isSame = session?.akName === akName && session.resetCount === resetCount;
  const { boot, userspaceLog } = await concludeBootLogs(inputs, bootQuote, isSame ? session.userspaceLog : null);
  const replayFrom = async (start: ImaProgress): Promise<ImaReplay> =>
    await replayToQuote(start, {
      quote: imaQuote,
      values: boot.values,
      given: inputs.segments,
      ask: inputs.ask,
      take: inputs.take,
      files: { agentRoot: inputs.agentRoot, known: start.replay.entries === 0 ? 0 : (inputs.measured?.known ?? 0) },
    });
  // Which files are kept depends on the agent's directory, so another one takes the whole list again.
  const isKept = isSame && inputs.measured?.agentRoot === inputs.agentRoot;
  const start = isKept ? session.ima : startIma();
  let replay = await replayFrom(start);
  let isAnew = start.replay.entries === 0;
  let isRestarted = false;
  if (isSame && session.restartCount !== restartCount && replay.outcome !== 'matched') {
    const anew = await replayFrom(startIma());
    isRestarted = anew.outcome === 'matched';
    if (isRestarted) {
      replay = anew;
      isAnew = true;
    }
  }
  const { progress } = replay;
  const outcome = isSame ? keepMismatch(replay.outcome, session.outcome) : replay.outcome;
  const ima = describeIma(progress, outcome, isRestarted);
  const files = {
    added: replay.files,
    isAnew,
    state: sumMeasured(replay.files, isAnew ? undefined : inputs.measured, inputs.agentRoot),
  };
  // Until the list holds again, a restart may still be found.
  const restarts = outcome === 'matched' || !isSame ? restartCount : session.restartCount;
  return {
    boot,
    ima,
    files,
    session: { akName, resetCount, restartCount: restarts, ima: progress, outcome, userspaceLog },
  };
}

/** In one boot session only a list that holds makes good what did not hold before. */
function keepMismatch(outcome: ImaOutcome, before: ImaOutcome): ImaOutcome {
  return outcome === 'missing' && before === 'mismatch' ? before : outcome;
}

/**
 * Compares the boot event log with its quote, and where it takes more to give it, the operating system's log: as it came,
 * as it was in an earlier round, at last as it is asked for; once for a machine that has none.
 */
async function concludeBootLogs(
  { concludeBoot, userspaceLog: given, askUserspaceLog }: LogInputs,
  quote: VerifiedTokenQuote,
  known: Buffer | null,
): Promise<{ boot: BootConclusion; userspaceLog: Buffer | null }> {
  const log = given ?? known;
  const boot = concludeBoot(quote, log);
  if (!boot.hasBank || (isExplained(boot) && (boot.phases?.isLogged !== false || log !== null))) {
    return { boot, userspaceLog: log };
  }
  const asked = (await askUserspaceLog()) ?? Buffer.alloc(0);
  return { boot: concludeBoot(quote, asked), userspaceLog: asked };
}

function sumMeasured(
  { keys, isLimited }: MeasuredFiles,
  before: MeasuredState | undefined,
  agentRoot: string | null,
): MeasuredState {
  const known = keys.size + (before?.known ?? 0);
  return { agentRoot, known, isLimited: isLimited || before?.isLimited === true };
}

/** What the stored session says of the evidence that made it. */
export function recallIma(session: BootSession | undefined): ImaConclusion | null {
  if (session === undefined) return null;
  return describeIma(session.ima, session.outcome, false);
}

function describeIma(
  { replay: { entries, extended }, violations, aggregate }: ImaProgress,
  outcome: ImaOutcome,
  isRestarted: boolean,
): ImaConclusion {
  return { outcome, entries, extended, violations, aggregate, isRestarted };
}
