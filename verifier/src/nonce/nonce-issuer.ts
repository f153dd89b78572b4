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
  const computeMac = (head: Uint8Array, scope: NonceScope): Buffer => {
    const mac = createHmac('sha256', macKey).update('holdfast-nonce-v1\0').update(head);
    for (const field of [scope.verifierId, scope.ueid, scope.purpose]) {
      const bytes = Buffer.from(field, 'utf8');
      const size = Buffer.alloc(4);
      size.writeUInt32BE(bytes.length);
      mac.update(size).update(bytes);
    }
    return mac.digest();
  };
  return {
    issue: (scope) => {
      const expiresAtMs = deps.now() + deps.lifetimeMs;
      const expiry = Buffer.alloc(EXPIRY_BYTES);
      expiry.writeUIntBE(expiresAtMs, 0, EXPIRY_BYTES);
      const head = Buffer.concat([keyId, expiry, deps.randomBytes(RANDOM_BYTES)]);
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
