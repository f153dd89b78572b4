import { type KeyObject, timingSafeEqual } from 'node:crypto';
import { EvidenceError } from '../evidence-error.ts';
import type { HashAlgorithm } from './algorithm.ts';
import { type Attest, type ClockInfo, parseAttest, type QuoteAttest } from './attest.ts';
import { isSameSelection, type PcrSelection } from './pcr-selection.ts';
import { parseSignature, type TpmSignature, verifySignature } from './signature.ts';

/** A TPMS_ATTEST and the TPMT_SIGNATURE over it, as a TPM gave them. Unverified. */
export interface SignedAttest {
  readonly attest: Uint8Array;
  readonly signature: Uint8Array;
}

/** What the caller knows of the key and demands of the quote. */
export interface QuoteExpectation {
  /** The enrolled AK. Whoever passes a key that signs foreign data lets quotes be forged. */
  readonly key: KeyObject;
  readonly qualifyingData: Uint8Array;
  readonly selection: readonly PcrSelection[];
  /** Qualified Name of the AK, which shows its hierarchy and parent; not compared where it is absent. */
  readonly qualifiedSigner?: Uint8Array;
}

/** A quote that `verifyQuote` accepted; only that function makes one. */
export class VerifiedQuote {
  readonly #attest: QuoteAttest;
  /** Hash of the PCR composite, which is that of the signature. */
  readonly algorithm: HashAlgorithm;

  private constructor(attest: QuoteAttest, algorithm: HashAlgorithm) {
    this.#attest = attest;
    this.algorithm = algorithm;
  }

  get clockInfo(): ClockInfo {
    return this.#attest.clockInfo;
  }

  get firmwareVersion(): bigint {
    return this.#attest.firmwareVersion;
  }

  get selection(): readonly PcrSelection[] {
    return this.#attest.selection;
  }

  get pcrDigest(): Buffer {
    return this.#attest.pcrDigest;
  }

  get qualifiedSigner(): Buffer {
    return this.#attest.qualifiedSigner;
  }

  /** See `verifyQuote`. */
  static verify(signed: SignedAttest, expected: QuoteExpectation): VerifiedQuote {
    const { attest, signature } = verifySignedAttest(signed, expected);
    if (attest.type !== 'quote') throw new EvidenceError('ERR_EVIDENCE_QUOTE', 'attestation is not a quote');
    checkQualifyingData(attest, expected.qualifyingData);
    if (!isSameSelection(attest.selection, expected.selection)) {
      throw new EvidenceError('ERR_EVIDENCE_QUOTE', 'quote covers other PCRs than the profile fixes');
    }
    if (expected.qualifiedSigner !== undefined && !isEqual(attest.qualifiedSigner, expected.qualifiedSigner)) {
      throw new EvidenceError('ERR_EVIDENCE_QUOTE', 'quote was signed under another hierarchy or parent');
    }
    return new VerifiedQuote(attest, signature.hash);
  }
}

/**
 * Verifies a quote in this order: signature by the expected key, magic and type, qualifying data, exact PCR selection,
 * qualified signer. The PCR digest is authentic then, and says nothing until it is compared with values or a replay.
 *
 * Throws `EvidenceError` ERR_EVIDENCE_MALFORMED, ERR_EVIDENCE_SIGNATURE, ERR_EVIDENCE_QUOTE or ERR_EVIDENCE_BINDING
 * (other qualifying data).
 */
export function verifyQuote(signed: SignedAttest, expected: QuoteExpectation): VerifiedQuote {
  return VerifiedQuote.verify(signed, expected);
}

/** Checks the signature before anything of the attestation is parsed. */
export function verifySignedAttest(
  signed: SignedAttest,
  expected: { readonly key: KeyObject },
): { attest: Attest; signature: TpmSignature } {
  const signature = parseSignature(signed.signature);
  verifySignature(expected.key, signed.attest, signature);
  return { attest: parseAttest(signed.attest), signature };
}

/** Throws ERR_EVIDENCE_BINDING when the attestation answers another question. */
export function checkQualifyingData(attest: Attest, qualifyingData: Uint8Array): void {
  if (!isEqual(attest.extraData, qualifyingData)) {
    throw new EvidenceError('ERR_EVIDENCE_BINDING', 'attestation was made over other qualifying data');
  }
}

function isEqual(a: Uint8Array, b: Uint8Array): boolean {
  return a.length === b.length && timingSafeEqual(a, b);
}
