import type { NonceIssuer, NonceScope } from '../nonce/nonce-issuer.ts';
import { VerifierError } from '../verifier-error.ts';

/**
 * Says whether evidence is fresh by its nonces. One fresh nonce of ours is enough, whatever other verifiers asked
 * beside it. Without one it is history: evidence of something, but not of now.
 *
 * Throws `VerifierError` ERR_VERIFIER_NONCE when a nonce claims to be ours and is not for this kube node and purpose.
 */
export function isFresh(nonces: readonly string[], issuer: NonceIssuer, scope: NonceScope): boolean {
  const states = nonces.map((nonce) => issuer.judge(nonce, scope));
  if (states.includes('refused')) {
    throw new VerifierError('ERR_VERIFIER_NONCE', 'the nonce was forged, or made for another kube node');
  }
  return states.includes('fresh');
}
