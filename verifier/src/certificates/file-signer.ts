import { createHash, createPublicKey, type KeyObject, sign } from 'node:crypto';
import type { Signer } from '../ear/signer.ts';

/** Signs with a P-256 key that lies in memory: for development and small set-ups. `kid` is the RFC 7638 thumbprint. */
export function createFileSigner(privateKey: KeyObject): Signer {
  const kid = computeThumbprint(createPublicKey(privateKey));
  return {
    alg: 'ES256',
    kid,
    sign: async (bytes) => sign('sha256', bytes, { key: privateKey, dsaEncoding: 'ieee-p1363' }),
  };
}

/** RFC 7638 thumbprint of a public EC key, base64url of SHA-256. Throws `TypeError` for another kind of key. */
export function computeThumbprint(publicKey: KeyObject): string {
  const { kty, crv, x, y } = publicKey.export({ format: 'jwk' });
  if (kty !== 'EC') throw new TypeError('not an EC key');
  return createHash('sha256').update(JSON.stringify({ crv, kty, x, y })).digest('base64url');
}
