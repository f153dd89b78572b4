import { Metadata, type StatusObject, status } from '@grpc/grpc-js';
import { EvidenceError } from '@holdfast/evidence';
import { VerifierError, type VerifierErrorCode } from '../verifier-error.ts';

/** Trailer that carries the stable code of a refusal. */
const CODE_TRAILER = 'holdfast-code';

const STATUS: Partial<Record<VerifierErrorCode, status>> = {
  ERR_VERIFIER_STORE: status.UNAVAILABLE,
  ERR_VERIFIER_TRUST: status.UNAVAILABLE,
  ERR_VERIFIER_INTERNAL: status.INTERNAL,
  ERR_VERIFIER_KEY: status.INTERNAL,
  ERR_VERIFIER_ROLE: status.PERMISSION_DENIED,
  ERR_VERIFIER_EK_UNKNOWN: status.PERMISSION_DENIED,
  ERR_VERIFIER_EK_OTHER_NAME: status.PERMISSION_DENIED,
  ERR_VERIFIER_NAME_OTHER_EK: status.PERMISSION_DENIED,
  ERR_VERIFIER_EK_CERTIFICATE_MISSING: status.PERMISSION_DENIED,
  ERR_VERIFIER_EK_CERTIFICATE_KEY: status.PERMISSION_DENIED,
  ERR_VERIFIER_EK_CERTIFICATE_EXPIRED: status.PERMISSION_DENIED,
  ERR_VERIFIER_EK_CERTIFICATE_CA: status.PERMISSION_DENIED,
  ERR_VERIFIER_EK_CERTIFICATE_USAGE: status.PERMISSION_DENIED,
  ERR_VERIFIER_EK_CHAIN_ISSUER: status.PERMISSION_DENIED,
  ERR_VERIFIER_EK_CHAIN_ALGORITHM: status.PERMISSION_DENIED,
  ERR_VERIFIER_EK_CHAIN_SIGNATURE: status.PERMISSION_DENIED,
  ERR_VERIFIER_EK_CHAIN_EXPIRED: status.PERMISSION_DENIED,
  ERR_VERIFIER_EK_CHAIN_CA: status.PERMISSION_DENIED,
  ERR_VERIFIER_EK_CHAIN_LENGTH: status.PERMISSION_DENIED,
  ERR_VERIFIER_EK_CHAIN_CRITICAL: status.PERMISSION_DENIED,
  ERR_VERIFIER_EK_CHAIN_NAMES: status.PERMISSION_DENIED,
  ERR_VERIFIER_EK_OTHER_MACHINE: status.PERMISSION_DENIED,
  ERR_VERIFIER_ROTATION: status.PERMISSION_DENIED,
  ERR_VERIFIER_EK_REVOKED: status.PERMISSION_DENIED,
  ERR_VERIFIER_ENROL_TLS_KEY: status.PERMISSION_DENIED,
  ERR_VERIFIER_EK_ATTRIBUTES: status.PERMISSION_DENIED,
  ERR_VERIFIER_PROOF: status.PERMISSION_DENIED,
  ERR_VERIFIER_CERTIFY: status.PERMISSION_DENIED,
  ERR_VERIFIER_AK_ATTRIBUTES: status.PERMISSION_DENIED,
  ERR_VERIFIER_SIGNING_KEY_ATTRIBUTES: status.PERMISSION_DENIED,
  ERR_VERIFIER_REFERENCE_KEY: status.PERMISSION_DENIED,
  ERR_VERIFIER_REFERENCE_SCOPE: status.PERMISSION_DENIED,
  ERR_VERIFIER_NOT_ENROLLED: status.UNAUTHENTICATED,
  ERR_VERIFIER_UNKNOWN_KEY: status.UNAUTHENTICATED,
  ERR_VERIFIER_CERTIFICATE_EXPIRED: status.UNAUTHENTICATED,
  ERR_VERIFIER_NOT_FOUND: status.NOT_FOUND,
  ERR_VERIFIER_NONCE: status.FAILED_PRECONDITION,
  ERR_VERIFIER_ORDER: status.FAILED_PRECONDITION,
  ERR_VERIFIER_SUPPLY: status.FAILED_PRECONDITION,
  ERR_VERIFIER_ENROL_ORDER: status.FAILED_PRECONDITION,
  ERR_VERIFIER_RATE: status.RESOURCE_EXHAUSTED,
  ERR_VERIFIER_LIMIT: status.RESOURCE_EXHAUSTED,
  ERR_VERIFIER_DEADLINE: status.DEADLINE_EXCEEDED,
};

/**
 * The gRPC status for anything that was thrown: by whose fault it is. Foreign bytes are INVALID_ARGUMENT; what nobody
 * foresaw is INTERNAL and tells the peer nothing. The stable code stands in the trailer `holdfast-code` and in front of
 * the sentence.
 */
export function toStatus(error: unknown): Partial<StatusObject> & { code: status; details: string } {
  if (error instanceof EvidenceError) return createStatus(status.INVALID_ARGUMENT, error.code, error.message);
  if (error instanceof VerifierError && error.code !== 'ERR_VERIFIER_INTERNAL') {
    return createStatus(STATUS[error.code] ?? status.INVALID_ARGUMENT, error.code, error.message);
  }
  return createStatus(status.INTERNAL, 'ERR_VERIFIER_INTERNAL', 'the verifier failed; its log says more');
}

/** Whether an error is the verifier's own fault, and so belongs into its log as an error. */
export function isInternal(error: unknown): boolean {
  const { code } = toStatus(error);
  return code === status.INTERNAL || code === status.UNAVAILABLE;
}

function createStatus(code: status, name: string, message: string) {
  const metadata = new Metadata();
  metadata.set(CODE_TRAILER, name);
  return { code, details: `${name}: ${message}`, metadata };
}
