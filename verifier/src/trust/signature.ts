import { constants, type KeyObject, sign, verify } from 'node:crypto';
import type { TrustAlgorithm } from './trust.ts';

/** ECDSA signatures come as DER in DSSE and as r‖s in JWS. */
export type EcdsaEncoding = 'der' | 'ieee-p1363';

const HASHES: Record<TrustAlgorithm, string | null> = {
  ES256: 'sha256',
  ES384: 'sha384',
  EdDSA: null,
  RS256: 'sha256',
  PS256: 'sha256',
};

function keyInput(algorithm: TrustAlgorithm, key: KeyObject, encoding: EcdsaEncoding) {
  if (algorithm === 'RS256') return { key, padding: constants.RSA_PKCS1_PADDING };
  if (algorithm === 'PS256') {
    return { key, padding: constants.RSA_PKCS1_PSS_PADDING, saltLength: constants.RSA_PSS_SALTLEN_DIGEST };
  }
  return { key, dsaEncoding: encoding };
}

/** Whether `signature` over `data` is by `key` under the algorithm that is pinned to it. Never throws on foreign bytes. */
export function isSignedBy(
  data: Uint8Array,
  signature: Uint8Array,
  key: { readonly publicKey: KeyObject; readonly algorithm: TrustAlgorithm },
  encoding: EcdsaEncoding,
): boolean {
  try {
    return verify(HASHES[key.algorithm], data, keyInput(key.algorithm, key.publicKey, encoding), signature);
  } catch {
    // OpenSSL reports some malformed signatures as errors and others as false: both mean no.
    return false;
  }
}

/** Signs `data` with a private key. Throws `TypeError` when the key is not private. */
export function signBytes(
  data: Uint8Array,
  key: KeyObject,
  algorithm: TrustAlgorithm,
  encoding: EcdsaEncoding,
): Buffer {
  if (key.type !== 'private') throw new TypeError('a private key is needed to sign');
  return sign(HASHES[algorithm], data, keyInput(algorithm, key, encoding));
}
