import { timingSafeEqual } from 'node:crypto';
import {
  type Attest,
  composePcrDigest,
  EvidenceError,
  type HashAlgorithm,
  type PcrBanks,
  parseAttest,
  type TpmSignature,
} from '@holdfast/evidence';
import { EXIT, undecided, usageError } from '../cli-error.ts';
import type { Command, Flags } from '../command.ts';
import { readInputFile } from '../input-file.ts';
import { type PcrFile, readPcrFile } from '../pcr-file.ts';
import { type AkInput, findValidSignature, listSignatures, parseAk } from '../quote-input.ts';
import type { Terminal } from '../terminal.ts';

/** Larger than any TPM structure. */
const MAX_BYTES = 64 << 10;
const DIGEST_OF_LENGTH = new Map<number, HashAlgorithm>([
  [32, 'sha256'],
  [48, 'sha384'],
  [64, 'sha512'],
]);

type Failure =
  /** The AK is one with which a TPM would sign what its owner makes up. */
  | 'AK_UNSUITABLE'
  | 'SIGNATURE_INVALID'
  /** Not made by a TPM, or an attestation of something else. */
  | 'NOT_A_QUOTE'
  | 'NONCE_MISMATCH'
  /** The quote selects a PCR of which no value was given. */
  | 'PCR_MISSING'
  /** Values were given, and the quote selects none of these PCRs. */
  | 'PCR_NOT_QUOTED'
  | 'PCR_DIGEST_MISMATCH';

export const inspectQuote: Command = {
  name: 'inspect quote',
  summary: 'verify a TPM quote against an AK, and against nonce and PCR values on request',
  positionals: '',
  arity: [0, 0],
  options: {
    attest: { type: 'string', value: 'FILE', help: 'TPMS_ATTEST, as tpm2_quote --message writes it' },
    signature: { type: 'string', value: 'FILE', help: 'TPMT_SIGNATURE, DER or raw' },
    ak: { type: 'string', value: 'FILE', help: 'public AK: PEM, TPM2B_PUBLIC or TPMT_PUBLIC' },
    nonce: { type: 'string', value: 'HEX', help: 'the qualifying data that the quote must have' },
    pcrs: {
      type: 'string',
      value: 'FILE',
      help: 'the values that it must cover: output of tpm2_pcrread, or such YAML',
    },
  },
  run: async ({ flags, terminal }) => {
    const [attestPath, signaturePath, akPath] = ['attest', 'signature', 'ak'].map((name) => required(flags, name));
    const nonce = readNonce(flags.text('nonce'));
    const pcrsPath = flags.text('pcrs');
    const pcrs = pcrsPath === undefined ? undefined : (await readPcrFile(pcrsPath)).values;
    const ak = parseAk(await readInputFile(akPath ?? '', MAX_BYTES), akPath ?? '');
    const signatureBytes = await readInputFile(signaturePath ?? '', MAX_BYTES);
    const message = await readInputFile(attestPath ?? '', MAX_BYTES);
    const signature = findValidSignature(listSignatures(signatureBytes, ak.key, signaturePath ?? ''), ak.key, message);
    const attest = readAttest(message, attestPath ?? '');
    const failures = judgeQuote({ ak, signature, attest, nonce, pcrs });
    const view = viewQuote(attest, failures, { ak, signature, nonce, pcrs });
    terminal.printJson(view);
    terminal.print(formatQuote(view, terminal));
    return failures.length === 0 ? EXIT.good : EXIT.found;
  },
};

function required(flags: Flags, name: string): string {
  const value = flags.text(name);
  if (value === undefined) throw usageError(`holdfast inspect quote needs --attest, --signature and --ak`);
  return value;
}

function readNonce(text: string | undefined): Buffer | undefined {
  if (text === undefined) return undefined;
  if (!/^(?:0x)?(?:[0-9a-f]{2}){0,64}$/i.test(text)) {
    throw usageError('--nonce takes the qualifying data as hexadecimal digits, at most 64 bytes');
  }
  return Buffer.from(text.replace(/^0x/i, ''), 'hex');
}

/** Undefined for what says of itself that it is no quote; a structure that does not parse cannot be decided. */
function readAttest(message: Buffer, path: string): Attest | undefined {
  try {
    return parseAttest(message);
  } catch (error) {
    if (!(error instanceof EvidenceError)) throw error;
    if (error.code === 'ERR_EVIDENCE_QUOTE') return undefined;
    throw undecided(`${path} is no TPMS_ATTEST: ${error.message}`, error);
  }
}

interface QuoteInputs {
  readonly ak: AkInput;
  /** Undefined where none of the possible ones holds. */
  readonly signature: TpmSignature | undefined;
  readonly nonce: Buffer | undefined;
  readonly pcrs: PcrFile | undefined;
}

