import assert from 'node:assert/strict';
import { test } from 'node:test';
import { status } from '@grpc/grpc-js';
import { AgentError } from '../agent-error.ts';
import { isNotFound, toRuntimeError } from './containerd-channel.ts';
import { createContainerdClient } from './containerd-client.ts';

const failure = (code: number) => Object.assign(new Error('x'), { code });
const codeOf = (error: unknown) => toRuntimeError('/s', error).code;

test('each failed call tells whose fault it is', () => {
  assert.equal(codeOf(failure(status.UNIMPLEMENTED)), 'ERR_AGENT_RUNTIME_SERVICE');
  assert.equal(codeOf(failure(status.PERMISSION_DENIED)), 'ERR_AGENT_RUNTIME_PERMISSION');
  assert.equal(codeOf(failure(status.UNAUTHENTICATED)), 'ERR_AGENT_RUNTIME_PERMISSION');
  assert.equal(codeOf(failure(status.RESOURCE_EXHAUSTED)), 'ERR_AGENT_RUNTIME_DATA');
  assert.equal(codeOf(failure(status.INTERNAL)), 'ERR_AGENT_RUNTIME_DATA');
  assert.equal(codeOf(failure(status.UNAVAILABLE)), 'ERR_AGENT_RUNTIME_UNAVAILABLE');
  assert.equal(codeOf(failure(status.DEADLINE_EXCEEDED)), 'ERR_AGENT_RUNTIME_UNAVAILABLE');
  assert.equal(codeOf('not even an error'), 'ERR_AGENT_RUNTIME_UNAVAILABLE');
});

test('the address stands in the message, and the first failure behind it', () => {
  const cause = failure(status.UNAVAILABLE);
  const error = toRuntimeError('/run/x.sock', cause);
  assert.ok(error.message.includes('/run/x.sock'));
  assert.equal(error.cause, cause);
  const own = new AgentError('ERR_AGENT_RUNTIME_DATA', 'own');
  assert.equal(toRuntimeError('/s', own), own);
});

test('what does not exist is told from what does not answer', () => {
  assert.equal(isNotFound(failure(status.NOT_FOUND)), true);
  assert.equal(isNotFound(failure(status.UNAVAILABLE)), false);
  assert.equal(isNotFound(Object.assign(new Error('x'), { code: 'ENOENT' })), false);
});

test('an address that is no absolute path is a mistake of the caller', () => {
  assert.throws(() => createContainerdClient({ address: 'containerd.sock' }), TypeError);
});
