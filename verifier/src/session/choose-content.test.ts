import assert from 'node:assert/strict';
import { test } from 'node:test';
import { chooseContent } from './choose-content.ts';
import type { MissingContent } from './resolve-evidence.ts';

/** Sizes of these tests in bytes: what is small is another matter. */
const UNIT = 1_000_000;
const item = (digest: string, units: number): MissingContent => ({ digest, bytes: units * UNIT });
const choose = (
  missing: readonly MissingContent[],
  carriedUnits = 0,
  { left = 1_000, overdue = [] }: { left?: number; overdue?: string[] } = {},
) => {
  const allowance = {
    left: () => left * UNIT,
    leftForOwn: () => (left + 250) * UNIT,
    isOverdue: (digest: string) => overdue.includes(digest),
  };
  const own = new Set(['index']);
  return chooseContent(missing, { maxRoundBytes: 1_000 * UNIT, carriedBytes: carriedUnits * UNIT, allowance, own }).map(
    ({ digest }) => digest,
  );
};

test('the smallest come first, and what does not fit beside them is left out', () => {
  const missing = [item('large', 700), item('set', 0), item('small', 50), item('huge', 2_000), item('other', 100)];
  assert.deepEqual(choose(missing), ['set', 'small', 'other']);
  assert.deepEqual(choose([item('whole', 750)]), ['whole']);
  assert.deepEqual(choose([item('more', 751)]), []);
  assert.deepEqual(choose([]), []);
});

test('a quarter stays for the logs, and what came already counts', () => {
  assert.deepEqual(choose([item('a', 300), item('b', 300), item('c', 300)]), ['a', 'b']);
  assert.deepEqual(choose([item('a', 300), item('b', 300)], 400), ['a']);
  assert.deepEqual(choose([item('set', 0)], 760), []);
});

test('no more is asked for than the kube node may bring, and nothing where it may bring nothing', () => {
  const log: MissingContent = { digest: 'log', bytes: 400 * UNIT, isBootLog: true };
  assert.deepEqual(choose([item('a', 300), item('b', 300)], 0, { left: 500 }), ['a']);
  assert.deepEqual(choose([item('a', 300), log], 0, { left: 100 }), ['log']);
  assert.deepEqual(choose([item('set', 0)], 0, { left: 0 }), []);
});

test("what is the kube node's own has room of its own, whatever containers brought", () => {
  const log: MissingContent = { digest: 'log', bytes: 4 * UNIT, isBootLog: true };
  const missing = [item('set', 0), item('a', 300), item('index', 0), log];
  assert.deepEqual(choose(missing, 0, { left: 0 }), ['index', 'log']);
  assert.deepEqual(choose(missing, 0, { left: -249, overdue: ['a'] }), ['index', 'log']);
  assert.deepEqual(choose(missing, 0, { left: -250 }), []);
});

test('what is small waits for nothing but room', () => {
  const small = { digest: 'small', bytes: 16 * 1024 };
  const missing = [item('old', 500), { digest: 'larger', bytes: 16 * 1024 + 1 }, small];
  assert.deepEqual(choose(missing, 0, { left: 400, overdue: ['old'] }), ['small']);
  assert.deepEqual(choose(missing, 0, { left: 0.01, overdue: ['old'] }), []);
});

test('what earlier rounds had no room for comes before what is new, which does not take the room it waits for', () => {
  const missing = [item('old', 500), item('new', 100), item('older', 200)];
  assert.deepEqual(choose(missing, 0, { overdue: ['old', 'older'] }), ['older', 'old']);
  assert.deepEqual(choose(missing, 0, { left: 400, overdue: ['old', 'older'] }), ['older']);
  assert.deepEqual(choose(missing, 0, { left: 400, overdue: ['older'] }), ['older', 'new']);
});

test('the boot event log is asked for before anything of a container, however much there is of that', () => {
  const log: MissingContent = { digest: 'log', bytes: 400 * UNIT, isBootLog: true };
  const many = Array.from({ length: 20 }, (_, at) => item(`${at}`, 100));
  assert.deepEqual(choose([...many, log]), ['log', '0', '1', '2']);
  assert.deepEqual(choose([item('a', 1), log], 900), ['log']);
});