function judgeQuote({ ak, signature, attest, nonce, pcrs }: QuoteInputs & { attest: Attest | undefined }): Failure[] {
  const failures: Failure[] = [];
  if (ak.unsuitable !== null) failures.push('AK_UNSUITABLE');
  if (signature === undefined) failures.push('SIGNATURE_INVALID');
  if (attest?.type !== 'quote') return [...failures, 'NOT_A_QUOTE'];
  if (nonce !== undefined && !isEqual(attest.extraData, nonce)) failures.push('NONCE_MISMATCH');
  if (pcrs !== undefined) failures.push(...judgePcrs(attest, pcrs));
  return failures;
}

function judgePcrs({ selection, pcrDigest }: Attest & { type: 'quote' }, pcrs: PcrFile): Failure[] {
  const isQuoted = selection.some((bank) => bank.pcrs.some((pcr) => hasValue(pcrs, bank.bank, pcr)));
  if (!isQuoted) return ['PCR_NOT_QUOTED'];
  const isMissing = selection.some((bank) => bank.pcrs.some((pcr) => !hasValue(pcrs, bank.bank, pcr)));
  if (isMissing) return ['PCR_MISSING'];
  const algorithm = DIGEST_OF_LENGTH.get(pcrDigest.length);
  const banks: PcrBanks = Object.fromEntries(pcrs);
  const isSame = algorithm !== undefined && composePcrDigest(selection, banks, algorithm).equals(pcrDigest);
  return isSame ? [] : ['PCR_DIGEST_MISMATCH'];
}

function hasValue(pcrs: PcrFile, bank: string, pcr: number): boolean {
  return pcrs.get(bank)?.has(pcr) === true;
}

interface BankPcrs {
  readonly bank: string;
  readonly pcrs: readonly number[];
}

/** Of the given values those that the quote says nothing of. */
function listNotQuoted(selection: readonly BankPcrs[], given: PcrFile): BankPcrs[] {
  return [...given].flatMap(([bank, values]) => {
    const selected = selection.find((each) => each.bank === bank)?.pcrs ?? [];
    const pcrs = [...values.keys()].filter((pcr) => !selected.includes(pcr));
    return pcrs.length === 0 ? [] : [{ bank, pcrs }];
  });
}

function formatPcrs(banks: readonly BankPcrs[]): string {
  return banks.map(({ bank, pcrs }) => `${bank}:${pcrs.join(',')}`).join(' ');
}

function viewQuote(attest: Attest | undefined, failures: readonly Failure[], inputs: QuoteInputs) {
  const { ak, signature, nonce, pcrs } = inputs;
  const quote = attest?.type === 'quote' ? attest : undefined;
  return {
    valid: failures.length === 0,
    failures,
    clockInfo: attest === undefined ? null : { ...attest.clockInfo, clock: String(attest.clockInfo.clock) },
    pcrDigest: quote?.pcrDigest.toString('hex') ?? null,
    extraData: attest?.extraData.toString('hex') ?? null,
    selection: quote?.selection ?? null,
    notQuoted: pcrs === undefined ? null : listNotQuoted(quote?.selection ?? [], pcrs),
    firmwareVersion: attest?.firmwareVersion.toString(16).padStart(16, '0') ?? null,
    qualifiedSigner: attest?.qualifiedSigner.toString('hex') ?? null,
    signature: signature === undefined ? null : { scheme: signature.scheme, hash: signature.hash },
    ak: { format: ak.format, unsuitable: ak.unsuitable },
    compared: { nonce: nonce !== undefined, pcrs: pcrs !== undefined },
  };
}

function formatQuote(view: ReturnType<typeof viewQuote>, terminal: Terminal): string {
  const { clockInfo, selection } = view;
  const notQuoted = formatPcrs(view.notQuoted ?? []);
  const verdict = view.valid ? terminal.paint('green', 'VALID') : terminal.paint('red', view.failures.join(', '));
  const open = [
    ...(view.compared.nonce ? [] : ['no nonce was given, so nothing is known of its age']),
    ...(view.compared.pcrs ? [] : ['no PCR values were given, so the digest stands for nothing']),
    ...(notQuoted === '' ? [] : [`the quote says nothing of these given values: ${notQuoted}`]),
    ...(view.ak.format === 'pem' ? ['a PEM key does not say whether its TPM signs foreign data with it'] : []),
  ];
  return [
    `quote        ${verdict}`,
    ...(view.ak.unsuitable === null ? [] : [`AK           ${view.ak.unsuitable}`]),
    `signature    ${view.signature === null ? 'none that holds' : `${view.signature.scheme} ${view.signature.hash}`}`,
    `PCRs         ${formatPcrs(selection ?? []) || '-'}`,
    `PCR digest   ${view.pcrDigest ?? '-'}`,
    `extra data   ${view.extraData ?? '-'}`,
    ...(clockInfo === null
      ? []
      : [
          `clock        ${clockInfo.clock} ms, reset ${clockInfo.resetCount}, restart ${clockInfo.restartCount}, ${clockInfo.safe ? 'safe' : 'not safe'}`,
        ]),
    `firmware     ${view.firmwareVersion ?? '-'}`,
    ...open.map((sentence) => terminal.paint('dim', `open         ${sentence}`)),
  ].join('\n');
}

function isEqual(a: Uint8Array, b: Uint8Array): boolean {
  return a.length === b.length && timingSafeEqual(a, b);
}
