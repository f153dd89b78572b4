import assert from 'node:assert/strict';
import {
  constants,
  createDecipheriv,
  createHmac,
  createPublicKey,
  diffieHellman,
  generateKeyPairSync,
  type KeyObject,
  privateDecrypt,
  randomBytes,
} from 'node:crypto';
import { test } from 'node:test';
import { BinaryReader } from '../encoding/binary-reader.ts';
import { BinaryWriter } from '../encoding/binary-writer.ts';
import { evidenceError } from '../testing/foreign-bytes.test.ts';
import { AK_ATTRIBUTES, createSimulatedKey, EK_ATTRIBUTES } from '../testing/simulated-tpm.test.ts';
import { deriveKdfa, deriveKdfe } from './kdf.ts';
import { makeCredential } from './make-credential.ts';
import { encodeAttributes } from './object-attributes.ts';
import { parsePublic, type TpmPublic } from './public-area.ts';

const name = Buffer.concat([Buffer.from('000b', 'hex'), Buffer.alloc(32, 5)]);
const secret = Buffer.alloc(32, 0x5e);

/** TPM2_ActivateCredential on the side of the TPM, by node:crypto's own OAEP and ECDH. */
function activate(
  ek: TpmPublic,
  privateKey: KeyObject,
  credential: { idObject: Buffer; encryptedSecret: Buffer },
  akName: Buffer,
): Buffer {
  const algorithm = ek.nameAlgorithm;
  const hashBytes = algorithm === 'sha384' ? 48 : 32;
  const encrypted = new BinaryReader(credential.encryptedSecret, 'big', 'secret').sized16(512);
  const seed = ek.type === 'rsa' ? decryptSeed(privateKey, encrypted) : agreeSeed(ek, privateKey, encrypted);
  const body = new BinaryReader(new BinaryReader(credential.idObject, 'big', 'id').sized16(512), 'big', 'id');
  const integrity = body.sized16(64);
  const encIdentity = body.take(body.remaining);
  const macKey = deriveKdfa({ algorithm, key: seed, label: 'INTEGRITY', bytes: hashBytes });
  assert.deepEqual(createHmac(algorithm, macKey).update(encIdentity).update(akName).digest(), integrity);
  const keyBits = ek.symmetric?.keyBits ?? 0;
  const aesKey = deriveKdfa({ algorithm, key: seed, label: 'STORAGE', contextU: akName, bytes: keyBits / 8 });
  const plain = createDecipheriv(`aes-${keyBits}-cfb`, aesKey, Buffer.alloc(16)).update(encIdentity);
  return new BinaryReader(plain, 'big', 'identity').sized16(64);
}

function decryptSeed(privateKey: KeyObject, encrypted: Buffer): Buffer {
  const options = { key: privateKey, padding: constants.RSA_PKCS1_OAEP_PADDING, oaepHash: 'sha256' };
  return privateDecrypt({ ...options, oaepLabel: Buffer.from('IDENTITY\0') }, encrypted);
}

function agreeSeed(ek: TpmPublic & { type: 'ecc' }, privateKey: KeyObject, encrypted: Buffer): Buffer {
  const point = new BinaryReader(encrypted, 'big', 'point');
  const x = point.sized16(48);
  const y = point.sized16(48);
  const jwk = { kty: 'EC', crv: ek.curve, x: x.toString('base64url'), y: y.toString('base64url') };
  const z = diffieHellman({ privateKey, publicKey: createPublicKey({ key: jwk, format: 'jwk' }) });
  const bytes = ek.nameAlgorithm === 'sha384' ? 48 : 32;
  return deriveKdfe({ algorithm: ek.nameAlgorithm, z, label: 'IDENTITY', partyU: x, partyV: ek.x, bytes });
}

