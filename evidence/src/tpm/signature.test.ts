import assert from 'node:assert/strict';
import { constants, createPublicKey, generateKeyPairSync, sign } from 'node:crypto';
import { test } from 'node:test';
import { BinaryWriter } from '../encoding/binary-writer.ts';
import { assertSurvivesHostileBytes, evidenceError } from '../testing/foreign-bytes.test.ts';
import { readVector } from '../testing/vectors.test.ts';
import { parseSignature, toRawSignature, verifySignature } from './signature.ts';

const message = readVector('measured-boot/plain-uki/quote.msg');
const recorded = readVector('measured-boot/plain-uki/quote.sig');
const recordedKey = createPublicKey(readVector('measured-boot/plain-uki/ak.pub'));
const rsa = generateKeyPairSync('rsa', { modulusLength: 2048 });

const encodeRsa = (scheme: number, hash: number, value: Uint8Array) =>
  new BinaryWriter().u16(scheme).u16(hash).sized16(value).finish();
const encodeEcdsa = (r: Uint8Array, s: Uint8Array, hash = 0x000b) =>
  new BinaryWriter().u16(0x0018).u16(hash).sized16(r).sized16(s).finish();

test('a recorded ECDSA signature verifies', () => {
  verifySignature(recordedKey, message, parseSignature(recorded));
});

test('a signature over other bytes or by another key does not', () => {
  const signature = parseSignature(recorded);
  assert.throws(
    () => verifySignature(recordedKey, message.subarray(1), signature),
    evidenceError('ERR_EVIDENCE_SIGNATURE'),
  );
  const other = generateKeyPairSync('ec', { namedCurve: 'P-256' }).publicKey;
  assert.throws(() => verifySignature(other, message, signature), evidenceError('ERR_EVIDENCE_SIGNATURE'));
});

test('RSASSA and RSAPSS verify with their own scheme only', () => {
  const pkcs1 = sign('sha256', message, rsa.privateKey);
  const pss = sign('sha256', message, {
    key: rsa.privateKey,
    padding: constants.RSA_PKCS1_PSS_PADDING,
    saltLength: 32,
  });
  verifySignature(rsa.publicKey, message, parseSignature(encodeRsa(0x0014, 0x000b, pkcs1)));
  verifySignature(rsa.publicKey, message, parseSignature(encodeRsa(0x0016, 0x000b, pss)));
  for (const [scheme, value] of [
    [0x0016, pkcs1],
    [0x0014, pss],
  ] as const) {
    const swapped = parseSignature(encodeRsa(scheme, 0x000b, value));
    assert.throws(() => verifySignature(rsa.publicKey, message, swapped), evidenceError('ERR_EVIDENCE_SIGNATURE'));
  }
});

test('ECDSA over P-384 with SHA-384 verifies', () => {
  const { privateKey, publicKey } = generateKeyPairSync('ec', { namedCurve: 'P-384' });
  const raw = sign('sha384', message, { key: privateKey, dsaEncoding: 'ieee-p1363' });
  verifySignature(publicKey, message, parseSignature(encodeEcdsa(raw.subarray(0, 48), raw.subarray(48), 0x000c)));
});

test('a scheme that does not suit the key is refused', () => {
  assert.throws(
    () => verifySignature(rsa.publicKey, message, parseSignature(recorded)),
    evidenceError('ERR_EVIDENCE_SIGNATURE'),
  );
  const pkcs1 = parseSignature(encodeRsa(0x0014, 0x000b, sign('sha256', message, rsa.privateKey)));
  assert.throws(() => verifySignature(recordedKey, message, pkcs1), evidenceError('ERR_EVIDENCE_SIGNATURE'));
  const { publicKey } = generateKeyPairSync('ed25519');
  assert.throws(() => verifySignature(publicKey, message, pkcs1), evidenceError('ERR_EVIDENCE_SIGNATURE'));
});

test('SHA-1 and SM3 signatures are refused even when they are right', () => {
  const value = sign('sha1', message, rsa.privateKey);
  const sha1 = parseSignature(encodeRsa(0x0014, 0x0004, value));
  assert.throws(() => verifySignature(rsa.publicKey, message, sha1), evidenceError('ERR_EVIDENCE_SIGNATURE'));
  const sm3 = parseSignature(encodeRsa(0x0014, 0x0012, value));
  assert.throws(() => verifySignature(rsa.publicKey, message, sm3), evidenceError('ERR_EVIDENCE_SIGNATURE'));
});

test('raw form pads short numbers, strips leading zeros and refuses long ones', () => {
  const raw = toRawSignature(
    parseSignature(encodeEcdsa(Buffer.of(1), Buffer.concat([Buffer.of(0), Buffer.alloc(32, 2)]))),
  );
  assert.equal(raw.toString('hex'), `${'00'.repeat(31)}01${'02'.repeat(32)}`);
  const long = parseSignature(encodeEcdsa(Buffer.alloc(33, 1), Buffer.of(1)));
  assert.throws(() => toRawSignature(long), evidenceError('ERR_EVIDENCE_SIGNATURE'));
  const notEcdsa = parseSignature(encodeRsa(0x0014, 0x000b, Buffer.of(1)));
  assert.throws(() => toRawSignature(notEcdsa), evidenceError('ERR_EVIDENCE_SIGNATURE'));
});

test('other schemes and hash algorithms are refused', () => {
  for (const [scheme, hash] of [
    [0x0010, 0x000b],
    [0x0005, 0x000b],
    [0x001a, 0x000b],
    [0x0018, 0x0010],
    [0x0018, 0x7777],
  ] as const) {
    assert.throws(
      () => parseSignature(encodeRsa(scheme, hash, Buffer.alloc(64))),
      evidenceError('ERR_EVIDENCE_MALFORMED'),
    );
  }
});

test('hostile bytes end in EvidenceError only', () => {
  const verifyBytes = (bytes: Buffer) => verifySignature(recordedKey, message, parseSignature(bytes));
  assertSurvivesHostileBytes(verifyBytes, recorded);
});
