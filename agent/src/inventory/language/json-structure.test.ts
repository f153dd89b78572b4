import assert from 'node:assert/strict';
import { test } from 'node:test';
import { isOverstructured } from './json-structure.ts';

const long = 'x'.repeat(70_000);

test('a text of ordinary structure is bounded, however long its strings are', () => {
  assert.equal(isOverstructured(Buffer.from(JSON.stringify({ name: 'a', readme: long, deps: { b: '1' } }))), false);
  const brackets = JSON.stringify({ readme: `[{,"\\\\${'[{,'.repeat(400_000)}` });
  assert.equal(isOverstructured(Buffer.from(brackets)), false);
  assert.equal(isOverstructured(Buffer.from(`{"a":"${'[,'.repeat(400_000)}`)), false);
});

test('many values and deep ones are not, behind a byte order mark and blanks too', () => {
  assert.equal(isOverstructured(Buffer.from(`[${'[],'.repeat(160_000)}[]]`)), true);
  assert.equal(isOverstructured(Buffer.from(`[${'1,'.repeat(310_000)}1]`)), true);
  assert.equal(isOverstructured(Buffer.from(`\uFEFF \n{"r":"${long}","a":${'['.repeat(600)}`)), true);
  assert.equal(isOverstructured(Buffer.from(`{"r":"${long}","a":${'['.repeat(400)}`)), false);
});

test('what is short, or no object and no array, is not looked into', () => {
  assert.equal(isOverstructured(Buffer.from('['.repeat(60_000))), false);
  assert.equal(isOverstructured(Buffer.from(`Name: a\n${'['.repeat(500_000)}`)), false);
  assert.equal(isOverstructured(Buffer.alloc(0)), false);
});
