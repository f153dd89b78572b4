import type { KeyRefusal } from '../trust/trust.ts';
import { VerifierError } from '../verifier-error.ts';

/** Why an Attestation Result was refused: stable, one row each in docs/protocol.md. */
export type EarReason =
  | KeyRefusal
  | 'MALFORMED'
  | 'ALGORITHM'
  | 'BAD_SIGNATURE'
  | 'PROFILE'
  | 'STALE'
  | 'NONCE'
  | 'STATUS';

/** An Attestation Result that does not count; `reason` is stable and finer than `code`. */
export class EarRefused extends VerifierError {
  readonly reason: EarReason;

  constructor(reason: EarReason, message: string, options?: { cause?: unknown }) {
    super('ERR_VERIFIER_EAR', `The Attestation Result was refused: ${message}.`, options);
    this.reason = reason;
  }
}
