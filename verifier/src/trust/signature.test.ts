import assert from 'node:assert/strict';
import { generateKeyPairSync, type KeyObject, sign } from 'node:crypto';
import { test } from 'node:test';
import { pinAlgorithm } from './pin-algorithm.ts';
import { isSignedBy, signBytes } from './signature.ts';
import { makeEd25519, makeP256, makeP384, makeRsa } from './trust.fixture.ts';
import type { TrustAlgorithm } from './trust.ts';

const data = Buffer.from('data');
const rsa = makeRsa(2048);
const CASES: [TrustAlgorithm, { privateKey: KeyObject; publicKey: KeyObject }][] = [
  ['ES256', makeP256()],
  ['ES384', makeP384()],
  ['EdDSA', makeEd25519()],
  ['RS256', rsa],
  ['PS256', rsa],
];

for (const [algorithm, { privateKey, publicKey }] of CASES) {
  test(`${algorithm} signs and verifies in both encodings, and one flipped bit is found`, () => {
    for (const encoding of ['der', 'ieee-p1363'] as const) {
      const signature = signBytes(data, privateKey, algorithm, encoding);
      assert.ok(isSignedBy(data, signature, { publicKey, algorithm }, encoding));
      assert.ok(!isSignedBy(Buffer.from('Data'), signature, { publicKey, algorithm }, encoding));
      signature.writeUInt8(signature.readUInt8(signature.length - 1) ^ 1, signature.length - 1);
      assert.ok(!isSignedBy(data, signature, { publicKey, algorithm }, encoding));
    }
  });

  test(`${algorithm} refuses an empty and a truncated signature without throwing`, () => {
    const signature = signBytes(data, privateKey, algorithm, 'der');
    for (const length of [0, 1, signature.length - 1]) {
      assert.ok(!isSignedBy(data, signature.subarray(0, length), { publicKey, algorithm }, 'der'));
    }
  });
}

test('a signature under another algorithm of the same key does not count', () => {
  const signature = signBytes(data, rsa.privateKey, 'RS256', 'der');
  assert.ok(!isSignedBy(data, signature, { publicKey: rsa.publicKey, algorithm: 'PS256' }, 'der'));
});

test('a P-384 key is pinned to SHA-384, whatever OpenSSL would take by default', () => {
  const { privateKey, publicKey } = makeP384();
  const weaker = sign('sha256', data, privateKey);
  assert.ok(!isSignedBy(data, weaker, { publicKey, algorithm: 'ES384' }, 'der'));
});

test('a public key cannot sign', () => {
  assert.throws(() => signBytes(data, rsa.publicKey, 'RS256', 'der'), TypeError);
});

test('keys of other kinds and sizes have no algorithm', () => {
  assert.equal(pinAlgorithm(generateKeyPairSync('ec', { namedCurve: 'P-521' }).publicKey), undefined);
  assert.equal(pinAlgorithm(generateKeyPairSync('ec', { namedCurve: 'secp256k1' }).publicKey), undefined);
  assert.equal(pinAlgorithm(generateKeyPairSync('ed448').publicKey), undefined);
  assert.equal(pinAlgorithm(generateKeyPairSync('x25519').publicKey), undefined);
  assert.equal(pinAlgorithm(makeRsa(1024).publicKey), undefined);
  assert.equal(pinAlgorithm(rsa.publicKey, 'ES256'), undefined);
  const pss = generateKeyPairSync('rsa-pss', {
    modulusLength: 2048,
    hashAlgorithm: 'sha512',
    mgf1HashAlgorithm: 'sha512',
  });
  assert.equal(pinAlgorithm(pss.publicKey), undefined);
  assert.equal(pinAlgorithm(generateKeyPairSync('rsa-pss', { modulusLength: 2048 }).publicKey), 'PS256');
});
