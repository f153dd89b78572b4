import assert from 'node:assert/strict';
import { readdirSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import { test } from 'node:test';
import { assertSurvivesHostileBytes, evidenceError } from '../testing/foreign-bytes.test.ts';
import { SimulatedTpm } from '../testing/simulated-tpm.test.ts';
import { readVector, sharedVectors, skipWithoutShared } from '../testing/vectors.test.ts';
import { parseAttest } from './attest.ts';

const recorded = readVector('measured-boot/plain-uki/quote.msg');
const quoteOf = (bytes: Buffer) => {
  const attest = parseAttest(bytes);
  assert.equal(attest.type, 'quote');
  if (attest.type !== 'quote') throw new TypeError('not a quote');
  return attest;
};

test('reads every field of a recorded quote', () => {
  const attest = quoteOf(recorded);
  assert.equal(attest.extraData.toString('hex'), readVector('measured-boot/plain-uki/nonce.hex').toString().trim());
  assert.deepEqual(attest.clockInfo, { clock: 53355n, resetCount: 2, restartCount: 0, safe: true });
  assert.equal(attest.firmwareVersion, 0x2019102300163636n);
  assert.deepEqual(attest.selection, [{ bank: 'sha256', pcrs: Array.from({ length: 15 }, (_, index) => index) }]);
  assert.equal(attest.pcrDigest.toString('hex').slice(0, 8), '3705ee2e');
});

test('reads a certification', () => {
  const tpm = new SimulatedTpm();
  const { attest } = tpm.certify(Buffer.from('nonce'), tpm.akName);
  const parsed = parseAttest(attest);
  assert.equal(parsed.type, 'certify');
  assert.deepEqual(parsed.type === 'certify' && parsed.name, tpm.akName);
});

test('refuses what no TPM generated and what is neither quote nor certification', () => {
  const wrongMagic = Buffer.from(recorded);
  wrongMagic.writeUInt32BE(0xff544348);
  assert.throws(() => parseAttest(wrongMagic), evidenceError('ERR_EVIDENCE_QUOTE'));
  for (const type of [0x8014, 0x8015, 0x8016, 0x8019, 0x801a, 0]) {
    const other = Buffer.from(recorded);
    other.writeUInt16BE(type, 4);
    assert.throws(() => parseAttest(other), evidenceError('ERR_EVIDENCE_QUOTE'));
  }
});

test('refuses bytes behind the structure', () => {
  assert.throws(() => parseAttest(Buffer.concat([recorded, Buffer.of(0)])), evidenceError('ERR_EVIDENCE_MALFORMED'));
});

test('refuses an unknown or repeated bank, and a bitmap that is too long', () => {
  const tpm = new SimulatedTpm();
  const selection = [{ bank: 'sha256', pcrs: [1] }] as const;
  const { attest } = tpm.quote(Buffer.from('x'), selection);
  const at = attest.length - 32 - 2 - 6;
  const unknown = Buffer.from(attest);
  unknown.writeUInt16BE(0x7777, at);
  assert.throws(() => parseAttest(unknown), evidenceError('ERR_EVIDENCE_MALFORMED'));
  const twice = tpm.quote(Buffer.from('x'), [...selection, ...selection]).attest;
  assert.throws(() => parseAttest(twice), evidenceError('ERR_EVIDENCE_MALFORMED'));
  const long = Buffer.from(attest);
  long.writeUInt8(5, at + 2);
  assert.throws(() => parseAttest(long), evidenceError('ERR_EVIDENCE_MALFORMED'));
});

test('hostile bytes end in EvidenceError only', () => {
  assertSurvivesHostileBytes(parseAttest, recorded);
});

test('reads the recorded quotes of other machines', { skip: skipWithoutShared }, () => {
  const folder = join(sharedVectors ?? '', 'measured-boot');
  for (const name of readdirSync(folder)) quoteOf(readFileSync(join(folder, name, 'quote.msg')));
  const azure = quoteOf(readFileSync(join(sharedVectors ?? '', 'quotes/az-snp-vtpm/tpm-quote.msg')));
  assert.equal(azure.extraData.toString(), 'challenge');
});
