import assert from 'node:assert/strict';
import { test } from 'node:test';
import { FileHasher } from './file-hasher.ts';

const CHANGED_NS = 5_000_000_000n;

/** How often a file is read that is asked for twice, so many milliseconds after it changed. */
function countReads(ageMs: number, isRestless = false): number {
  const hasher = new FileHasher(() => 5_000 + ageMs);
  let reads = 0;
  const hash = () => {
    reads += 1;
    return 'h';
  };
  for (let at = 0; at < 2; at += 1) hasher.recall({ key: 'k', ctimeNs: CHANGED_NS, isRestless }, hash);
  return reads;
}

test('a file is read once while its times stay', () => {
  assert.equal(countReads(1_001), 1);
});

test('one that changed within the last second, will have changed, or is restless, is read each time', () => {
  assert.deepEqual([countReads(1_000), countReads(0), countReads(-5_000), countReads(60_000, true)], [2, 2, 2, 2]);
});

test('what was read before it settled is read once more after that', () => {
  let nowMs = 5_000;
  const hasher = new FileHasher(() => nowMs);
  const file = { key: 'k', ctimeNs: CHANGED_NS, isRestless: false };
  assert.equal(
    hasher.recall(file, () => 'early'),
    'early',
  );
  nowMs = 6_001;
  assert.equal(
    hasher.recall(file, () => 'late'),
    'late',
  );
  assert.equal(
    hasher.recall(file, () => assert.fail('known')),
    'late',
  );
});

test('what cannot be read is asked for again', () => {
  const hasher = new FileHasher(() => 60_000);
  const file = { key: 'k', ctimeNs: CHANGED_NS, isRestless: false };
  assert.equal(
    hasher.recall(file, () => undefined),
    undefined,
  );
  assert.equal(
    hasher.recall(file, () => 'h'),
    'h',
  );
});
