import assert from 'node:assert/strict';
import { createHmac } from 'node:crypto';
import { test } from 'node:test';
import { createNonceIssuer, type NonceDeps, type NonceScope } from './nonce-issuer.ts';

const scope: NonceScope = { verifierId: 'v', ueid: 'Aa', purpose: 'evidence' };

function createIssuer(overrides: Partial<NonceDeps> = {}) {
  return createNonceIssuer({
    key: Buffer.alloc(32, 7),
    lifetimeMs: 60_000,
    now: () => 1_000_000,
    randomBytes: (size) => Buffer.alloc(size, 9),
    ...overrides,
  });
}

test('a nonce is fresh for its own scope until it expires', () => {
  const { nonce, expiresAtMs } = createIssuer().issue(scope);
  assert.equal(expiresAtMs, 1_060_000);
  assert.equal(createIssuer().judge(nonce, scope), 'fresh');
  assert.equal(createIssuer({ now: () => 1_059_999 }).judge(nonce, scope), 'fresh');
  assert.equal(createIssuer({ now: () => 1_060_000 }).judge(nonce, scope), 'expired');
});

test('a nonce has a length that eat_nonce allows', () => {
  assert.match(createIssuer().issue(scope).nonce, /^[A-Za-z0-9_-]{43,88}$/);
});

test('a nonce of another kube node or verifier is refused', () => {
  const { nonce } = createIssuer().issue(scope);
  assert.equal(createIssuer().judge(nonce, { ...scope, ueid: 'Ab' }), 'refused');
  assert.equal(createIssuer().judge(nonce, { ...scope, verifierId: 'w' }), 'refused');
  assert.equal(createIssuer().judge(nonce, { ...scope, verifierId: 'vA', ueid: 'a' }), 'refused');
});

test('a nonce made with another key is foreign', () => {
  const { nonce } = createIssuer({ key: Buffer.alloc(32, 8) }).issue(scope);
  assert.equal(createIssuer().judge(nonce, scope), 'foreign');
});

test('no flipped bit leaves a nonce fresh', () => {
  const issuer = createIssuer();
  const bytes = Buffer.from(issuer.issue(scope).nonce, 'base64url');
  for (let bit = 0; bit < bytes.length * 8; bit += 1) {
    const flipped = Buffer.from(bytes);
    flipped[bit >> 3] = (flipped[bit >> 3] ?? 0) ^ (1 << (bit & 7));
    const state = issuer.judge(flipped.toString('base64url'), scope);
    assert.ok(state === 'refused' || state === 'foreign', `bit ${bit} gives ${state}`);
  }
});

test('no truncation and no text that does not round-trip is fresh', () => {
  const issuer = createIssuer();
  const { nonce } = issuer.issue(scope);
  for (let size = 0; size < nonce.length; size += 1)
    assert.notEqual(issuer.judge(nonce.slice(0, size), scope), 'fresh');
  const last = nonce.at(-1) ?? '';
  const alphabet = 'ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-_';
  const other = alphabet[alphabet.indexOf(last) ^ 1] ?? '';
  for (const text of [`${nonce}=`, ` ${nonce}`, `${nonce.slice(0, -1)}${other}`]) {
    assert.equal(issuer.judge(text, scope), 'foreign');
  }
});

test('a short key and a long life are refused at once', () => {
  assert.throws(() => createIssuer({ key: Buffer.alloc(31) }), TypeError);
  assert.throws(() => createIssuer({ lifetimeMs: 60_001 }), TypeError);
  assert.throws(() => createIssuer({ lifetimeMs: Number.NaN }), TypeError);
});

test('every nonce has random bytes of its own', () => {
  let drawn = 0;
  const issuer = createIssuer({ randomBytes: (size) => Buffer.from(Array.from({ length: size }, () => drawn++ >> 4)) });
  const nonces = Array.from({ length: 200 }, () => issuer.issue(scope).nonce);
  assert.equal(new Set(nonces).size, 200);
  assert.ok(nonces.every((nonce) => issuer.judge(nonce, scope) === 'fresh'));
});

test('the MAC is that of the fields one behind the other, each with its length', () => {
  const wide: NonceScope = { verifierId: 'prüfer', ueid: 'Aa', purpose: 'evidence' };
  const bytes = Buffer.from(createIssuer().issue(wide).nonce, 'base64url');
  const mac = createHmac('sha256', Buffer.alloc(32, 7)).update('holdfast-nonce-v1\0').update(bytes.subarray(0, 26));
  for (const field of ['prüfer', 'Aa', 'evidence']) {
    const size = Buffer.alloc(4);
    size.writeUInt32BE(Buffer.byteLength(field));
    mac.update(size).update(field);
  }
  assert.deepEqual(bytes.subarray(26), mac.digest());
});
