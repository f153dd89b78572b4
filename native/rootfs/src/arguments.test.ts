import assert from 'node:assert/strict';
import { test } from 'node:test';
import {
  checkHostPath,
  checkInteger,
  checkOptions,
  checkPath,
  checkXattrName,
  checkXattrPatterns,
} from './arguments.ts';

test('a path is any bytes without NUL and without a .. part', () => {
  for (const good of ['', '/', 'a', '//a/./b//', 'a..b', '..a/b..', '...', '\xff']) {
    const bytes = Buffer.from(good, 'latin1');
    assert.equal(checkPath(bytes), bytes, good);
  }
  for (const wrong of ['..', '/..', '../a', 'a/../b', 'a/..', 'a\0']) {
    assert.throws(() => checkPath(Buffer.from(wrong)), TypeError, wrong);
  }
  for (const wrong of ['text', new Uint8Array(3), undefined, null, 7]) assert.throws(() => checkPath(wrong), TypeError);
  assert.throws(() => checkPath(Buffer.alloc((1 << 20) + 1, 0x61)), /longer than 1 MiB/);
});

test('a path of the host is text or bytes, neither empty nor with NUL', () => {
  assert.deepEqual(checkHostPath('/tmp', 'path'), Buffer.from('/tmp'));
  assert.deepEqual(checkHostPath(Buffer.from('/tmp'), 'path'), Buffer.from('/tmp'));
  for (const wrong of ['', Buffer.alloc(0), 'a\0b', undefined, 7, {}]) {
    assert.throws(() => checkHostPath(wrong, 'directory'), /^TypeError: directory/);
  }
});

test('a count is a safe integer of at least its minimum', () => {
  assert.equal(checkInteger(0, 'maxBytes'), 0);
  assert.equal(checkInteger(Number.MAX_SAFE_INTEGER, 'maxBytes', 1), Number.MAX_SAFE_INTEGER);
  for (const wrong of [-1, 0.5, 2 ** 53, Number.NaN, Number.POSITIVE_INFINITY, '1', 1n, undefined, null]) {
    assert.throws(() => checkInteger(wrong, 'maxBytes'), /^TypeError: maxBytes/);
  }
  assert.throws(() => checkInteger(0, 'maxDepth', 1), /at least 1/);
});

test('a misspelt option is refused by its name', () => {
  checkOptions({}, ['maxBytes']);
  checkOptions({ maxBytes: 1 }, ['maxBytes']);
  assert.throws(() => checkOptions({ maxbytes: 1 }, ['maxBytes']), /unknown option maxbytes; known are maxBytes/);
  for (const wrong of [undefined, null, 'maxBytes', 7]) assert.throws(() => checkOptions(wrong, []), TypeError);
});

test('names of attributes are short and patterns have one star at the end', () => {
  assert.equal(checkXattrName('security.capability'), 'security.capability');
  for (const wrong of ['', 'a\0', 'x'.repeat(256), 'ä'.repeat(128), 7]) {
    assert.throws(() => checkXattrName(wrong), TypeError);
  }
  assert.deepEqual(checkXattrPatterns(['trusted.overlay.*', '*', 'user.a']), ['trusted.overlay.*', '*', 'user.a']);
  for (const wrong of [['*.a'], ['a*b'], ['**'], ['']]) assert.throws(() => checkXattrPatterns(wrong), TypeError);
  assert.throws(() => checkXattrPatterns('user.a'), TypeError);
  assert.throws(() => checkXattrPatterns(Array(65).fill('user.a')), TypeError);
});