function createRsaEk(): { public: Buffer; privateKey: KeyObject } {
  const { privateKey, publicKey } = generateKeyPairSync('rsa', { modulusLength: 2048 });
  const modulus = Buffer.from(publicKey.export({ format: 'jwk' }).n ?? '', 'base64url');
  const writer = new BinaryWriter().u16(1).u16(0x000b).u32(encodeAttributes(EK_ATTRIBUTES)).sized16(Buffer.alloc(0));
  writer.u16(6).u16(128).u16(0x43).u16(0x10).u16(2048).u32(0).sized16(modulus);
  return { public: writer.finish(), privateKey };
}

const eks = {
  'RSA-2048 with SHA-256': createRsaEk(),
  'P-256 with SHA-256': createSimulatedKey(EK_ATTRIBUTES, { scheme: null, aesBits: 128 }),
  'P-384 with SHA-384': createSimulatedKey(EK_ATTRIBUTES, {
    scheme: null,
    aesBits: 256,
    curve: 'P-384',
    nameAlg: 0x000c,
  }),
};
for (const [what, key] of Object.entries(eks)) {
  test(`the holder of an EK on ${what} recovers the secret`, () => {
    const ek = parsePublic(key.public);
    const credential = makeCredential({ ekPublic: ek, name, secret, random: randomBytes });
    assert.deepEqual(activate(ek, key.privateKey, credential, name), secret);
  });

  test(`a credential for an EK on ${what} does not open for another AK`, () => {
    const ek = parsePublic(key.public);
    const credential = makeCredential({ ekPublic: ek, name, secret, random: randomBytes });
    const other = Buffer.concat([name.subarray(0, 33), Buffer.of(0)]);
    assert.throws(() => activate(ek, key.privateKey, credential, other), assert.AssertionError);
  });

  test(`the same random bytes give the same credential for ${what}, others another`, () => {
    const ek = parsePublic(key.public);
    const make = (fill: number) => makeCredential({ ekPublic: ek, name, secret, random: (n) => Buffer.alloc(n, fill) });
    assert.deepEqual(make(1), make(1));
    assert.notDeepEqual(make(1), make(2));
  });
}

test('KDFa hashes counter, label, contexts and length in bits', () => {
  const base = { algorithm: 'sha256', key: Buffer.alloc(32, 1), label: 'STORAGE', bytes: 16 } as const;
  const derived = deriveKdfa(base);
  const expected = createHmac('sha256', base.key)
    .update(Buffer.from('00000001', 'hex'))
    .update('STORAGE\0')
    .update(Buffer.from('00000080', 'hex'))
    .digest();
  assert.deepEqual(derived, expected.subarray(0, 16));
  assert.notDeepEqual(deriveKdfa({ ...base, contextU: name }), derived);
  assert.equal(deriveKdfa({ ...base, bytes: 80 }).length, 80);
});

test('a key that is no endorsement key is refused before anything is drawn', () => {
  const ak = parsePublic(createSimulatedKey(AK_ATTRIBUTES).public);
  const random = () => assert.fail('drawn');
  assert.throws(() => makeCredential({ ekPublic: ak, name, secret, random }), evidenceError('ERR_EVIDENCE_KEY'));
});

test('a point off the curve is refused', () => {
  const bytes = createSimulatedKey(EK_ATTRIBUTES, { scheme: null, aesBits: 128 }).public;
  bytes.writeUInt8(bytes.readUInt8(bytes.length - 1) ^ 1, bytes.length - 1);
  const input = { ekPublic: parsePublic(bytes), name, secret, random: randomBytes };
  assert.throws(() => makeCredential(input), evidenceError('ERR_EVIDENCE_KEY'));
});

test('a bad secret or random source is the caller’s mistake', () => {
  const ekPublic = parsePublic(eks['P-256 with SHA-256'].public);
  for (const length of [0, 33]) {
    assert.throws(
      () => makeCredential({ ekPublic, name, secret: Buffer.alloc(length), random: randomBytes }),
      TypeError,
    );
  }
  assert.throws(() => makeCredential({ ekPublic, name, secret, random: () => Buffer.alloc(3) }), TypeError);
  assert.throws(() => makeCredential({ ekPublic, name, secret, random: (n) => Buffer.alloc(n) }), TypeError);
});
