import { composePcrDigest } from '../tpm/pcr-composite.ts';
import type { VerifiedQuote } from '../tpm/quote.ts';
import type { ReplayedBank } from './replay-event-log.ts';

/**
 * `match`: the log gives this value, or there is neither event nor value. `mismatch`: it gives another. `unexplained`: a
 * value and no event. `notApplicable`: PCR 10, which is IMA's, and 16 to 23, which are not firmware's.
 */
export type PcrOutcome = 'match' | 'mismatch' | 'unexplained' | 'notApplicable';

export interface PcrComparison {
  readonly pcr: number;
  readonly outcome: PcrOutcome;
}

const LAST_BOOT_PCR = 15;
const IMA_PCR = 10;

/** Compares the replay of one bank with the values of a TPM, for each PCR that has a value there, in order. */
export function compareReplayedPcrs(bank: ReplayedBank, values: ReadonlyMap<number, Uint8Array>): PcrComparison[] {
  return [...values].sort(([a], [b]) => a - b).map(([pcr, value]) => ({ pcr, outcome: judgePcr(bank, pcr, value) }));
}

export interface QuotedReplay {
  /** Whether replay and stated values together give the quoted digest. Nothing of the log counts where they do not. */
  readonly isQuoted: boolean;
  /** PCR by PCR; empty where the digest is another, since a quote does not say which PCR differs. */
  readonly pcrs: readonly PcrComparison[];
}

/**
 * Compares the replay of the quoted bank with a verified quote. PCRs without events are zero unless the Attester states a
 * value; a stated value takes the place of a replayed one, and is then compared with it.
 */
export function compareQuotedReplay(
  quote: VerifiedQuote,
  bank: ReplayedBank,
  stated: ReadonlyMap<number, Uint8Array>,
): QuotedReplay {
  const selected = quote.selection.flatMap(({ pcrs }) => pcrs);
  const zero = Buffer.alloc(bank.algorithm.bytes);
  const values = new Map(selected.map((pcr) => [pcr, stated.get(pcr) ?? bank.pcrs.get(pcr) ?? zero]));
  const isBank = quote.selection.length === 1 && quote.selection[0]?.bank === bank.algorithm.name;
  const isQuoted =
    isBank &&
    [...values.values()].every(({ length }) => length === zero.length) &&
    composePcrDigest(quote.selection, { [bank.algorithm.name]: values }, quote.algorithm).equals(quote.pcrDigest);
  return { isQuoted, pcrs: isQuoted ? compareReplayedPcrs(bank, values) : [] };
}

function judgePcr(bank: ReplayedBank, pcr: number, value: Uint8Array): PcrOutcome {
  if (pcr === IMA_PCR || pcr > LAST_BOOT_PCR) return 'notApplicable';
  if (bank.incomplete.has(pcr)) return 'mismatch';
  const replayed = bank.pcrs.get(pcr);
  if (replayed === undefined) return value.every((byte) => byte === 0) ? 'match' : 'unexplained';
  return replayed.equals(value) ? 'match' : 'mismatch';
}
