import assert from 'node:assert/strict';
import { test } from 'node:test';
import { evidenceError } from '../testing/foreign-bytes.test.ts';
import { decodeBase64url, encodeBase64url } from './base64url.ts';

test('base64url of every length round-trips', () => {
  for (let length = 0; length < 70; length += 1) {
    const bytes = Buffer.alloc(length, length);
    assert.deepEqual(decodeBase64url(encodeBase64url(bytes)), bytes);
  }
});

test('a view into a larger buffer encodes only its own bytes', () => {
  assert.equal(encodeBase64url(new Uint8Array([1, 2, 3, 4]).subarray(1, 3)), 'AgM');
});

const refused = {
  padding: 'AA==',
  'unused bits that are set': 'AB',
  'unused bits of a longer tail': 'AAB',
  'one character left over': 'AAAAA',
  'standard alphabet': '+/8A',
  'white space': 'AA AA',
  'a line end': 'AAAA\n',
  'a dot': 'AA.A',
  'a character beyond ASCII': 'AAé',
};
for (const [what, text] of Object.entries(refused)) {
  test(`base64url with ${what} is refused`, () => {
    assert.throws(() => decodeBase64url(text), evidenceError('ERR_EVIDENCE_ENCODING'));
  });
}

test('of all last characters only those are taken whose text is what the bytes encode to', () => {
  for (const head of ['', 'A', 'AA', 'AAA']) {
    for (let code = 0; code < 0x180; code += 1) {
      const text = `${head}${String.fromCharCode(code)}`;
      const isCanonical = Buffer.from(text, 'base64url').toString('base64url') === text;
      if (isCanonical) assert.doesNotThrow(() => decodeBase64url(text), text);
      else assert.throws(() => decodeBase64url(text), evidenceError('ERR_EVIDENCE_ENCODING'), JSON.stringify(text));
    }
  }
});
