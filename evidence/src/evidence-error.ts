/** Every way in which foreign data can be refused by this package. One row each in docs/protocol.md. */
export type EvidenceErrorCode =
  | 'ERR_EVIDENCE_ENCODING'
  | 'ERR_EVIDENCE_LIMIT'
  | 'ERR_EVIDENCE_MALFORMED'
  | 'ERR_EVIDENCE_PROFILE'
  | 'ERR_EVIDENCE_SIGNATURE'
  | 'ERR_EVIDENCE_QUOTE'
  | 'ERR_EVIDENCE_BINDING'
  | 'ERR_EVIDENCE_NONCE'
  | 'ERR_EVIDENCE_KEY'
  | 'ERR_EVIDENCE_DIGEST'
  | 'ERR_EVIDENCE_CLAIMS';

/**
 * Foreign bytes that were refused.
 *
 * Thrown by parsers and verifiers of this package and by nothing else in it: wrong arguments of the caller are a
 * `TypeError`. The message is for people and never holds the refused bytes themselves.
 */
export class EvidenceError extends Error {
  override readonly name = 'EvidenceError';
  readonly code: EvidenceErrorCode;

  constructor(code: EvidenceErrorCode, message: string, options?: { cause?: unknown }) {
    super(message, options);
    this.code = code;
  }
}
