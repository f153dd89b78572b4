/** What can go wrong in the verifier's own surroundings, or make it refuse a peer. One row each in docs/protocol.md. */
export type VerifierErrorCode =
  // Surroundings.
  | 'ERR_VERIFIER_CONFIG'
  | 'ERR_VERIFIER_LISTEN'
  | 'ERR_VERIFIER_TLS'
  | 'ERR_VERIFIER_STORE'
  | 'ERR_VERIFIER_KEY'
  // Trust file and references.
  | 'ERR_VERIFIER_TRUST'
  | 'ERR_VERIFIER_REFERENCE'
  | 'ERR_VERIFIER_REFERENCE_SIGNATURE'
  | 'ERR_VERIFIER_REFERENCE_KEY'
  | 'ERR_VERIFIER_REFERENCE_SCOPE'
  | 'ERR_VERIFIER_SBOM'
  | 'ERR_VERIFIER_EAR'
  // Enrolment.
  | 'ERR_VERIFIER_ENROL_ORDER'
  | 'ERR_VERIFIER_ENROL_NAME'
  | 'ERR_VERIFIER_ENROL_LIMIT'
  | 'ERR_VERIFIER_ENROL_TLS_KEY'
  | 'ERR_VERIFIER_EK_MALFORMED'
  | 'ERR_VERIFIER_EK_ATTRIBUTES'
  | 'ERR_VERIFIER_EK_UNKNOWN'
  | 'ERR_VERIFIER_EK_OTHER_NAME'
  | 'ERR_VERIFIER_NAME_OTHER_EK'
  | 'ERR_VERIFIER_EK_CERTIFICATE_MISSING'
  | 'ERR_VERIFIER_EK_CERTIFICATE_MALFORMED'
  | 'ERR_VERIFIER_EK_CERTIFICATE_KEY'
  | 'ERR_VERIFIER_EK_CERTIFICATE_EXPIRED'
  | 'ERR_VERIFIER_EK_CERTIFICATE_CA'
  | 'ERR_VERIFIER_EK_CERTIFICATE_USAGE'
  | 'ERR_VERIFIER_EK_CHAIN_ISSUER'
  | 'ERR_VERIFIER_EK_CHAIN_ALGORITHM'
  | 'ERR_VERIFIER_EK_CHAIN_SIGNATURE'
  | 'ERR_VERIFIER_EK_CHAIN_EXPIRED'
  | 'ERR_VERIFIER_EK_CHAIN_CA'
  | 'ERR_VERIFIER_EK_CHAIN_LENGTH'
  | 'ERR_VERIFIER_EK_CHAIN_CRITICAL'
  | 'ERR_VERIFIER_EK_CHAIN_NAMES'
  | 'ERR_VERIFIER_EK_OTHER_MACHINE'
  | 'ERR_VERIFIER_AK_MALFORMED'
  | 'ERR_VERIFIER_AK_ATTRIBUTES'
  | 'ERR_VERIFIER_SIGNING_KEY_MALFORMED'
  | 'ERR_VERIFIER_SIGNING_KEY_ATTRIBUTES'
  | 'ERR_VERIFIER_CERTIFY'
  | 'ERR_VERIFIER_PROOF'
  // Conversation.
  | 'ERR_VERIFIER_ROLE'
  | 'ERR_VERIFIER_MESSAGE'
  | 'ERR_VERIFIER_NOT_FOUND'
  | 'ERR_VERIFIER_RATE'
  | 'ERR_VERIFIER_ORDER'
  | 'ERR_VERIFIER_SUPPLY'
  | 'ERR_VERIFIER_LIMIT'
  | 'ERR_VERIFIER_DEADLINE'
  | 'ERR_VERIFIER_NOT_ENROLLED'
  | 'ERR_VERIFIER_UNKNOWN_KEY'
  | 'ERR_VERIFIER_CERTIFICATE_EXPIRED'
  | 'ERR_VERIFIER_EK_REVOKED'
  | 'ERR_VERIFIER_IDENTITY'
  | 'ERR_VERIFIER_TLS_BINDING'
  | 'ERR_VERIFIER_NO_QUOTE'
  | 'ERR_VERIFIER_NONCE'
  | 'ERR_VERIFIER_REPLAY'
  | 'ERR_VERIFIER_FORK'
  | 'ERR_VERIFIER_TPM_ROLLBACK'
  | 'ERR_VERIFIER_INTERNAL';

/**
 * The verifier's surroundings failed or a peer was refused; `code` says which and is stable, the message is a sentence
 * for people that says what to do where something can be done. Foreign bytes that do not parse are `EvidenceError`.
 */
export class VerifierError extends Error {
  override readonly name = 'VerifierError';
  readonly code: VerifierErrorCode;

  constructor(code: VerifierErrorCode, message: string, options?: { cause?: unknown }) {
    super(message, options);
    this.code = code;
  }
}
