import { hash } from 'node:crypto';
import { type HashAlgorithm, hashByName } from '../tpm/algorithm.ts';
import type { VerifiedQuote } from '../tpm/quote.ts';
import { type ImaEntry, isImaViolation } from './ima-entry.ts';

/**
 * How the kernel fills a bank: `native` with the bank's own hash of the template data, `sha1Padded` with the SHA-1 and
 * zeros behind it, which kernels before 5.9 do in every bank and later ones where the hash is not loaded.
 */
export type ImaBankForm = 'native' | 'sha1Padded';

/** PCR 10 after so many entries, in both forms; what a Verifier keeps between two segments. */
export interface ImaReplayState {
  readonly bank: HashAlgorithm;
  /** Entries replayed since the start of the boot session. */
  readonly entries: number;
  /** Those of them that extend PCR 10: the others are in no quote, and anybody can write them. */
  readonly extended: number;
  readonly values: Readonly<Record<ImaBankForm, Buffer>>;
}

export interface ImaPrefix {
  /** Entries of this segment that the quote covers; those behind it are unverified. */
  readonly matchedPrefix: number;
  readonly form: ImaBankForm;
  /** After the last matched entry. */
  readonly state: ImaReplayState;
}

/** Whether a value of PCR 10 is the quoted one. */
export type IsQuotedPcr = (pcr10: Buffer) => boolean;

export interface ImaScan {
  /** Undefined where there is none. */
  readonly longest: ImaPrefix | undefined;
  /** After all entries. */
  readonly end: ImaReplayState;
}

const IMA_PCR = 10;
const FORMS = ['native', 'sha1Padded'] as const;

/** PCR 10 of a machine that has just started. */
export function startImaReplay(bank: HashAlgorithm): ImaReplayState {
  const zero = Buffer.alloc(hashByName(bank).bytes);
  return { bank, entries: 0, extended: 0, values: { native: zero, sha1Padded: zero } };
}

/** Extends entries in order. Entries of other PCRs count and extend nothing; violations extend ones. */
export function replayIma(state: ImaReplayState, entries: readonly ImaEntry[]): ImaReplayState {
  return entries.reduce(extendEntry, state);
}

/**
 * Finds the longest prefix of the entries after which PCR 10 is what `isQuoted` accepts, in either form; the empty prefix
 * counts. Undefined where there is none: the list was trimmed, forged, cut, or read before the quote.
 */
export function matchImaPrefix(
  start: ImaReplayState,
  entries: readonly ImaEntry[],
  isQuoted: IsQuotedPcr,
): ImaPrefix | undefined {
  return scanIma(start, entries, isQuoted).longest;
}

/** As `matchImaPrefix`, and where the replay stands after all entries, so that a long list can be looked at in parts. */
export function scanIma(start: ImaReplayState, entries: readonly ImaEntry[], isQuoted: IsQuotedPcr): ImaScan {
  let longest: ImaPrefix | undefined;
  let state = start;
  for (let count = 0; count <= entries.length; count += 1) {
    const entry = entries[count - 1];
    if (entry !== undefined) state = extendEntry(state, entry);
    const reached = state;
    const form = FORMS.find((each) => isQuoted(reached.values[each]));
    if (form !== undefined) longest = { matchedPrefix: count, form, state };
  }
  return { longest, end: state };
}

/** What a verified quote says of PCR 10 in a bank; undefined for one of any other selection. */
export function readQuotedIma(quote: VerifiedQuote, bank: HashAlgorithm): IsQuotedPcr | undefined {
  const [selection, ...others] = quote.selection;
  const isPcr10 = others.length === 0 && selection?.bank === bank && selection.pcrs.join() === String(IMA_PCR);
  if (!isPcr10) return undefined;
  const { nodeName } = hashByName(quote.algorithm);
  // With one PCR selected, the digest of the quote is that of its value (TPM 2.0 part 3, 18.4).
  return (pcr10) => hash(nodeName, pcr10, 'buffer').equals(quote.pcrDigest);
}

/**
 * Compares a whole list with what was replayed of it before: `continues` when the known entries are the same, `shrunk`
 * when there are fewer, `forked` when they are others.
 */
export function judgeImaHistory(known: ImaReplayState, whole: readonly ImaEntry[]): 'continues' | 'shrunk' | 'forked' {
  if (whole.length < known.entries) return 'shrunk';
  const again = replayIma(startImaReplay(known.bank), whole.slice(0, known.entries));
  return FORMS.every((form) => again.values[form].equals(known.values[form])) ? 'continues' : 'forked';
}

function extendEntry(state: ImaReplayState, entry: ImaEntry): ImaReplayState {
  const entries = state.entries + 1;
  if (entry.pcr !== IMA_PCR) return { ...state, entries };
  const extended = state.extended + 1;
  const { bytes, nodeName } = hashByName(state.bank);
  const extend = (value: Buffer, digest: Buffer) => hash(nodeName, Buffer.concat([value, digest]), 'buffer');
  const { native, sha1Padded } = state.values;
  if (isImaViolation(entry)) {
    const ones = Buffer.alloc(bytes, 0xff);
    return {
      ...state,
      entries,
      extended,
      values: { native: extend(native, ones), sha1Padded: extend(sha1Padded, ones) },
    };
  }
  const own = hash(nodeName, entry.hashed, 'buffer');
  const sha1 = state.bank === 'sha1' ? own : hash('sha1', entry.hashed, 'buffer');
  const padded = Buffer.concat([sha1, Buffer.alloc(bytes - sha1.length)]);
  return {
    ...state,
    entries,
    extended,
    values: { native: extend(native, own), sha1Padded: extend(sha1Padded, padded) },
  };
}
