import { computeAkQualifiedName, parsePublic, publicToKeyObject, verifyCertify } from '@holdfast/evidence';
import type { EnrolledNode } from '../store/enrolment-store.ts';
import { VerifierError } from '../verifier-error.ts';
import type { AdmittedEk } from './admit-ek.ts';
import { type CertifiedKeys, MAX_ATTEST_BYTES, type OfferedKeys, verifyWithCode } from './verify-keys.ts';

/**
 * What an AK is to the one that was enrolled before: the first one, or the same; `rotated` when the one before vouches
 * for it; `replaced` when it just took its place, as after a cleared TPM.
 */
export type KeySuccession = 'first' | 'same' | 'rotated' | 'replaced';

/**
 * Tells what the offered AK is to the enrolled one. A rotation is proven by TPM2_Certify of the new AK by the enrolled
 * one over the enrolment nonce: whoever holds the old key, in the same TPM, wants the new one. Where nothing is enrolled
 * there is nothing to prove.
 *
 * Throws `VerifierError` ERR_VERIFIER_ROTATION for a proof that does not hold.
 */
export function verifySuccession(
  { rotationAttest, rotationSignature }: Pick<OfferedKeys, 'rotationAttest' | 'rotationSignature'>,
  keys: Pick<CertifiedKeys, 'akPublic' | 'akName'>,
  ek: Pick<AdmittedEk, 'ekName' | 'ekPublic'>,
  nonce: Uint8Array,
  enrolled: Pick<EnrolledNode, 'akPublic'> | undefined,
): KeySuccession {
  if (enrolled === undefined) return 'first';
  if (enrolled.akPublic.equals(keys.akPublic.encoded)) return 'same';
  if (rotationAttest.length === 0 && rotationSignature.length === 0) return 'replaced';
  if (rotationAttest.length > MAX_ATTEST_BYTES || rotationSignature.length > MAX_ATTEST_BYTES) {
    throw new VerifierError('ERR_VERIFIER_ROTATION', 'the certification of the new AK is too long');
  }
  verifyWithCode('ERR_VERIFIER_ROTATION', () => {
    const akPublic = parsePublic(enrolled.akPublic);
    verifyCertify(
      { attest: rotationAttest, signature: rotationSignature },
      {
        key: publicToKeyObject(akPublic),
        qualifyingData: nonce,
        name: keys.akName,
        qualifiedSigner: computeAkQualifiedName(ek.ekName, ek.ekPublic.nameAlgorithm, akPublic),
      },
    );
  });
  return 'rotated';
}
