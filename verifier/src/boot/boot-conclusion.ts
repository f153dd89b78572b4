import {
  type BootFacts,
  compareQuotedReplay,
  listPhaseSequences,
  type QuotedReplay,
  type ReplayedBank,
  replayUserspaceLog,
  type UserspaceRecord,
  type VerifiedTokenQuote,
} from '@holdfast/evidence';
import type { Resolved } from '../appraisal/appraisal-input.ts';
import type { BootLog } from './boot-log.ts';

/** What the operating system measured after the boot, as far as the quote has it. */
export interface BootPhases {
  /** False where no log tells, and the words are those of systemd-pcrphase that give the quoted PCR 11. */
  readonly isLogged: boolean;
  /** In order: phases; kinds of what was measured into PCR 15. */
  readonly texts: readonly string[];
}

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
  /** Null where nothing was measured after the boot. */
  readonly phases: BootPhases | null;
}

const SHA256_BYTES = 32;
const PHASE_PCR = 11;
/** What a log without any event gives. */
const EMPTY_BANK: ReplayedBank = {
  algorithm: { id: 0x000b, name: 'sha256', bytes: SHA256_BYTES, nodeName: 'sha256' },
  pcrs: new Map(),
  incomplete: new Set(),
};

/**
 * Compares the replay of a log, or its absence, with the first verified quote of a token: PCRs that no log explains are
 * zero or stated by the Attester, and the composite of all must be the quoted digest. Where the firmware's log alone does
 * not give it, what the operating system logged is taken along, as much of it as does; at last the phases that old
 * versions of systemd measure without a log.
 */
export function concludeBoot(
  log: Resolved<BootLog> | null,
  quoted: VerifiedTokenQuote,
  userspace: readonly UserspaceRecord[] = [],
): BootConclusion {
  const bank = log?.state === 'ok' ? log.value.bank : undefined;
  const { bank: after, replay, phases } = findReplay(bank, quoted, userspace);
  const { isQuoted, pcrs } = replay;
  const listPcrs = (wanted: string) => pcrs.filter(({ outcome }) => outcome === wanted).map(({ pcr }) => pcr);
  return {
    facts: log?.state === 'ok' ? { state: 'ok', value: log.value.facts } : log,
    hasBank: bank !== undefined,
    isQuoted,
    mismatched: listPcrs('mismatch'),
    unexplained: listPcrs('unexplained'),
    values: isQuoted ? listValues(pcrs, after, quoted.statedPcrs) : null,
    phases,
  };
}

interface FoundReplay {
  readonly bank: ReplayedBank;
  readonly replay: QuotedReplay;
  readonly phases: BootPhases | null;
}

function findReplay(
  bank: ReplayedBank | undefined,
  { quote, statedPcrs }: VerifiedTokenQuote,
  userspace: readonly UserspaceRecord[],
): FoundReplay {
  const compare = (each: ReplayedBank) => compareQuotedReplay(quote, each, statedPcrs);
  const plain = { bank: bank ?? EMPTY_BANK, replay: compare(bank ?? EMPTY_BANK), phases: null };
  if (bank === undefined || isWhole(plain.replay)) return plain;
  for (const [records, isLogged] of [[userspace, true] as const, ...listPhaseSequences().map(unlogged)]) {
    const texts: string[] = [];
    let found: FoundReplay | undefined;
    // The longest prefix counts: what is left over was measured since.
    for (const step of replayUserspaceLog(bank, records)) {
      texts.push(nameRecord(step.record));
      const replay = compare(step.bank);
      if (isWhole(replay)) found = { bank: step.bank, replay, phases: { isLogged, texts: [...texts] } };
    }
    if (found !== undefined) return found;
  }
  return plain;
}

function unlogged(records: UserspaceRecord[]): readonly [UserspaceRecord[], boolean] {
  return [records, false];
}

function isWhole({ isQuoted, pcrs }: QuotedReplay): boolean {
  return isQuoted && pcrs.every(({ outcome }) => outcome === 'match' || outcome === 'notApplicable');
}

/** Behind the colon stands what tells machines apart, such as the machine-id. */
function nameRecord({ pcr, text }: UserspaceRecord): string {
  const kind = /^([a-z][a-z0-9-]{0,63})(?::|$)/.exec(text ?? '')?.[1];
  return `${kind ?? 'record'}${pcr === PHASE_PCR ? '' : ` in PCR ${pcr}`}`;
}

/** Whether the logs give every quoted PCR. */
export function isExplained({ isQuoted, mismatched, unexplained }: BootConclusion): boolean {
  return isQuoted && mismatched.length === 0 && unexplained.length === 0;
}

/** Whether the quote vouches for the log and nothing in the log speaks against it: then its facts count. */
export function isBootProven(conclusion: BootConclusion | null): boolean {
  if (conclusion?.facts?.state !== 'ok' || !conclusion.hasBank) return false;
  return isExplained(conclusion) && conclusion.facts.value.findings.length === 0;
}

function listValues(
  pcrs: readonly { readonly pcr: number }[],
  bank: ReplayedBank,
  stated: ReadonlyMap<number, Buffer>,
): Map<number, Buffer> {
  const zero = Buffer.alloc(SHA256_BYTES);
  return new Map(pcrs.map(({ pcr }) => [pcr, stated.get(pcr) ?? bank.pcrs.get(pcr) ?? zero]));
}
