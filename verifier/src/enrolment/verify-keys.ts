import type { KeyObject } from 'node:crypto';
import {
  checkAkPublic,
  checkSigningPublic,
  computeAkQualifiedName,
  computeName,
  EvidenceError,
  publicToKeyObject,
  type TpmPublic,
  verifyCertify,
} from '@holdfast/evidence';
import { VerifierError, type VerifierErrorCode } from '../verifier-error.ts';
import { type AdmittedEk, checkKey, parseKey } from './admit-ek.ts';

/** The second message of an enrolment. */
export interface OfferedKeys {
  readonly akPublic: Uint8Array;
  readonly signingPublic: Uint8Array;
  readonly certifyAttest: Uint8Array;
  readonly certifySignature: Uint8Array;
  readonly tlsSpkiSha256: Uint8Array;
  /** Certification of the AK by the one that is enrolled; both empty where there is none. */
  readonly rotationAttest: Uint8Array;
  readonly rotationSignature: Uint8Array;
}

/** Keys of which it is proven that the second lives in the TPM of the first, but not yet that this is the EK's TPM. */
export interface CertifiedKeys {
  readonly akPublic: TpmPublic;
  readonly akName: Buffer;
  readonly akKey: KeyObject;
  readonly signingPublic: TpmPublic;
  readonly signingKey: KeyObject;
}

/** Longest TPMS_ATTEST and TPMT_SIGNATURE that any supported TPM makes, with room to spare. */
export const MAX_ATTEST_BYTES = 2048;

/**
 * Verifies the offered keys in this order: the TLS key that they name is that of the connection; AK and signing key
 * parse and have the attributes of their kind; the AK certified the signing key over the enrolment nonce, as a child of
 * the admitted EK in the endorsement hierarchy. That AK and EK share a TPM is for credential activation to prove.
 *
 * Throws `VerifierError` with ERR_VERIFIER_ENROL_TLS_KEY, _AK_MALFORMED, _AK_ATTRIBUTES, _SIGNING_KEY_MALFORMED,
 * _SIGNING_KEY_ATTRIBUTES or _CERTIFY.
 */
export function verifyOfferedKeys(
  offered: OfferedKeys,
  ek: Pick<AdmittedEk, 'ekName' | 'ekPublic'>,
  nonce: Uint8Array,
  peerSpki: string,
): CertifiedKeys {
  if (Buffer.from(offered.tlsSpkiSha256).toString('hex') !== peerSpki) {
    throw new VerifierError('ERR_VERIFIER_ENROL_TLS_KEY', 'the TLS key that is offered is not that of this connection');
  }
  const akPublic = parseKey(offered.akPublic, 'ERR_VERIFIER_AK_MALFORMED');
  checkKey(akPublic, checkAkPublic, 'ERR_VERIFIER_AK_ATTRIBUTES');
  const akKey = toKeyObject(akPublic, 'ERR_VERIFIER_AK_ATTRIBUTES');
  const signingPublic = parseKey(offered.signingPublic, 'ERR_VERIFIER_SIGNING_KEY_MALFORMED');
  checkKey(signingPublic, checkSigningPublic, 'ERR_VERIFIER_SIGNING_KEY_ATTRIBUTES');
  const signingKey = toKeyObject(signingPublic, 'ERR_VERIFIER_SIGNING_KEY_ATTRIBUTES');
  if (offered.certifyAttest.length > MAX_ATTEST_BYTES || offered.certifySignature.length > MAX_ATTEST_BYTES) {
    throw new VerifierError('ERR_VERIFIER_CERTIFY', 'the certification is too long');
  }
  verifyWithCode('ERR_VERIFIER_CERTIFY', () =>
    verifyCertify(
      { attest: offered.certifyAttest, signature: offered.certifySignature },
      {
        key: akKey,
        qualifyingData: nonce,
        name: computeName(signingPublic),
        qualifiedSigner: computeAkQualifiedName(ek.ekName, ek.ekPublic.nameAlgorithm, akPublic),
      },
    ),
  );
  return { akPublic, akName: computeName(akPublic), akKey, signingPublic, signingKey };
}

function toKeyObject(key: TpmPublic, code: VerifierErrorCode): KeyObject {
  return verifyWithCode(code, () => publicToKeyObject(key));
}

/** Turns a refusal of foreign data into one with a code of its own. */
export function verifyWithCode<T>(code: VerifierErrorCode, verify: () => T): T {
  try {
    return verify();
  } catch (cause) {
    if (cause instanceof EvidenceError) throw new VerifierError(code, cause.message, { cause });
    throw cause;
  }
}
