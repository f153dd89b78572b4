import assert from 'node:assert/strict';
import { createPublicKey, generateKeyPairSync } from 'node:crypto';
import { test } from 'node:test';
import { BinaryWriter } from '../encoding/binary-writer.ts';
import { evidenceError, flipBit } from '../testing/foreign-bytes.test.ts';
import { encodeAttestHead, SimulatedTpm, signTpmt } from '../testing/simulated-tpm.test.ts';
import { readVector } from '../testing/vectors.test.ts';
import { verifyCertify } from './certify.ts';
import { verifyQuote } from './quote.ts';

const tpm = new SimulatedTpm();
const data = Buffer.alloc(32, 1);
const selection = [{ bank: 'sha256', pcrs: [0, 7] }] as const;
const expected = { key: tpm.ak.publicKey, qualifyingData: data, selection, qualifiedSigner: tpm.qualifiedSigner };

test('a recorded quote verifies with its nonce, selection and key', () => {
  const quote = verifyQuote(
    {
      attest: readVector('measured-boot/plain-uki/quote.msg'),
      signature: readVector('measured-boot/plain-uki/quote.sig'),
    },
    {
      key: createPublicKey(readVector('measured-boot/plain-uki/ak.pub')),
      qualifyingData: Buffer.from(readVector('measured-boot/plain-uki/nonce.hex').toString().trim(), 'hex'),
      selection: [{ bank: 'sha256', pcrs: Array.from({ length: 15 }, (_, index) => index) }],
    },
  );
  assert.equal(quote.clockInfo.resetCount, 2);
  assert.equal(quote.algorithm, 'sha256');
});

test('a recorded quote by an RSA key verifies', () => {
  const evidence = JSON.parse(readVector('quotes/trustee-tpm-evidence.json').toString());
  const signed = {
    attest: Buffer.from(evidence.tpm_quote.message, 'base64'),
    signature: Buffer.from(evidence.tpm_quote.signature, 'base64'),
  };
  const key = createPublicKey({ key: Buffer.from(evidence.ak_public, 'base64'), format: 'der', type: 'spki' });
  const all = [{ bank: 'sha256', pcrs: Array.from({ length: 24 }, (_, index) => index) }] as const;
  const qualifyingData = signed.attest.subarray(44, 44 + signed.attest.readUInt16BE(42));
  assert.equal(verifyQuote(signed, { key, qualifyingData, selection: all }).selection.length, 1);
});

test('a quote of another key is refused', () => {
  const other = generateKeyPairSync('ec', { namedCurve: 'P-256' });
  const signed = tpm.quote(data, selection, { signer: other.privateKey });
  assert.throws(() => verifyQuote(signed, expected), evidenceError('ERR_EVIDENCE_SIGNATURE'));
});

test('the signature is checked before the attestation is parsed', () => {
  const garbage = { attest: Buffer.from('garbage'), signature: tpm.quote(data, selection).signature };
  assert.throws(() => verifyQuote(garbage, expected), evidenceError('ERR_EVIDENCE_SIGNATURE'));
});

test('a signed structure without the TPM’s magic is refused', () => {
  const signed = tpm.quote(data, selection, { magic: 0x12345678 });
  assert.throws(() => verifyQuote(signed, expected), evidenceError('ERR_EVIDENCE_QUOTE'));
});

test('a certification is not a quote, and a quote is not a certification', () => {
  const certified = tpm.certify(data, tpm.akName);
  assert.throws(() => verifyQuote(certified, expected), evidenceError('ERR_EVIDENCE_QUOTE'));
  const quoted = tpm.quote(data, selection);
  assert.throws(() => verifyCertify(quoted, { ...expected, name: tpm.akName }), evidenceError('ERR_EVIDENCE_QUOTE'));
});

test('other qualifying data is refused, a prefix and none too', () => {
  for (const other of [Buffer.alloc(32, 2), data.subarray(0, 31), Buffer.alloc(0)]) {
    const signed = tpm.quote(other, selection);
    assert.throws(() => verifyQuote(signed, expected), evidenceError('ERR_EVIDENCE_BINDING'));
  }
});

test('another selection is refused: one PCR less, one more, another bank, a second bank', () => {
  for (const other of [
    [{ bank: 'sha256', pcrs: [0] }],
    [{ bank: 'sha256', pcrs: [0, 1, 7] }],
    [{ bank: 'sha1', pcrs: [0, 7] }],
    [...selection, { bank: 'sha1', pcrs: [0] }],
    [],
  ] as const) {
    assert.throws(() => verifyQuote(tpm.quote(data, other), expected), evidenceError('ERR_EVIDENCE_QUOTE'));
  }
});

test('a bitmap of another length that selects the same PCRs is the same selection', () => {
  const attest = encodeAttestHead({ qualifiedSigner: tpm.qualifiedSigner, extraData: data })
    .bytes(new BinaryWriter().u32(1).u16(0x000b).u8(4).bytes(Buffer.from('81000000', 'hex')).finish())
    .sized16(tpm.composite(selection))
    .finish();
  verifyQuote({ attest, signature: signTpmt(tpm.ak.privateKey, attest) }, expected);
});

test('another qualified signer is refused: another parent, the owner hierarchy, none', () => {
  for (const qualifiedSigner of [new SimulatedTpm().qualifiedSigner, tpm.akName, Buffer.alloc(0)]) {
    const signed = tpm.quote(data, selection, { qualifiedSigner });
    assert.throws(() => verifyQuote(signed, expected), evidenceError('ERR_EVIDENCE_QUOTE'));
  }
});

test('no bit of a quote or its signature can be flipped', () => {
  const signed = tpm.quote(data, selection);
  verifyQuote(signed, expected);
  for (let bit = 0; bit < signed.attest.length * 8; bit += 5) {
    assert.throws(() => verifyQuote({ ...signed, attest: flipBit(signed.attest, bit) }, expected));
  }
  for (let bit = 0; bit < signed.signature.length * 8; bit += 3) {
    assert.throws(() => verifyQuote({ ...signed, signature: flipBit(signed.signature, bit) }, expected));
  }
});

const name = Buffer.concat([Buffer.from('000b', 'hex'), Buffer.alloc(32, 5)]);
const certifyExpected = { key: tpm.ak.publicKey, qualifyingData: data, qualifiedSigner: tpm.qualifiedSigner, name };

test('a certification of the expected key verifies', () => {
  assert.deepEqual(verifyCertify(tpm.certify(data, name), certifyExpected).name, name);
});

test('a certification of another object, over another nonce, by another key or parent is refused', () => {
  const other = new SimulatedTpm();
  assert.throws(() => verifyCertify(tpm.certify(data, tpm.akName), certifyExpected), evidenceError('ERR_EVIDENCE_KEY'));
  assert.throws(
    () => verifyCertify(tpm.certify(Buffer.alloc(32), name), certifyExpected),
    evidenceError('ERR_EVIDENCE_BINDING'),
  );
  assert.throws(
    () => verifyCertify(other.certify(data, name), certifyExpected),
    evidenceError('ERR_EVIDENCE_SIGNATURE'),
  );
  const elsewhere = tpm.certify(data, name, { qualifiedSigner: other.qualifiedSigner });
  assert.throws(() => verifyCertify(elsewhere, certifyExpected), evidenceError('ERR_EVIDENCE_QUOTE'));
});
