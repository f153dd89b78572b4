import { createPublicKey, type JsonWebKey, type KeyObject } from 'node:crypto';
import { EvidenceError } from '../evidence-error.ts';
import type { RsaPublic, TpmPublic } from './public-area.ts';

/**
 * The public key of a TPM object for node:crypto. Costs about as much as a signature check: callers that verify often
 * keep it.
 *
 * Throws `EvidenceError` ERR_EVIDENCE_KEY for RSA below 2048 bits or with an exponent that is even or below 65537, or
 * a point that is not on its curve.
 */
export function publicToKeyObject(publicArea: TpmPublic): KeyObject {
  if (publicArea.type === 'rsa' && isWeak(publicArea)) {
    throw new EvidenceError('ERR_EVIDENCE_KEY', 'RSA key is too weak');
  }
  try {
    return createPublicKey({ key: toJwk(publicArea), format: 'jwk' });
  } catch (cause) {
    throw new EvidenceError('ERR_EVIDENCE_KEY', 'public key is not valid', { cause });
  }
}

function toJwk(publicArea: TpmPublic): JsonWebKey {
  if (publicArea.type === 'ecc') {
    return {
      kty: 'EC',
      crv: publicArea.curve,
      x: publicArea.x.toString('base64url'),
      y: publicArea.y.toString('base64url'),
    };
  }
  const exponent = Buffer.alloc(4);
  exponent.writeUInt32BE(publicArea.exponent);
  return {
    kty: 'RSA',
    n: publicArea.modulus.toString('base64url'),
    e: exponent.subarray(exponent.findIndex((byte) => byte !== 0)).toString('base64url'),
  };
}

function isWeak({ keyBits, exponent, modulus }: RsaPublic): boolean {
  const isShort = keyBits < 2048 || ((modulus[0] ?? 0) & 0x80) === 0;
  return isShort || exponent < 65537 || exponent % 2 === 0;
}
