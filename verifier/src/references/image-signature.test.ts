import assert from 'node:assert/strict';
import { hash, type KeyObject, sign } from 'node:crypto';
import { suite, test } from 'node:test';
import { EFI_SIGNATURE_TYPE, type EfiSignature } from '@holdfast/evidence';
import { DER, encodeDer, openDer, readDer } from '../certificates/x509/der.ts';
import { certifyAuthority, certifyEk, encodeOid, makeAuthority, sequence } from '../enrolment/ek-chain.fixture.ts';
import { makeRsa } from '../trust/trust.fixture.ts';
import { VerifierError } from '../verifier-error.ts';
import { findImageAuthority } from './image-signature.ts';

const ROOT = makeAuthority('CN=Platform');
const ROOT_CERTIFICATE = certifyAuthority(ROOT, ROOT);
const KEY = makeRsa(2048);
const LEAF = certifyEk(KEY.publicKey, ROOT, { subject: 'CN=Signer', keyUsage: null, extendedKeyUsage: null });
const DIGEST = Buffer.alloc(32, 0x11);

interface Plan {
  digest?: Buffer;
  key?: KeyObject;
  certificates?: readonly Buffer[];
  /** What the attribute has as the digest of the content. */
  stated?: Buffer;
  algorithm?: string;
}

/** An Authenticode signature as sbsign makes it. */
function makeSignature(plan: Plan = {}): Buffer {
  const { digest = DIGEST, key = KEY.privateKey, certificates = [LEAF], algorithm = '2.16.840.1.101.3.4.2.1' } = plan;
  const info = sequence(sequence(encodeOid(algorithm)), encodeDer(DER.octetString, digest));
  const content = sequence(sequence(encodeOid('1.3.6.1.4.1.311.2.1.15')), info);
  const stated = plan.stated ?? hash('sha256', readDer(content).content, 'buffer');
  const attributes = [
    sequence(encodeOid('1.2.840.113549.1.9.3'), encodeDer(DER.set, encodeOid('1.3.6.1.4.1.311.2.1.4'))),
    sequence(encodeOid('1.2.840.113549.1.9.4'), encodeDer(DER.set, encodeDer(DER.octetString, stated))),
  ];
  const [body] = openDer(readDer(LEAF));
  const [, serial, , issuer] = openDer(body);
  assert.ok(serial && issuer);
  const signer = sequence(
    encodeDer(DER.integer, Buffer.of(1)),
    sequence(issuer.encoded, serial.encoded),
    sequence(encodeOid('2.16.840.1.101.3.4.2.1')),
    encodeDer(0xa0, ...attributes),
    sequence(encodeOid('1.2.840.113549.1.1.1')),
    encodeDer(DER.octetString, sign('sha256', encodeDer(DER.set, ...attributes), key)),
  );
  const signed = sequence(
    encodeDer(DER.integer, Buffer.of(1)),
    encodeDer(DER.set),
    sequence(encodeOid('1.3.6.1.4.1.311.2.1.4'), encodeDer(0xa0, content)),
    encodeDer(0xa0, ...certificates),
    encodeDer(DER.set, signer),
  );
  return sequence(encodeOid('1.2.840.113549.1.7.2'), encodeDer(0xa0, signed));
}

function makeEntry(data: Buffer, type: string = EFI_SIGNATURE_TYPE.x509): EfiSignature {
  return { type, entry: Buffer.concat([Buffer.alloc(16), data]), data };
}

const IN_DB = makeEntry(LEAF);
const find = (signature: Buffer, db: readonly EfiSignature[] = [IN_DB], digest = DIGEST) =>
  findImageAuthority({ digest, signatures: [signature] }, db);

suite('what vouches for a signed image', () => {
  test('is the certificate of its signer, or one that issued it', () => {
    assert.equal(find(makeSignature()), IN_DB);
    const root = makeEntry(ROOT_CERTIFICATE);
    assert.equal(find(makeSignature(), [root]), root);
    assert.equal(find(makeSignature({ certificates: [ROOT_CERTIFICATE, LEAF] }), [root]), root);
    assert.equal(find(makeSignature(), [makeEntry(Buffer.from('no certificate')), root, IN_DB]), root);
  });

  test('is the digest of an image, signed or not', () => {
    const entry = makeEntry(DIGEST, EFI_SIGNATURE_TYPE.sha256);
    assert.equal(findImageAuthority({ digest: DIGEST, signatures: [] }, [entry]), entry);
    assert.equal(findImageAuthority({ digest: Buffer.alloc(32), signatures: [] }, [entry]), undefined);
    assert.equal(findImageAuthority({ digest: DIGEST, signatures: [] }, [makeEntry(DIGEST)]), undefined);
  });

  test('is nothing where the signature is not of this image, not by this key or not of a known one', () => {
    const stranger = makeAuthority('CN=Platform');
    const same = makeEntry(certifyAuthority(stranger, stranger));
    const refused = [
      find(makeSignature(), []),
      find(makeSignature(), [same]),
      find(makeSignature(), [IN_DB], Buffer.alloc(32)),
      find(makeSignature({ digest: Buffer.alloc(32) })),
      find(makeSignature({ key: makeRsa(2048).privateKey })),
      find(makeSignature({ stated: Buffer.alloc(32) })),
      find(makeSignature({ certificates: [] })),
      find(makeSignature({ certificates: [ROOT_CERTIFICATE] })),
      find(makeSignature({ algorithm: '1.3.14.3.2.26' })),
    ];
    assert.deepEqual(
      refused,
      refused.map(() => undefined),
    );
  });

  test('survives hostile signatures: they are refused, or vouch for nothing', () => {
    const good = makeSignature();
    const judge = (bytes: Buffer) => {
      try {
        return find(bytes);
      } catch (error) {
        assert.ok(error instanceof VerifierError, String(error));
        return undefined;
      }
    };
    for (let length = 0; length < good.length; length += 1) assert.equal(judge(good.subarray(0, length)), undefined);
    for (let bit = 0; bit < good.length * 8; bit += 7) {
      const flipped = Buffer.from(good);
      flipped.writeUInt8(flipped.readUInt8(bit >> 3) ^ (1 << (bit & 7)), bit >> 3);
      judge(flipped);
    }
  });
});
