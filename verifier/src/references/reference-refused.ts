import { EvidenceError } from '@holdfast/evidence';
import { VerifierError, type VerifierErrorCode } from '../verifier-error.ts';
import type { ReferenceReason } from './reference.ts';

const CODES: Partial<Record<ReferenceReason, VerifierErrorCode>> = {
  BAD_SIGNATURE: 'ERR_VERIFIER_REFERENCE_SIGNATURE',
  TRUST_EXPIRED: 'ERR_VERIFIER_REFERENCE_KEY',
  KEY_UNKNOWN: 'ERR_VERIFIER_REFERENCE_KEY',
  KEY_ROLE: 'ERR_VERIFIER_REFERENCE_KEY',
  KEY_ENVIRONMENT: 'ERR_VERIFIER_REFERENCE_KEY',
  KEY_REVOKED: 'ERR_VERIFIER_REFERENCE_KEY',
  KEY_EXPIRED: 'ERR_VERIFIER_REFERENCE_KEY',
  KEY_SCOPE: 'ERR_VERIFIER_REFERENCE_SCOPE',
};

/**
 * A reference that does not count; `reason` is stable and finer than `code`.
 *
 * The message is a sentence for people and never holds the refused bytes.
 */
export class ReferenceRefused extends VerifierError {
  readonly reason: ReferenceReason;

  constructor(reason: ReferenceReason, message: string, options?: { cause?: unknown }) {
    super(CODES[reason] ?? 'ERR_VERIFIER_REFERENCE', message, options);
    this.reason = reason;
  }
}

/** Runs a parser of foreign bytes; what it refuses becomes a `ReferenceRefused` MALFORMED or LIMIT. */
export function refuseMalformed<T>(parse: () => T): T {
  try {
    return parse();
  } catch (error) {
    if (!(error instanceof EvidenceError)) throw error;
    const reason = error.code === 'ERR_EVIDENCE_LIMIT' ? 'LIMIT' : 'MALFORMED';
    throw new ReferenceRefused(reason, `The reference was refused: ${error.message}.`, { cause: error });
  }
}

/** For `FieldReader`. */
export const malformedReference = (message: string) =>
  new ReferenceRefused('MALFORMED', `The reference was refused: ${message}.`);
