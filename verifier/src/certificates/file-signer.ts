import { createPublicKey, type KeyObject } from 'node:crypto';
import { computeKid, exportSigningJwk } from '@holdfast/evidence';
import { createKeySigner } from '../ear/key-signer.ts';
import type { Signer } from '../ear/signer.ts';

/** Signs with a P-256 key that lies in memory; `kid` is its RFC 7638 thumbprint. Throws for another kind of key. */
export function createFileSigner(privateKey: KeyObject): Signer {
  return createKeySigner(privateKey, computeKid(exportSigningJwk(createPublicKey(privateKey))));
}
