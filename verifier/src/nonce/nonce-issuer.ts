import { createHash, createHmac, createSecretKey, timingSafeEqual } from 'node:crypto';

/** What a nonce is for; one made for one purpose never serves another. */
export type NoncePurpose = 'evidence';

/** For whom and for what a nonce is made. */
export interface NonceScope {
  readonly verifierId: string;
  readonly ueid: string;
  readonly purpose: NoncePurpose;
}

/**
 * What a nonce turned out to be. `foreign` was not made with this key, so perhaps by another verifier; `refused` claims
 * this key but does not hold for this scope: it was forged, or made for another kube node or purpose.
 */
export type NonceState = 'fresh' | 'expired' | 'foreign' | 'refused';

/** Issues nonces and judges them without keeping any: every replica with the same key can check them. */
export interface NonceIssuer {
  issue(scope: NonceScope): { nonce: string; expiresAtMs: number };
  judge(nonce: string, scope: NonceScope): NonceState;
}

export interface NonceDeps {
  /** 32 bytes, shared by the replicas of one verifier. */
  readonly key: Uint8Array;
  /** At most 60,000. */
  readonly lifetimeMs: number;
  /** Milliseconds since 1970. */
  readonly now: () => number;
  readonly randomBytes: (size: number) => Uint8Array;
}

const KEY_ID_BYTES = 4;
const EXPIRY_BYTES = 6;
const RANDOM_BYTES = 16;
const MAC_BYTES = 32;
const MAC_AT = KEY_ID_BYTES + EXPIRY_BYTES + RANDOM_BYTES;
const NONCE_BYTES = MAC_AT + MAC_BYTES;
const MAX_LIFETIME_MS = 60_000;
const NONCES_IN_POOL = 64;
const DOMAIN = Buffer.from('holdfast-nonce-v1\0', 'ascii');

/**
 * Creates an issuer of nonces: base64url of key id, expiry, 16 random bytes and an HMAC-SHA-256 over all of them, the
 * verifier's name, the ueid and the purpose. Single use comes from the chain head in the store, not from here.
 * Throws `TypeError` for a short key or a lifetime above a minute.
 */
export function createNonceIssuer(deps: NonceDeps): NonceIssuer {
  if (deps.key.length !== 32) throw new TypeError('a nonce key has 32 bytes');
  if (!(deps.lifetimeMs > 0 && deps.lifetimeMs <= MAX_LIFETIME_MS)) throw new TypeError('a nonce lives at most 60 s');
  const keyId = createHash('sha256').update('holdfast-nonce-key\0').update(deps.key).digest().subarray(0, KEY_ID_BYTES);
  // A key object made once: raw bytes are made into one for every HMAC.
  const macKey = createSecretKey(deps.key);
  const computeMac = (head: Uint8Array, scope: NonceScope): Buffer =>
    createHmac('sha256', macKey).update(encodeMessage(head, scope)).digest();
  const takeRandom = createRandomPool(deps.randomBytes);
  return {
    issue: (scope) => {
      const expiresAtMs = deps.now() + deps.lifetimeMs;
      const expiry = Buffer.alloc(EXPIRY_BYTES);
      expiry.writeUIntBE(expiresAtMs, 0, EXPIRY_BYTES);
      const head = Buffer.concat([keyId, expiry, takeRandom()]);
      return { nonce: Buffer.concat([head, computeMac(head, scope)]).toString('base64url'), expiresAtMs };
    },
    judge: (nonce, scope) => {
      const bytes = Buffer.from(nonce, 'base64url');
      if (bytes.length !== NONCE_BYTES || bytes.toString('base64url') !== nonce) return 'foreign';
      if (!bytes.subarray(0, KEY_ID_BYTES).equals(keyId)) return 'foreign';
      const mac = computeMac(bytes.subarray(0, MAC_AT), scope);
      if (!timingSafeEqual(mac, bytes.subarray(MAC_AT))) return 'refused';
      return bytes.readUIntBE(KEY_ID_BYTES, EXPIRY_BYTES) > deps.now() ? 'fresh' : 'expired';
    },
  };
}

/** In one piece: each call of an HMAC costs more than what it hashes here. */
function encodeMessage(head: Uint8Array, scope: NonceScope): Buffer {
  const fields = [scope.verifierId, scope.ueid, scope.purpose];
  const sizes = fields.map((field) => Buffer.byteLength(field, 'utf8'));
  const bytes = Buffer.allocUnsafe(sizes.reduce((sum, size) => sum + 4 + size, DOMAIN.length + head.length));
  bytes.set(DOMAIN);
  bytes.set(head, DOMAIN.length);
  let at = DOMAIN.length + head.length;
  for (const [index, field] of fields.entries()) {
    at = bytes.writeUInt32BE(sizes[index] ?? 0, at);
    at += bytes.write(field, at, 'utf8');
  }
  return bytes;
}

/** Random bytes for one nonce after another, drawn for many at once; none is given out twice. */
function createRandomPool(randomBytes: NonceDeps['randomBytes']): () => Uint8Array {
  let pool: Uint8Array = new Uint8Array(0);
  let at = 0;
  return () => {
    if (at + RANDOM_BYTES > pool.length) {
      pool = randomBytes(RANDOM_BYTES * NONCES_IN_POOL);
      at = 0;
    }
    at += RANDOM_BYTES;
    return pool.subarray(at - RANDOM_BYTES, at);
  };
}
