import { EvidenceError } from '../evidence-error.ts';
import type { CertifyAttest } from './attest.ts';
import { checkQualifyingData, type QuoteExpectation, type SignedAttest, verifySignedAttest } from './quote.ts';

export interface CertifyExpectation extends Pick<QuoteExpectation, 'key' | 'qualifyingData' | 'qualifiedSigner'> {
  /** Name of the object that must have been certified. */
  readonly name: Uint8Array;
}

/**
 * Verifies a TPM2_Certify in this order: signature by the expected key, magic and type, qualifying data, Name of the
 * certified object, qualified signer. It proves that the object is loaded in the TPM of that key.
 *
 * Throws `EvidenceError` ERR_EVIDENCE_MALFORMED, ERR_EVIDENCE_SIGNATURE, ERR_EVIDENCE_QUOTE, ERR_EVIDENCE_BINDING
 * (other qualifying data) or ERR_EVIDENCE_KEY (another object).
 */
export function verifyCertify(signed: SignedAttest, expected: CertifyExpectation): CertifyAttest {
  const { attest } = verifySignedAttest(signed, expected);
  if (attest.type !== 'certify') throw new EvidenceError('ERR_EVIDENCE_QUOTE', 'attestation is not a certification');
  checkQualifyingData(attest, expected.qualifyingData);
  if (!attest.name.equals(expected.name)) throw new EvidenceError('ERR_EVIDENCE_KEY', 'another object was certified');
  if (expected.qualifiedSigner !== undefined && !attest.qualifiedSigner.equals(expected.qualifiedSigner)) {
    throw new EvidenceError('ERR_EVIDENCE_QUOTE', 'certification was signed under another hierarchy or parent');
  }
  return attest;
}
