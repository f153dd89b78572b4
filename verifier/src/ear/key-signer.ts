import type { KeyObject } from 'node:crypto';
import { pinAlgorithm } from '../trust/pin-algorithm.ts';
import { signBytes } from '../trust/signature.ts';
import type { Signer } from './signer.ts';

/**
 * A `Signer` over a private key in memory: for development and tests. RSA keys sign as PS256.
 *
 * Throws `TypeError` when the key is not private or none of P-256, P-384, Ed25519 and RSA of 2048 bits or more.
 */
export function createKeySigner(key: KeyObject, kid: string): Signer {
  const algorithm = pinAlgorithm(key, key.asymmetricKeyType === 'rsa' ? 'PS256' : undefined);
  if (key.type !== 'private' || algorithm === undefined || algorithm === 'RS256') {
    throw new TypeError('a signer needs a private key: P-256, P-384, Ed25519, or RSA of 2048 bits or more');
  }
  return { alg: algorithm, kid, sign: async (bytes) => signBytes(bytes, key, algorithm, 'ieee-p1363') };
}
