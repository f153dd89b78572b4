import assert from 'node:assert/strict';
import { test } from 'node:test';
import { evidenceError } from '../testing/foreign-bytes.test.ts';
import { readVector } from '../testing/vectors.test.ts';
import { parseAttest } from './attest.ts';
import { composePcrDigest } from './pcr-composite.ts';
import { encodePcrSelection } from './pcr-selection.ts';

const evidence = JSON.parse(readVector('quotes/trustee-tpm-evidence.json').toString());
const pcrs = new Map<number, Buffer>(
  evidence.tpm_quote.pcrs.map((value: string, index: number) => [index, Buffer.from(value, 'hex')]),
);
const attest = parseAttest(Buffer.from(evidence.tpm_quote.message, 'base64'));
if (attest.type !== 'quote') throw new TypeError('not a quote');

test('the composite of recorded values is the digest of the recorded quote', () => {
  assert.deepEqual(composePcrDigest(attest.selection, { sha256: pcrs }), attest.pcrDigest);
});

test('one value less, one of another length, or a bank that is not there is refused', () => {
  const missing = new Map(pcrs);
  missing.delete(23);
  const short = new Map(pcrs).set(3, Buffer.alloc(20));
  for (const banks of [{ sha256: missing }, { sha256: short }, { sha1: pcrs }, {}]) {
    assert.throws(() => composePcrDigest(attest.selection, banks), evidenceError('ERR_EVIDENCE_QUOTE'));
  }
});

test('one changed value changes the composite', () => {
  const changed = new Map(pcrs).set(3, Buffer.alloc(32, 9));
  assert.notDeepEqual(composePcrDigest(attest.selection, { sha256: changed }), attest.pcrDigest);
});

test('a selection is encoded bank by bank with three bytes of bits', () => {
  const encoded = encodePcrSelection([
    { bank: 'sha256', pcrs: [0, 8, 23] },
    { bank: 'sha1', pcrs: [] },
  ]);
  assert.equal(encoded.toString('hex'), '00000002000b03010180000403000000');
});

test('a PCR that no bitmap holds is the caller’s mistake', () => {
  for (const pcr of [24, -1, 1.5])
    assert.throws(() => encodePcrSelection([{ bank: 'sha256', pcrs: [pcr] }]), TypeError);
});
