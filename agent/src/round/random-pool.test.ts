import assert from 'node:assert/strict';
import { randomBytes } from 'node:crypto';
import { test } from 'node:test';
import { createRandomPool } from './random-pool.ts';

test('no byte is given twice, and none is made up', () => {
  const drawn: Buffer[] = [];
  const take = createRandomPool((size) => {
    const block = randomBytes(size);
    drawn.push(block);
    return block;
  });
  const given = Array.from({ length: 300 }, (_, at) => take(at % 3 === 0 ? 4 : 16));
  assert.equal(new Set(given.filter(({ length }) => length === 16).map((bytes) => bytes.toString('hex'))).size, 200);
  const all = Buffer.concat(drawn);
  let at = 0;
  for (const bytes of given) {
    const found = all.indexOf(bytes, at);
    assert.ok(found >= at, 'in the order in which they were drawn');
    at = found + bytes.length;
  }
  assert.ok(drawn.length < 10);
});

test('more than a block is drawn by itself', () => {
  const sizes: number[] = [];
  const take = createRandomPool((size) => {
    sizes.push(size);
    return randomBytes(size);
  });
  assert.equal(take(5_000).length, 5_000);
  assert.deepEqual(sizes, [5_000]);
});
