import { createHash, type JsonWebKey, type KeyObject } from 'node:crypto';
import { EvidenceError } from '../evidence-error.ts';
import type { SigningJwk } from './token-claims.ts';

const RAND = Buffer.of(1);
const WITHOUT_TPM = Buffer.from('holdfast-no-tpm-v1\0', 'ascii');

/** The `ueid` of a kube node with a TPM: base64url of 0x01 and the SHA-256 of the EK Name. RFC 9711, 4.2.1. */
export function computeUeid(ekName: Uint8Array): string {
  return Buffer.concat([RAND, createHash('sha256').update(ekName).digest()]).toString('base64url');
}

/** The `ueid` of a kube node without a TPM, from the thumbprint of its signing key; never that of any EK. */
export function computeUeidWithoutTpm(kid: string): string {
  return Buffer.concat([RAND, createHash('sha256').update(WITHOUT_TPM).update(kid, 'ascii').digest()]).toString(
    'base64url',
  );
}

/** RFC 7638 thumbprint (SHA-256, base64url) of a signing key: its `kid`. */
export function computeKid({ kty, crv, x, y }: SigningJwk): string {
  return createHash('sha256').update(JSON.stringify({ crv, kty, x, y })).digest('base64url');
}

/**
 * The JWK of a P-256 public key, as `cnf` holds it.
 *
 * Throws `EvidenceError` ERR_EVIDENCE_KEY for any other key.
 */
export function exportSigningJwk(key: KeyObject): SigningJwk {
  if (key.type !== 'public' || key.asymmetricKeyDetails?.namedCurve !== 'prime256v1') {
    throw new EvidenceError('ERR_EVIDENCE_KEY', 'signing key is not a P-256 public key');
  }
  const { x, y }: JsonWebKey = key.export({ format: 'jwk' });
  if (x === undefined || y === undefined) throw new EvidenceError('ERR_EVIDENCE_KEY', 'signing key has no point');
  return { kty: 'EC', crv: 'P-256', x, y };
}
