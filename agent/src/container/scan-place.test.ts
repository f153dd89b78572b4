import assert from 'node:assert/strict';
import { test } from 'node:test';
import { ScanPlace } from './scan-place.ts';

const MAX_MS = 120_000;

test('a container is scanned among the others until a scan does not fit, then apart with more time', () => {
  const place = new ScanPlace();
  const first = place.choose(MAX_MS);
  assert.deepEqual(first, { budgetMs: 2_000, isSlow: false });
  assert.equal(place.enlarge(first, MAX_MS), true);
  const budgets: number[] = [];
  let next = place.choose(MAX_MS);
  do {
    assert.equal(next.isSlow, true);
    budgets.push(next.budgetMs);
    const isEnlarged = place.enlarge(next, MAX_MS);
    if (!isEnlarged) break;
    next = place.choose(MAX_MS);
  } while (budgets.length < 10);
  assert.deepEqual(budgets, [10_000, 30_000, 90_000, 120_000]);
});

test('where little time is allowed at all there is one place', () => {
  const place = new ScanPlace();
  const only = place.choose(500);
  assert.deepEqual(only, { budgetMs: 500, isSlow: true });
  assert.equal(place.enlarge(only, 500), false);
});

test('each move apart lasts for twice as many scans', () => {
  const place = new ScanPlace();
  const countApart = (): number => {
    place.enlarge(place.choose(MAX_MS), MAX_MS);
    for (let scans = 0; ; scans += 1) {
      if (!place.choose(MAX_MS).isSlow) return scans;
      place.finish(10);
    }
  };
  assert.deepEqual([countApart(), countApart(), countApart()], [2, 4, 8]);
});

test('one that stays slow stays apart', () => {
  const place = new ScanPlace();
  place.enlarge(place.choose(MAX_MS), MAX_MS);
  for (let scans = 0; scans < 20; scans += 1) place.finish(5_000);
  assert.equal(place.choose(MAX_MS).isSlow, true);
  place.finish(10);
  assert.equal(place.choose(MAX_MS).isSlow, false);
});
