import { generateKeyPairSync, type KeyObject } from 'node:crypto';
import { loadTrust } from './load-trust.ts';
import type { Trust } from './trust.ts';

/** A time at which everything made here is valid. */
export const NOW = Date.parse('2026-06-01T00:00:00Z');

interface KeyPair {
  readonly privateKey: KeyObject;
  readonly publicKey: KeyObject;
}

export const makeP256 = (): KeyPair => generateKeyPairSync('ec', { namedCurve: 'P-256' });
export const makeP384 = (): KeyPair => generateKeyPairSync('ec', { namedCurve: 'P-384' });
export const makeEd25519 = (): KeyPair => generateKeyPairSync('ed25519');
export const makeRsa = (modulusLength: number): KeyPair => generateKeyPairSync('rsa', { modulusLength });

export const toPem = (key: KeyObject): string => String(key.export({ type: 'spki', format: 'pem' }));

/** An entry of the trust file, valid at `NOW` for everything of its role. */
export function describeKey(publicKey: KeyObject, changes: Record<string, unknown> = {}): Record<string, unknown> {
  return {
    id: 'build-key',
    role: 'sbom',
    environment: 'production',
    publicKey: toPem(publicKey),
    scope: ['*'],
    validFrom: '2026-01-01T00:00:00Z',
    validUntil: '2027-01-01T00:00:00Z',
    ...changes,
  };
}

/** A trust file, valid at `NOW`. */
export function describeTrust(
  keys: readonly Record<string, unknown>[],
  changes: Record<string, unknown> = {},
): Record<string, unknown> {
  return {
    format: 'holdfast-trust-v1',
    version: 7,
    expires: '2026-12-31T00:00:00Z',
    environment: 'production',
    keys,
    eks: [],
    ekRoots: [],
    ...changes,
  };
}

export function makeTrust(keys: readonly Record<string, unknown>[], changes: Record<string, unknown> = {}): Trust {
  return loadTrust(Buffer.from(JSON.stringify(describeTrust(keys, changes))));
}

/** Deterministic bytes for fuzzing: xorshift32. */
export function makeRandom(seed: number): () => number {
  let state = seed;
  return () => {
    state ^= state << 13;
    state ^= state >>> 17;
    state ^= state << 5;
    return state >>> 0;
  };
}

/** Foreign bytes derived from good ones: every prefix, single bit flips, and seeded random splices. */
export function* mutate(good: Buffer, step: number): Generator<Buffer> {
  for (let end = 0; end < good.length; end += step) yield good.subarray(0, end);
  const random = makeRandom(0x9e3779b9);
  for (let at = 0; at < good.length; at += step) {
    const flipped = Buffer.from(good);
    flipped.writeUInt8(flipped.readUInt8(at) ^ (1 << (random() % 8)), at);
    yield flipped;
  }
  for (let round = 0; round < 200; round++) {
    const bytes = Buffer.from(good);
    for (let change = 0; change < 8; change++) bytes.writeUInt8(random() % 256, random() % bytes.length);
    yield bytes.subarray(random() % 16);
  }
}
