import assert from 'node:assert/strict';
import { test } from 'node:test';
import { bytePathToBuffer, formatBytePath, joinBytePath, latin1ToBytePath, toBytePath } from './byte-path.ts';
import { parseBytePath } from './path-text.ts';
import { createRandom, evidenceError } from './testing/foreign-bytes.test.ts';

const textOf = (bytes: string) => formatBytePath(toBytePath(Buffer.from(bytes, 'latin1')));

test('bytes of a path survive whatever they are', () => {
  const bytes = Buffer.from(Array.from({ length: 255 }, (_, index) => index + 1).filter((byte) => byte !== 0x2f));
  const path = joinBytePath(toBytePath('/'), bytes);
  assert.deepEqual(bytePathToBuffer(path), Buffer.concat([Buffer.from('/'), bytes]));
});

test('a path that is not absolute and normal is the caller’s mistake', () => {
  for (const path of ['', 'a', '/a/', '//', '/a//b', '/.', '/a/..', '/a\0'])
    assert.throws(() => toBytePath(path), TypeError);
  for (const path of ['/a/', '/a/../b', '/\u0100', 'a']) assert.throws(() => latin1ToBytePath(path), TypeError);
  for (const path of ['/', '/\xff', '/..a/b..', '/a/...']) assert.equal(latin1ToBytePath(path), path);
  for (const name of ['', '.', '..', 'a/b', 'a\0']) assert.throws(() => joinBytePath(toBytePath('/'), name), TypeError);
});

test('text of a path keeps UTF-8 and escapes the rest', () => {
  assert.equal(formatBytePath(toBytePath('/é/日本/😀 a')), '/é/日本/😀 a');
  assert.equal(textOf('/\xff\xfe'), '/%FF%FE');
  assert.equal(textOf('/\xe9t'), '/%E9t');
  assert.equal(textOf('/100%'), '/100%25');
  assert.equal(textOf('/a\nb\x7f'), '/a%0Ab%7F');
  assert.equal(formatBytePath(toBytePath('/a\u202eb')), '/a%E2%80%AEb');
  assert.equal(textOf('/\xc0\xaf'), '/%C0%AF');
  assert.equal(textOf('/\xed\xa0\x80'), '/%ED%A0%80');
});

test('every path is read back from its text, and two paths never share one', () => {
  const random = createRandom(3);
  const texts = new Map<string, string>();
  const alphabet = ['a', '%', '2', '5', '\xc3', '\xa9', '\xf0', '\x9f', '\x98', '\x80', ' ', '\n', '\x7f'];
  for (let round = 0; round < 5000; round += 1) {
    const name = Array.from({ length: 1 + (random() % 6) }, () => alphabet[random() % alphabet.length]).join('');
    const path = toBytePath(Buffer.from(`/${name}`, 'latin1'));
    const text = formatBytePath(path);
    assert.equal(parseBytePath(text), path);
    assert.equal(texts.get(text) ?? path, path);
    texts.set(text, path);
  }
});

test('other texts are refused', () => {
  for (const text of [
    '',
    'a',
    '/%41',
    '/%c3%a9',
    '/é%',
    '/%ff',
    '/%2',
    '/a/../b',
    '/a//b',
    '/%00',
    '/%2F',
    '/a\nb',
    '/%C3%A9',
  ]) {
    assert.throws(() => parseBytePath(text), evidenceError('ERR_EVIDENCE_ENCODING'), text);
  }
  assert.throws(() => parseBytePath(`/${'a'.repeat(65536)}`), evidenceError('ERR_EVIDENCE_LIMIT'));
});
