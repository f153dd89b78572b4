import {
  EvidenceError,
  isSameSelection,
  parseUserspaceLog,
  type UserspaceRecord,
  type VerifiedTokenQuote,
} from '@holdfast/evidence';
import type { Resolved } from '../appraisal/appraisal-input.ts';
import { type BootConclusion, concludeBoot } from './boot-conclusion.ts';
import type { BootLog } from './boot-log.ts';

/** Evidence with its boot event log, which is null where it names none. One object stands for one content. */
export interface LoggedBoot {
  readonly bootLog: Resolved<BootLog> | null;
}

/** See `concludeBoot`; `userspaceLog` is what the operating system logged, as it came. */
export type JudgeBoot = (boot: LoggedBoot, quote: VerifiedTokenQuote, userspaceLog: Buffer | null) => BootConclusion;

interface Remembered {
  readonly quoted: VerifiedTokenQuote;
  readonly userspaceLog: Buffer | null;
  readonly conclusion: BootConclusion;
}

/** Without a memory. */
export const judgeBoot: JudgeBoot = ({ bootLog }, quote, userspaceLog) =>
  concludeBoot(bootLog, quote, readUserspaceRecords(userspaceLog));

/** Makes a judge that replays again only where log, quoted digest or stated values are others than the last time. */
export function createBootJudge(): JudgeBoot {
  const known = new WeakMap<LoggedBoot, Remembered>();
  return (boot, quoted, userspaceLog) => {
    const last = known.get(boot);
    if (last !== undefined && isSameQuote(last.quoted, quoted) && isSameLog(last.userspaceLog, userspaceLog)) {
      return last.conclusion;
    }
    const conclusion = judgeBoot(boot, quoted, userspaceLog);
    known.set(boot, { quoted, userspaceLog, conclusion });
    return conclusion;
  };
}

/** All of a quote that a replay is compared with. */
function isSameQuote(a: VerifiedTokenQuote, b: VerifiedTokenQuote): boolean {
  return (
    a.quote.pcrDigest.equals(b.quote.pcrDigest) &&
    a.quote.algorithm === b.quote.algorithm &&
    isSameSelection(a.quote.selection, b.quote.selection) &&
    a.statedPcrs.size === b.statedPcrs.size &&
    [...a.statedPcrs].every(([pcr, value]) => b.statedPcrs.get(pcr)?.equals(value) === true)
  );
}

function isSameLog(a: Buffer | null, b: Buffer | null): boolean {
  return a === null || b === null ? a === b : a.equals(b);
}

/** A log that cannot be read explains nothing, and the quote stays unexplained. */
function readUserspaceRecords(log: Buffer | null): UserspaceRecord[] {
  try {
    return log === null ? [] : parseUserspaceLog(log);
  } catch (error) {
    if (error instanceof EvidenceError) return [];
    throw error;
  }
}
