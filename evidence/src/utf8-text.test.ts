import assert from 'node:assert/strict';
import { test } from 'node:test';
import { createRandom } from './testing/foreign-bytes.test.ts';
import { formatUtf8 } from './utf8-text.ts';

const decoder = new TextDecoder('utf-8', { fatal: true, ignoreBOM: true });
/** First and last of each row of the table of valid forms, their neighbours, and what stands for something. */
const BYTES = Buffer.from('00091f20252f417e7f808f909fa0adaebfc0c1c2dfe0e1e2ecedeeeff0f1f3f4f5ffbbbd', 'hex');

/** The same by its definition: the decoder of the platform is asked for each character. */
function formatSlowly(bytes: Buffer): string {
  if (bytes.length === 0) return '';
  for (const size of [1, 2, 3, 4]) {
    const text = bytes.length < size ? undefined : decode(bytes.subarray(0, size));
    if (text === undefined) continue;
    const isKept = text !== '%' && !/^[\p{Cc}\p{Cf}\p{Zl}\p{Zp}\p{Co}\p{Cn}]$/u.test(text);
    return (isKept ? text : escapeAll(bytes.subarray(0, size))) + formatSlowly(bytes.subarray(size));
  }
  return escapeAll(bytes.subarray(0, 1)) + formatSlowly(bytes.subarray(1));
}

function decode(bytes: Buffer): string | undefined {
  try {
    return decoder.decode(bytes);
  } catch {
    return undefined;
  }
}

const escapeAll = (bytes: Buffer) => bytes.toString('hex').toUpperCase().replaceAll(/../g, '%$&');

test('the text of any bytes is what the decoder of the platform says of each character', () => {
  const random = createRandom(11);
  for (let round = 0; round < 8_000; round += 1) {
    const bytes = Buffer.from(Array.from({ length: 1 + (random() % 7) }, () => BYTES[random() % BYTES.length] ?? 0));
    assert.equal(formatUtf8(bytes), formatSlowly(bytes), bytes.toString('hex'));
  }
});

test('every pair of bytes is told apart, alone and before what could go on with it', () => {
  for (let pair = 0xbf00; pair < 0x10000; pair += 1) {
    for (const rest of [[], [0x80], [0x80, 0xbf]]) {
      const bytes = Buffer.from([pair >> 8, pair & 0xff, ...rest]);
      assert.equal(formatUtf8(bytes), formatSlowly(bytes), bytes.toString('hex'));
    }
  }
});

test('characters of all planes in use are kept or escaped as a whole', () => {
  for (let code = 0x80; code < 0x30000; code += 13) {
    if (code >= 0xd800 && code <= 0xdfff) continue;
    const bytes = Buffer.from(String.fromCodePoint(code));
    assert.equal(formatUtf8(bytes), formatSlowly(bytes), code.toString(16));
  }
});
