import { type BootFacts, compareQuotedReplay, type ReplayedBank, type VerifiedTokenQuote } from '@holdfast/evidence';
import type { Resolved } from '../appraisal/appraisal-input.ts';
import type { BootLog } from './boot-log.ts';

/** What boot event log and quote say together. */
export interface BootConclusion {
  /** Null where the evidence names no log. Facts count only where all PCRs are explained. */
  readonly facts: Resolved<BootFacts> | null;
  /** False where the log has no digests of the quoted bank. */
  readonly hasBank: boolean;
  /** Whether replay and stated values give the quoted digest. */
  readonly isQuoted: boolean;
  /** PCRs whose stated, quoted value is another than the log gives. */
  readonly mismatched: readonly number[];
  /** PCRs that have a value and no event. */
  readonly unexplained: readonly number[];
  /** Quoted values of the boot PCRs by index; null where they are not known. */
  readonly values: ReadonlyMap<number, Buffer> | null;
}

const SHA256_BYTES = 32;
/** What a log without any event gives. */
const EMPTY_BANK: ReplayedBank = {
  algorithm: { id: 0x000b, name: 'sha256', bytes: SHA256_BYTES, nodeName: 'sha256' },
  pcrs: new Map(),
  incomplete: new Set(),
};

/**
 * Compares the replay of a log, or its absence, with the first verified quote of a token: PCRs that no log explains are
 * zero or stated by the Attester, and the composite of all must be the quoted digest.
 */
export function concludeBoot(log: Resolved<BootLog> | null, { quote, statedPcrs }: VerifiedTokenQuote): BootConclusion {
  const bank = log?.state === 'ok' ? log.value.bank : undefined;
  const { isQuoted, pcrs } = compareQuotedReplay(quote, bank ?? EMPTY_BANK, statedPcrs);
  const listPcrs = (wanted: string) => pcrs.filter(({ outcome }) => outcome === wanted).map(({ pcr }) => pcr);
  return {
    facts: log?.state === 'ok' ? { state: 'ok', value: log.value.facts } : log,
    hasBank: bank !== undefined,
    isQuoted,
    mismatched: listPcrs('mismatch'),
    unexplained: listPcrs('unexplained'),
    values: isQuoted ? listValues(pcrs, bank ?? EMPTY_BANK, statedPcrs) : null,
  };
}

/** Whether the quote vouches for the log and nothing in the log speaks against it: then its facts count. */
export function isBootProven(conclusion: BootConclusion | null): boolean {
  if (conclusion?.facts?.state !== 'ok' || !conclusion.hasBank || !conclusion.isQuoted) return false;
  const { mismatched, unexplained, facts } = conclusion;
  return mismatched.length === 0 && unexplained.length === 0 && facts.value.findings.length === 0;
}

function listValues(
  pcrs: readonly { readonly pcr: number }[],
  bank: ReplayedBank,
  stated: ReadonlyMap<number, Buffer>,
): Map<number, Buffer> {
  const zero = Buffer.alloc(SHA256_BYTES);
  return new Map(pcrs.map(({ pcr }) => [pcr, stated.get(pcr) ?? bank.pcrs.get(pcr) ?? zero]));
}
