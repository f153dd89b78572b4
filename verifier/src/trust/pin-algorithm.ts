import type { KeyObject } from 'node:crypto';
import type { TrustAlgorithm } from './trust.ts';

/** Smallest RSA modulus, as in NIST SP 800-131A. */
const MIN_RSA_BITS = 2048;
/** Larger moduli only slow the verifier down. */
const MAX_RSA_BITS = 8192;

/**
 * The one algorithm that a key is used with: P-256 with SHA-256, P-384 with SHA-384, Ed25519, RSA of 2048 to 8192 bits
 * with SHA-256, PKCS #1 v1.5 unless `wanted` is PS256 or the key itself is for PSS only.
 *
 * Returns undefined when key or wish do not fit.
 */
export function pinAlgorithm(key: KeyObject, wanted?: TrustAlgorithm): TrustAlgorithm | undefined {
  const possible = possibleAlgorithms(key);
  return wanted === undefined ? possible[0] : possible.find((algorithm) => algorithm === wanted);
}

function possibleAlgorithms(key: KeyObject): TrustAlgorithm[] {
  const details = key.asymmetricKeyDetails;
  const bits = details?.modulusLength ?? 0;
  const fits = bits >= MIN_RSA_BITS && bits <= MAX_RSA_BITS;
  switch (key.asymmetricKeyType) {
    case 'ec':
      if (details?.namedCurve === 'prime256v1') return ['ES256'];
      return details?.namedCurve === 'secp384r1' ? ['ES384'] : [];
    case 'ed25519':
      return ['EdDSA'];
    case 'rsa':
      return fits ? ['RS256', 'PS256'] : [];
    case 'rsa-pss':
      return fits && isSha256Pss(details) ? ['PS256'] : [];
    default:
      return [];
  }
}

function isSha256Pss(details: KeyObject['asymmetricKeyDetails']): boolean {
  return (details?.hashAlgorithm ?? 'sha256') === 'sha256' && (details?.mgf1HashAlgorithm ?? 'sha256') === 'sha256';
}
