import assert from 'node:assert/strict';
import { test } from 'node:test';
import { setImmediate as turn } from 'node:timers/promises';
import { AgentError } from '../agent-error.ts';
import type { LayerDifference } from '../layer/proof/layer-difference.ts';
import type { ProofReply, ProofRequest } from '../scan/scan-protocol.ts';
import { ScanFailure } from '../scan/worker-lane.ts';
import { LayerProofs } from './layer-proofs.ts';

type Asked = Omit<ProofRequest, 'kind'>;
const BLOB = { digest: 'sha256:b', mediaType: 'm', from: { path: '/b' } };
const LAYER = {
  group: 'one',
  directory: '/l',
  diffId: 'sha256:d',
  lowers: [],
  blob: BLOB,
};

function createWorld(answer: (request: Asked, call: number) => ProofReply | Error) {
  const asked: Asked[] = [];
  const changes: [string, boolean][] = [];
  let nowMs = 0;
  const proofs = new LayerProofs({
    scanner: {
      prove: async (request) => {
        asked.push(request);
        const reply = answer(request, asked.length);
        if (reply instanceof Error) throw reply;
        return reply;
      },
    },
    clock: { monotonicMs: () => nowMs },
    onChange: (directory, isMoved) => changes.push([directory, isMoved]),
  });
  const pass = async (ms: number) => {
    nowMs += ms;
    await turn();
  };
  return { proofs, asked, changes, pass };
}

const reply = (proof: ProofReply['proof'], overrides: Partial<ProofReply> = {}): ProofReply => ({
  proof,
  digest: { fingerprint: 'f', content: 'c' },
  differing: [],
  limit: undefined,
  ...overrides,
});
const DIFFERENCE: LayerDifference = { path: '/bin/x', field: 'sha256', expected: 'aa', actual: 'bb' };
const failure = (reason: string) => new AgentError('ERR_AGENT_SCAN', 'x', { cause: new ScanFailure(reason, 'x') });

test('a layer is pending until it was compared, then proven once', async () => {
  const { proofs, asked, changes, pass } = createWorld(() => reply('content'));
  proofs.ensure(LAYER);
  assert.deepEqual(proofs.read('/l'), { proof: 'none', limits: ['proofPending'] });
  await pass(1);
  proofs.ensure(LAYER);
  assert.deepEqual(proofs.read('/l'), { proof: 'content', limits: [] });
  assert.equal(asked.length, 1);
  assert.deepEqual(changes, [['/l', false]]);
});

test('differences are named, and no proof is left', async () => {
  const { proofs, pass } = createWorld(() => reply('none', { differing: [DIFFERENCE] }));
  proofs.ensure(LAYER);
  await pass(1);
  assert.deepEqual(proofs.read('/l'), {
    proof: 'none',
    limits: ['layerContent:/bin/x'],
    differing: [DIFFERENCE],
  });
});

test('a check hands on what is known, and changes nothing where that holds', async () => {
  const { proofs, asked, changes, pass } = createWorld((_request, call) => reply(call === 1 ? 'content' : 'known'));
  proofs.ensure(LAYER);
  await pass(1);
  proofs.check('/l');
  await pass(1);
  assert.deepEqual(asked[1]?.known, { fingerprint: 'f', content: 'c' });
  assert.equal(changes.length, 1);
  assert.equal(proofs.generationOf('/l'), 0);
});

test('what moves while a layer is compared is looked for after that, once', async () => {
  const { proofs, asked, pass } = createWorld((_request, call) => reply(call === 1 ? 'content' : 'known'));
  proofs.ensure(LAYER);
  proofs.check('/l');
  proofs.check('/l');
  await pass(1);
  await pass(1);
  assert.equal(asked.length, 2);
  await pass(1);
  assert.equal(asked.length, 2);
});

test('a layer that moved voids the scans that rest on it', async () => {
  const moved = reply('none', { digest: { fingerprint: 'g', content: null }, differing: [DIFFERENCE] });
  const { proofs, changes, pass } = createWorld((_request, call) => (call === 1 ? reply('content') : moved));
  proofs.ensure(LAYER);
  await pass(1);
  proofs.check('/l');
  await pass(1);
  assert.deepEqual(changes.at(-1), ['/l', true]);
  assert.equal(proofs.generationOf('/l'), 1);
});

test('a layer whose proof rests on one below is looked at again when that moves', async () => {
  const digest = { fingerprint: 'f', content: 'c', implied: { paths: ['etc'], digest: 'd' } };
  const { proofs, asked, pass } = createWorld(({ directory, known }) => {
    if (directory === '/above') return reply(known === null ? 'content' : 'known', { digest });
    return reply(known === null ? 'content' : 'none', { differing: known === null ? [] : [DIFFERENCE] });
  });
  proofs.ensure(LAYER);
  proofs.ensure({ ...LAYER, directory: '/above', lowers: ['/l'] });
  await pass(1);
  proofs.check('/l');
  await pass(1);
  await pass(1);
  assert.deepEqual(
    asked.map(({ directory, lowers }) => [directory, ...lowers]),
    [['/l'], ['/above', '/l'], ['/l'], ['/above', '/l']],
  );
});

test('a failed comparison is no proof and is tried again at the next check', async () => {
  const { proofs, pass } = createWorld((_request, call) => (call === 1 ? failure('time') : reply('content')));
  proofs.ensure(LAYER);
  await pass(1);
  assert.deepEqual(proofs.read('/l'), { proof: 'none', limits: ['layerProof:time'] });
  proofs.checkAll(1_000);
  await pass(1);
  assert.deepEqual(proofs.read('/l'), { proof: 'content', limits: [] });
});

test('a scrub is asked for once in its period', async () => {
  const { proofs, asked, pass } = createWorld((_request, call) => reply(call === 1 ? 'content' : 'known'));
  proofs.ensure(LAYER);
  await pass(1);
  for (const ms of [10, 2_000, 10]) {
    await pass(ms);
    proofs.checkAll(1_000);
    await pass(0);
  }
  assert.deepEqual(
    asked.map(({ scrub }) => scrub),
    [false, false, true, false],
  );
});

test('a blob that turns up later is used', async () => {
  const { proofs, asked, pass } = createWorld(({ blob }) => reply(blob === null ? 'firstUse' : 'content'));
  proofs.ensure({ ...LAYER, blob: null });
  await pass(1);
  assert.equal(proofs.read('/l').proof, 'firstUse');
  proofs.ensure(LAYER);
  await pass(1);
  proofs.ensure({ ...LAYER, blob: null });
  await pass(1);
  assert.equal(proofs.read('/l').proof, 'content');
  assert.equal(asked.length, 2);
});

test('a layer that no container uses is forgotten', async () => {
  const { proofs, pass } = createWorld(() => reply('content'));
  proofs.ensure(LAYER);
  await pass(1);
  proofs.keepOnly(new Set());
  assert.equal(proofs.read('/l').proof, 'none');
});
