import assert from 'node:assert/strict';
import { test } from 'node:test';
import { trimEndOf } from './trim-end.ts';

test('characters at the end go, and stay everywhere else', () => {
  assert.equal(trimEndOf('\0a\0b\0\0', '\0'), '\0a\0b');
  assert.equal(trimEndOf('a \n\0 ', '\0 \n'), 'a');
  assert.equal(trimEndOf('a', '\0'), 'a');
  assert.equal(trimEndOf('\0\0', '\0'), '');
  assert.equal(trimEndOf('', '\0'), '');
});

test('a run of any length costs no more than its length', () => {
  const run = '\0'.repeat(8 * 1024 * 1024);
  assert.equal(trimEndOf(`${run}a`, '\0').length, run.length + 1);
  assert.equal(trimEndOf(`a${run}`, '\0'), 'a');
});
