import { EvidenceError } from '../evidence-error.ts';
import type { TokenClaims } from './token-claims.ts';

/** The nonces that a payload carries; none where no challenge could be had. */
export function listNonces({ eat_nonce: nonce }: Pick<TokenClaims, 'eat_nonce'>): readonly string[] {
  if (nonce === undefined) return [];
  return typeof nonce === 'string' ? [nonce] : nonce;
}

/**
 * Checks that a token answers this challenge. Whether the nonce is still good and was asked of this kube node is the
 * caller's to know.
 *
 * Throws `EvidenceError` ERR_EVIDENCE_NONCE.
 */
export function checkNonce(claims: Pick<TokenClaims, 'eat_nonce'>, expected: string): void {
  if (!listNonces(claims).includes(expected)) {
    throw new EvidenceError('ERR_EVIDENCE_NONCE', 'token does not carry the expected nonce');
  }
}
