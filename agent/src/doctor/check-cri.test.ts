import assert from 'node:assert/strict';
import { test } from 'node:test';
import { AgentError } from '../agent-error.ts';
import { checkCri } from './check-cri.ts';

const client = { isServed: async () => true, listContainers: async () => [], listSandboxes: async () => [] };

test('a CRI works, is not there, or is weaker where it does not answer', async () => {
  const statusOf = async (change: Partial<typeof client>) => (await checkCri({ ...client, ...change }, '/s')).status;
  assert.equal(await statusOf({}), 'works');
  assert.equal(await statusOf({ isServed: async () => false }), 'skipped');
  const fails = () => Promise.reject(new AgentError('ERR_AGENT_RUNTIME_UNAVAILABLE', 'no'));
  assert.equal(await statusOf({ listContainers: fails }), 'weaker');
  await assert.rejects(statusOf({ listContainers: () => Promise.reject(new TypeError('bug')) }), TypeError);
});
