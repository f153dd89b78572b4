import assert from 'node:assert/strict';
import { generateKeyPairSync, sign, verify } from 'node:crypto';
import { test } from 'node:test';
import { encodeDerSignature } from './der-signature.ts';

for (const namedCurve of ['P-256', 'P-384']) {
  test(`signatures of ${namedCurve} verify in either form`, () => {
    const { privateKey, publicKey } = generateKeyPairSync('ec', { namedCurve });
    for (let at = 0; at < 300; at += 1) {
      const message = Buffer.of(at >> 8, at);
      const raw = sign('sha256', message, { key: privateKey, dsaEncoding: 'ieee-p1363' });
      assert.equal(verify('sha256', message, publicKey, encodeDerSignature(raw)), true);
      raw[at % raw.length] = (raw[at % raw.length] ?? 0) ^ 1;
      assert.equal(verify('sha256', message, publicKey, encodeDerSignature(raw)), false);
    }
  });
}

test('leading zeros go, and a leading one bit gets a zero', () => {
  assert.equal(encodeDerSignature(Buffer.from('0001' + '0080', 'hex')).toString('hex'), '30070201010202' + '0080');
  assert.equal(encodeDerSignature(Buffer.from('0000' + '7fff', 'hex')).toString('hex'), '30070201000202' + '7fff');
  assert.equal(encodeDerSignature(Buffer.alloc(122, 0xff)).length, 2 + 2 * (2 + 62));
});

test('another length is refused', () => {
  for (const size of [0, 1, 63, 124, 200]) assert.throws(() => encodeDerSignature(Buffer.alloc(size)), TypeError);
});
