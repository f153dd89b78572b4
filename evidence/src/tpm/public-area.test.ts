import assert from 'node:assert/strict';
import { createPublicKey, generateKeyPairSync } from 'node:crypto';
import { test } from 'node:test';
import { BinaryWriter } from '../encoding/binary-writer.ts';
import { assertSurvivesHostileBytes, evidenceError, isAccepted } from '../testing/foreign-bytes.test.ts';
import { AK_ATTRIBUTES, createSimulatedKey, EK_ATTRIBUTES } from '../testing/simulated-tpm.test.ts';
import { readVector } from '../testing/vectors.test.ts';
import { publicToKeyObject } from './key-object.ts';
import { encodeAkTemplate, encodeSigningTemplate } from './key-template.ts';
import { encodeAttributes } from './object-attributes.ts';
import { computeAkQualifiedName, computeName, computeQualifiedName } from './object-name.ts';
import { parsePublic } from './public-area.ts';

const ekBytes = readVector('measured-boot/plain-uki/ek.pub').subarray(2);
const akName = readVector('measured-boot/plain-uki/ak.name');

function encodeRsa(modulus: Buffer, { keyBits = modulus.length * 8, exponent = 0 } = {}): Buffer {
  const attributes = encodeAttributes(EK_ATTRIBUTES);
  return new BinaryWriter()
    .u16(0x0001)
    .u16(0x000b)
    .u32(attributes)
    .sized16(Buffer.alloc(0))
    .u16(0x0006)
    .u16(128)
    .u16(0x0043)
    .u16(0x0010)
    .u16(keyBits)
    .u32(exponent)
    .sized16(modulus)
    .finish();
}

test('reads a recorded endorsement key', () => {
  const ek = parsePublic(ekBytes);
  assert.equal(ek.type === 'ecc' && ek.curve, 'P-256');
  assert.deepEqual(ek.symmetric, { algorithm: 'aes', keyBits: 128 });
  assert.equal(ek.scheme, null);
  assert.ok(ek.attributes.restricted && ek.attributes.decrypt && ek.attributes.adminWithPolicy && !ek.attributes.sign);
});

test('the Qualified Name of a recorded AK is the signer of its quote', () => {
  const ekName = computeName(parsePublic(ekBytes));
  const handle = Buffer.from('4000000b', 'hex');
  const parent = computeQualifiedName(handle, ekName, 'sha256');
  const quoted = readVector('measured-boot/plain-uki/quote.msg').subarray(8, 8 + 34);
  assert.deepEqual(computeQualifiedName(parent, akName, 'sha256'), quoted);
});

test('a Name carries its algorithm and changes with every bit of the public area', () => {
  const key = createSimulatedKey(AK_ATTRIBUTES, { curve: 'P-384', nameAlg: 0x000c });
  const name = computeName(parsePublic(key.public));
  assert.equal(name.length, 50);
  assert.equal(name.readUInt16BE(), 0x000c);
  assert.equal(computeAkQualifiedName(akName, 'sha256', parsePublic(key.public)).readUInt16BE(), 0x000c);
});

test('an ECC key becomes the same KeyObject', () => {
  for (const curve of ['P-256', 'P-384'] as const) {
    const key = createSimulatedKey(AK_ATTRIBUTES, { curve });
    assert.ok(publicToKeyObject(parsePublic(key.public)).equals(key.publicKey));
  }
});

test('an RSA key becomes the same KeyObject', () => {
  const { publicKey } = generateKeyPairSync('rsa', { modulusLength: 2048 });
  const modulus = Buffer.from(publicKey.export({ format: 'jwk' }).n ?? '', 'base64url');
  const parsed = parsePublic(encodeRsa(modulus));
  assert.equal(parsed.type === 'rsa' && parsed.exponent, 65537);
  assert.ok(publicToKeyObject(parsed).equals(createPublicKey(publicKey.export({ type: 'spki', format: 'pem' }))));
});

test('coordinates with stripped zeros are padded again', () => {
  const { public: bytes, publicKey } = createSimulatedKey(AK_ATTRIBUTES);
  const { x = '', y = '' } = publicKey.export({ format: 'jwk' });
  const head = bytes.subarray(0, bytes.length - 68);
  const short = Buffer.concat([
    head,
    new BinaryWriter().sized16(Buffer.from(x, 'base64url').subarray(1)).sized16(Buffer.from(y, 'base64url')).finish(),
  ]);
  const parsed = parsePublic(short);
  assert.equal(parsed.type === 'ecc' && parsed.x.length, 32);
});

test('a weak or impossible key does not become a KeyObject', () => {
  const strong = Buffer.alloc(256, 0xff);
  const off = createSimulatedKey(AK_ATTRIBUTES).public;
  off.writeUInt8(off.readUInt8(off.length - 1) ^ 1, off.length - 1);
  const zeroTop = Buffer.alloc(256, 0xff).fill(0, 0, 1);
  for (const bytes of [
    encodeRsa(Buffer.alloc(128, 0xff)),
    encodeRsa(strong, { exponent: 3 }),
    encodeRsa(strong, { exponent: 65538 }),
    encodeRsa(zeroTop),
    off,
  ]) {
    assert.throws(() => publicToKeyObject(parsePublic(bytes)), evidenceError('ERR_EVIDENCE_KEY'));
  }
});

test('a modulus of another length than the key says is refused', () => {
  assert.throws(
    () => parsePublic(encodeRsa(Buffer.alloc(256, 1), { keyBits: 3072 })),
    evidenceError('ERR_EVIDENCE_MALFORMED'),
  );
});

test('reserved attribute bits are refused', () => {
  for (const bit of [0, 3, 8, 9, 12, 20, 31]) {
    const bytes = Buffer.from(ekBytes);
    bytes.writeUInt32BE((bytes.readUInt32BE(4) | (1 << bit)) >>> 0, 4);
    assert.throws(() => parsePublic(bytes), evidenceError('ERR_EVIDENCE_MALFORMED'), `bit ${bit}`);
  }
});

test('templates are public areas of the keys that they ask for', () => {
  const ak = parsePublic(encodeAkTemplate());
  const signing = parsePublic(encodeSigningTemplate());
  assert.ok(ak.attributes.restricted && ak.attributes.sign && !ak.attributes.decrypt);
  assert.ok(!signing.attributes.restricted && signing.attributes.sign);
  assert.deepEqual(signing.scheme, { name: 'ecdsa', hash: 'sha256' });
});

test('hostile bytes end in EvidenceError only, key import included', () => {
  const toKey = (bytes: Buffer) => {
    const key = parsePublic(bytes);
    isAccepted(() => publicToKeyObject(key), bytes);
  };
  assertSurvivesHostileBytes(toKey, ekBytes);
  assertSurvivesHostileBytes(toKey, encodeRsa(Buffer.alloc(256, 0x81)), { flipStep: 7 });
});
