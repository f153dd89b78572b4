import { BinaryReader } from '../encoding/binary-reader.ts';
import { EvidenceError } from '../evidence-error.ts';
import { type PcrSelection, readPcrSelection } from './pcr-selection.ts';

/** TPMS_CLOCK_INFO (TPM 2.0 part 2, 10.11.1). Only true values when the signer is in the endorsement hierarchy. */
export interface ClockInfo {
  /** Milliseconds that the TPM has been powered since its last clear. */
  readonly clock: bigint;
  readonly resetCount: number;
  readonly restartCount: number;
  /** False when the clock may have gone back after a power loss. */
  readonly safe: boolean;
}

interface AttestHead {
  readonly qualifiedSigner: Buffer;
  readonly extraData: Buffer;
  readonly clockInfo: ClockInfo;
  readonly firmwareVersion: bigint;
}

/** TPMS_ATTEST of TPM2_Quote. */
export interface QuoteAttest extends AttestHead {
  readonly type: 'quote';
  readonly selection: readonly PcrSelection[];
  readonly pcrDigest: Buffer;
}

/** TPMS_ATTEST of TPM2_Certify. */
export interface CertifyAttest extends AttestHead {
  readonly type: 'certify';
  readonly name: Buffer;
  readonly qualifiedName: Buffer;
}

export type Attest = QuoteAttest | CertifyAttest;

const GENERATED = 0xff544347;
const ST_ATTEST_QUOTE = 0x8018;
const ST_ATTEST_CERTIFY = 0x8017;
/** Longest digest of any TPM, and a Name with its algorithm in front. */
const MAX_DIGEST_BYTES = 64;
const MAX_NAME_BYTES = MAX_DIGEST_BYTES + 2;

/**
 * Parses a TPMS_ATTEST (TPM 2.0 part 2, 10.12.12) without size prefix: magic, type, common fields, then what was
 * attested; nothing may be left over. The result is unverified.
 *
 * Throws `EvidenceError` ERR_EVIDENCE_MALFORMED, and ERR_EVIDENCE_QUOTE when the magic is not TPM_GENERATED_VALUE or the
 * type is neither quote nor certify.
 */
export function parseAttest(bytes: Uint8Array): Attest {
  const reader = new BinaryReader(bytes, 'big', 'TPMS_ATTEST');
  if (reader.u32() !== GENERATED) throw new EvidenceError('ERR_EVIDENCE_QUOTE', 'not made by a TPM: wrong magic');
  const type = reader.u16();
  if (type !== ST_ATTEST_QUOTE && type !== ST_ATTEST_CERTIFY) {
    throw new EvidenceError('ERR_EVIDENCE_QUOTE', 'attestation is neither a quote nor a certification');
  }
  const head = readHead(reader);
  const attest = type === ST_ATTEST_QUOTE ? readQuote(reader, head) : readCertify(reader, head);
  reader.end();
  return attest;
}

function readHead(reader: BinaryReader): AttestHead {
  const qualifiedSigner = reader.sized16(MAX_NAME_BYTES);
  const extraData = reader.sized16(MAX_NAME_BYTES);
  const clock = reader.u64();
  const resetCount = reader.u32();
  const restartCount = reader.u32();
  const safe = reader.u8();
  if (safe > 1) throw reader.malformed('safe is neither yes nor no');
  const firmwareVersion = reader.u64();
  return {
    qualifiedSigner,
    extraData,
    clockInfo: { clock, resetCount, restartCount, safe: safe === 1 },
    firmwareVersion,
  };
}

function readQuote(reader: BinaryReader, head: AttestHead): QuoteAttest {
  const selection = readPcrSelection(reader);
  return { type: 'quote', ...head, selection, pcrDigest: reader.sized16(MAX_DIGEST_BYTES) };
}

function readCertify(reader: BinaryReader, head: AttestHead): CertifyAttest {
  const name = reader.sized16(MAX_NAME_BYTES);
  return { type: 'certify', ...head, name, qualifiedName: reader.sized16(MAX_NAME_BYTES) };
}
