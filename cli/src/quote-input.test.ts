import assert from 'node:assert/strict';
import { generateKeyPairSync, sign } from 'node:crypto';
import { suite, test } from 'node:test';
import { EvidenceError } from '@holdfast/evidence';
import { CliError } from './cli-error.ts';
import { parseDerSignature } from './der-signature.ts';
import { findValidSignature, listSignatures, parseAk } from './quote-input.ts';

const message = Buffer.from('an attestation');
const p256 = generateKeyPairSync('ec', { namedCurve: 'P-256' });
const p384 = generateKeyPairSync('ec', { namedCurve: 'P-384' });
const rsa = generateKeyPairSync('rsa', { modulusLength: 2048 });
const pem = (key: typeof p256.publicKey) => Buffer.from(key.export({ type: 'spki', format: 'pem' }));
const undecided = (error: unknown) => error instanceof CliError && error.exitCode === 3;

function isValid(signature: Buffer, key: typeof p256.publicKey, text = message): boolean {
  return findValidSignature(listSignatures(signature, key, 'sig'), key, text) !== undefined;
}

suite('an AK and a signature', () => {
  test('hold in DER and raw, for each curve and hash', () => {
    for (const { publicKey, privateKey } of [p256, p384]) {
      for (const hash of ['sha256', 'sha384']) {
        for (const dsaEncoding of ['der', 'ieee-p1363'] as const) {
          const signature = sign(hash, message, { key: privateKey, dsaEncoding });
          assert.ok(isValid(signature, publicKey), `${hash} ${dsaEncoding}`);
          assert.ok(!isValid(signature, publicKey, Buffer.from('another')), `${hash} ${dsaEncoding}`);
        }
      }
    }
  });

  test('hold as a bare RSA signature and in a TPMT_SIGNATURE', () => {
    const signature = sign('sha256', message, rsa.privateKey);
    const wrapped = Buffer.concat([Buffer.from('0014000b0100', 'hex'), signature]);
    assert.ok(isValid(signature, rsa.publicKey));
    assert.ok(isValid(wrapped, rsa.publicKey));
    assert.ok(!isValid(wrapped, p256.publicKey));
    assert.throws(() => isValid(signature.subarray(1), rsa.publicKey), undecided);
  });

  test('do not hold with SHA-1', () => {
    assert.ok(!isValid(sign('sha1', message, rsa.privateKey), rsa.publicKey));
  });

  test('a DER signature that is cut, padded or longer is refused', () => {
    const der = sign('sha256', message, p256.privateKey);
    const refused = (error: unknown) => error instanceof EvidenceError;
    for (let length = 0; length < der.length; length += 1) {
      assert.throws(() => parseDerSignature(der.subarray(0, length)), refused);
    }
    assert.throws(() => parseDerSignature(Buffer.concat([der, Buffer.alloc(1)])), refused);
    assert.throws(() => parseDerSignature(Buffer.from('30080202000102020081', 'hex')), refused);
    assert.throws(() => parseDerSignature(Buffer.from('3006020181020101', 'hex')), refused);
    for (let bit = 0; bit < der.length * 8; bit += 1) {
      const flipped = Buffer.from(der);
      flipped.writeUInt8(flipped.readUInt8(bit >> 3) ^ (1 << (bit & 7)), bit >> 3);
      try {
        assert.ok(!isValid(flipped, p256.publicKey), `bit ${bit}`);
      } catch (error) {
        assert.ok(undecided(error), String(error));
      }
    }
  });

  test('an AK is refused where it is private, short, of another kind or no key', () => {
    const short = generateKeyPairSync('rsa', { modulusLength: 1024 });
    const other = generateKeyPairSync('ed25519');
    const wrong = [
      Buffer.from(p256.privateKey.export({ type: 'pkcs8', format: 'pem' })),
      pem(short.publicKey),
      pem(other.publicKey),
      Buffer.from('-----BEGIN PUBLIC KEY-----\nAAAA\n-----END PUBLIC KEY-----\n'),
      Buffer.from('no key'),
      Buffer.alloc(1),
    ];
    for (const bytes of wrong) assert.throws(() => parseAk(bytes, 'ak'), undecided);
    assert.equal(parseAk(pem(p256.publicKey), 'ak').format, 'pem');
    assert.equal(parseAk(pem(rsa.publicKey), 'ak').unsuitable, null);
  });
});
