import assert from 'node:assert/strict';
import { test } from 'node:test';
import { CliError } from './cli-error.ts';
import { describeRuntimeChoice, parseRuntimeFlag } from './runtime-choice.ts';

test('a runtime is a socket or a store with its two directories', () => {
  assert.deepEqual(parseRuntimeFlag('/run/c.sock'), { address: '/run/c.sock' });
  assert.deepEqual(parseRuntimeFlag('containers-storage:/a+/b'), { containersStorage: { root: '/a', runRoot: '/b' } });
  assert.equal(parseRuntimeFlag('containers-storage').containersStorage?.root, '/var/lib/containers/storage');
  for (const bad of [
    '',
    'c.sock',
    'containers-storage:',
    'containers-storage:/a',
    'containers-storage:/a+b',
    'containers-storage:/a+/b+/c',
  ]) {
    assert.throws(() => parseRuntimeFlag(bad), CliError, bad);
  }
});

test('a choice is described by its places', () => {
  assert.equal(describeRuntimeChoice({ address: '/s', containersStorage: { root: '/a', runRoot: '/b' } }), '/s, /a');
});
