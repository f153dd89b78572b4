import assert from 'node:assert/strict';
import { test } from 'node:test';
import { RootfsError } from '@holdfast/rootfs';
import { AgentError } from '../agent-error.ts';
import { readLookFailure } from './container-look.ts';

test('what runtime or kernel refuse is a limit of the container', () => {
  const refused = Object.assign(new Error('EIO: i/o error, read'), { code: 'EIO', syscall: 'read' });
  assert.equal(readLookFailure(refused), 'EIO');
  assert.equal(readLookFailure(new AgentError('ERR_AGENT_RUNTIME_ADDRESS', 'no answer')), 'ERR_AGENT_RUNTIME_ADDRESS');
  const system = new RootfsError('ERR_ROOTFS_SYSTEM', 'statx', { errno: 5, syscall: 'statx' });
  assert.equal(readLookFailure(system), 'ERR_ROOTFS_SYSTEM');
});

test('a fault of this program is none', () => {
  assert.equal(readLookFailure(new TypeError('x is not a function')), undefined);
  assert.equal(readLookFailure(Object.assign(new TypeError('bad'), { code: 'ERR_INVALID_ARG_TYPE' })), undefined);
  assert.equal(readLookFailure('text'), undefined);
});
