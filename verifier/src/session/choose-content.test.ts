import assert from 'node:assert/strict';
import { test } from 'node:test';
import { chooseContent } from './choose-content.ts';
import type { MissingContent } from './resolve-evidence.ts';

const item = (digest: string, bytes: number): MissingContent => ({ digest, bytes });
const choose = (missing: readonly MissingContent[], carriedBytes = 0) =>
  chooseContent(missing, { maxRoundBytes: 1_000, carriedBytes }).map(({ digest }) => digest);

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

test('the boot event log is asked for before anything of a container, however much there is of that', () => {
  const log: MissingContent = { digest: 'log', bytes: 400, isBootLog: true };
  const many = Array.from({ length: 20 }, (_, at) => item(`${at}`, 100));
  assert.deepEqual(choose([...many, log]), ['log', '0', '1', '2']);
  assert.deepEqual(choose([item('a', 1), log], 900), ['log']);
});
