import assert from 'node:assert/strict';
import { hash } from 'node:crypto';
import { test } from 'node:test';
import { create, type MessageInitShape } from '@bufbuild/protobuf';
import {
  type AttesterMessage,
  LogKind,
  type Receipt,
  RoundOutcome,
  type VerifierMessage,
  VerifierMessageSchema,
} from '@holdfast/proto';
import type { AgentError } from '../agent-error.ts';
import { FakeClock, settle } from '../fake-clock.test-support.ts';
import { fakeContent, fakeRound } from '../round/fake-round.test-support.ts';
import type { Round } from '../round/round.ts';
import { Conversation } from './conversation.ts';

const NONCES = ['a', 'b', 'c', 'd', 'e'].map((letter) => letter.repeat(43));

function createConversation(options: { backlog?: Round[]; sendFails?: boolean } = {}) {
  const clock = new FakeClock();
  const world = {
    clock,
    sent: [] as AttesterMessage['message'][],
    requests: 0,
    receipts: [] as [number, Receipt][],
    failures: [] as AgentError[],
    eventLog: undefined as Buffer | undefined,
    userspaceLog: undefined as Buffer | undefined,
    ima: [] as Buffer[],
  };
  const conversation = new Conversation({
    hello: { kubeNode: 'worker-1', ueid: 'ueid', agentVersion: '0.1.0' },
    clock,
    send: async ({ message }) => {
      if (options.sendFails === true) throw new Error('gone');
      world.sent.push(message);
    },
    listBacklog: () => options.backlog ?? [],
    requestRound: () => {
      world.requests += 1;
    },
    readEventLog: () => world.eventLog,
    readUserspaceLog: () => world.userspaceLog,
    readImaSegment: (offset) => {
      const content = Buffer.concat(world.ima.slice(offset));
      return content.length === 0 ? undefined : { offset, content, next: world.ima.length };
    },
    findContent: (digest) => (digest === hash('sha256', 'newest') ? Buffer.from('newest') : undefined),
    onReceipt: async (round, receipt) => {
      world.receipts.push([round.record.seq, receipt]);
    },
    onFailure: (error) => world.failures.push(error),
  });
  const say = async (message: MessageInitShape<typeof VerifierMessageSchema>['message']) => {
    const verifierMessage: VerifierMessage = create(VerifierMessageSchema, message === undefined ? {} : { message });
    await conversation.receive(verifierMessage);
    await settle();
  };
  const challenge = (at: number) => {
    const expiresAt = { seconds: BigInt(Math.floor(clock.nowMs() / 1000) + 60), nanos: 0 };
    return { nonce: NONCES[at] ?? '', expiresAt };
  };
  const acknowledge = (round: Round, next: number | undefined, code = '') =>
    say({
      case: 'receipt',
      value: {
        evidenceId: Buffer.from(round.record.evidenceId, 'hex'),
        outcome: code === '' ? RoundOutcome.APPRAISED : RoundOutcome.REFUSED,
        code,
        ...(next === undefined ? {} : { next: challenge(next) }),
      },
    });
  const lastEvidence = () => {
    const last = world.sent.at(-1);
    assert.equal(last?.case, 'evidence');
    return last.value;
  };
  return { conversation, world, say, challenge, acknowledge, lastEvidence };
}

test('hello comes first, and evidence only after a challenge', async () => {
  const { conversation, world, say, challenge } = createConversation();
  await conversation.start();
  assert.equal(world.sent[0]?.case, 'hello');
  conversation.offer(fakeRound(0));
  await settle();
  assert.equal(world.sent.length, 1);
  assert.equal(conversation.isChallenged, false);
  await say({ case: 'challenge', value: challenge(0) });
  assert.equal(conversation.isChallenged, true);
  assert.equal(conversation.nonce, NONCES[0]);
  assert.equal(world.requests, 1);
});

test('what was not sent yet goes first, one round after another', async () => {
  const backlog = [fakeRound(0), fakeRound(1)];
  const { conversation, world, say, challenge, acknowledge, lastEvidence } = createConversation({ backlog });
  await conversation.start();
  await say({ case: 'challenge', value: challenge(0) });
  const fresh = fakeRound(2, { nonces: [NONCES[0] ?? ''] });
  conversation.offer(fresh);
  for (const round of [...backlog, fresh]) {
    assert.equal(lastEvidence().token.value, round.record.token);
    await acknowledge(round, 1);
  }
  assert.deepEqual(
    world.receipts.map(([seq]) => seq),
    [0, 1, 2],
  );
});

test('a round that is in the backlog already is not sent twice', async () => {
  const round = fakeRound(0);
  const { conversation, world, say, challenge, acknowledge } = createConversation({ backlog: [round] });
  await conversation.start();
  await say({ case: 'challenge', value: challenge(0) });
  conversation.offer(round);
  await acknowledge(round, 1);
  assert.equal(world.sent.filter((message) => message.case === 'evidence').length, 1);
});

test('claims-sets travel until the verifier confirmed them, and again only when they change', async () => {
  const { conversation, say, challenge, acknowledge, lastEvidence } = createConversation();
  await conversation.start();
  await say({ case: 'challenge', value: challenge(0) });
  const blob = Buffer.from('an inventory');
  const first = fakeRound(0, { content: fakeContent('', [blob]), nonces: NONCES });
  conversation.offer(first);
  await settle();
  assert.equal(lastEvidence().token.case, 'bundle');
  assert.deepEqual(
    lastEvidence().blobs.map(({ content }) => Buffer.from(content).toString()),
    ['container'],
  );
  await acknowledge(first, 1);
  const second = fakeRound(1, { content: fakeContent('', [blob]), nonces: NONCES });
  conversation.offer(second);
  await settle();
  assert.equal(lastEvidence().token.case, 'jwt');
  assert.deepEqual(lastEvidence().blobs, []);
  await acknowledge(second, 2);
  const other = Buffer.from('another inventory');
  conversation.offer(fakeRound(2, { content: fakeContent('!', [blob, other]), nonces: NONCES }));
  await settle();
  assert.equal(lastEvidence().token.case, 'bundle');
  const blobs = lastEvidence().blobs.map(({ content }) => Buffer.from(content).toString());
  assert.deepEqual(blobs, ['container!', 'another inventory']);
});

test('a need is answered from the round, then from the newest, and what is not to be had is left out', async () => {
  const { conversation, world, say, challenge } = createConversation();
  await conversation.start();
  await say({ case: 'challenge', value: challenge(0) });
  const content = fakeContent('', [Buffer.from('inventory')]);
  const round = fakeRound(0, { content });
  conversation.offer(round);
  await settle();
  const digests = [content.digests.kernel, hash('sha256', 'inventory'), hash('sha256', 'newest'), 'ab'.repeat(32)];
  const evidenceId = Buffer.from(round.record.evidenceId, 'hex');
  await say({ case: 'need', value: { evidenceId, digests: digests.map((digest) => Buffer.from(digest, 'hex')) } });
  const supply = world.sent.at(-1);
  assert.equal(supply?.case, 'supply');
  const blobs = supply.value.blobs.map((blob) => Buffer.from(blob.content).toString());
  assert.deepEqual(blobs, [content.sets.kernel.toString(), 'inventory', 'newest']);
});

test('logs travel beside the token: the event log once, the IMA list from where the verifier is', async () => {
  const { conversation, world, say, challenge, acknowledge, lastEvidence } = createConversation();
  world.eventLog = Buffer.from('event log');
  world.ima = [Buffer.from('one'), Buffer.from('two')];
  await conversation.start();
  await say({ case: 'challenge', value: challenge(0) });
  const first = fakeRound(0, { nonces: NONCES });
  conversation.offer(first);
  await settle();
  const logs = () =>
    lastEvidence().logs.map(({ kind, offset, content }) => [kind, offset, Buffer.from(content).toString()]);
  assert.deepEqual(logs(), [
    [LogKind.BOOT, 0n, 'event log'],
    [LogKind.IMA, 0n, 'onetwo'],
  ]);
  await acknowledge(first, 1);
  world.ima.push(Buffer.from('three'));
  const second = fakeRound(1, { nonces: NONCES });
  conversation.offer(second);
  await settle();
  assert.deepEqual(logs(), [[LogKind.IMA, 2n, 'three']]);
  const evidenceId = Buffer.from(second.record.evidenceId, 'hex');
  const needed = [
    { kind: LogKind.IMA, offset: 1n },
    { kind: LogKind.BOOT, offset: 0n },
    { kind: LogKind.IMA, offset: 9n },
  ];
  await say({ case: 'need', value: { evidenceId, logs: needed } });
  const supply = world.sent.at(-1);
  assert.equal(supply?.case, 'supply');
  assert.deepEqual(
    supply.value.logs.map((log) => Buffer.from(log.content).toString()),
    ['twothree', 'event log'],
  );
});

test("the operating system's log travels whole, again only when it has grown, and when it is asked for", async () => {
  const { conversation, world, say, challenge, acknowledge, lastEvidence } = createConversation();
  world.userspaceLog = Buffer.from('sysinit');
  await conversation.start();
  await say({ case: 'challenge', value: challenge(0) });
  const logs = () => lastEvidence().logs.map(({ kind, content }) => [kind, Buffer.from(content).toString()]);
  const first = fakeRound(0, { nonces: NONCES });
  conversation.offer(first);
  await settle();
  assert.deepEqual(logs(), [[LogKind.USERSPACE, 'sysinit']]);
  await acknowledge(first, 1);
  const second = fakeRound(1, { nonces: NONCES });
  conversation.offer(second);
  await settle();
  assert.deepEqual(logs(), []);
  world.userspaceLog = Buffer.from('sysinit ready');
  const needed = [
    { kind: LogKind.USERSPACE, offset: 0n },
    { kind: LogKind.USERSPACE, offset: 1n },
  ];
  await say({ case: 'need', value: { evidenceId: Buffer.from(second.record.evidenceId, 'hex'), logs: needed } });
  const supply = world.sent.at(-1);
  assert.equal(supply?.case, 'supply');
  assert.deepEqual(
    supply.value.logs.map(({ content }) => Buffer.from(content).toString()),
    ['sysinit ready'],
  );
  await acknowledge(second, 2);
  const third = fakeRound(2, { nonces: NONCES });
  conversation.offer(third);
  await settle();
  assert.deepEqual(logs(), [[LogKind.USERSPACE, 'sysinit ready']]);
});

test('a nonce is of use until shortly before it ends, and the next receipt replaces it', async () => {
  const { conversation, world, say, challenge, acknowledge } = createConversation();
  await conversation.start();
  await say({ case: 'challenge', value: challenge(0) });
  await world.clock.advance(55_000);
  assert.equal(conversation.nonce, NONCES[0]);
  await world.clock.advance(5_000);
  assert.equal(conversation.nonce, undefined);
  const round = fakeRound(0);
  conversation.offer(round);
  await acknowledge(round, 1);
  assert.equal(conversation.nonce, NONCES[1]);
});

test('with clocks that do not agree a nonce is held for a cautious time', async () => {
  const { conversation, world, say, challenge } = createConversation();
  await conversation.start();
  const value = challenge(0);
  world.clock.wallOffsetMs += 3_600_000;
  await say({ case: 'challenge', value });
  await world.clock.advance(42_000);
  assert.equal(conversation.nonce, NONCES[0]);
  await world.clock.advance(2_000);
  assert.equal(conversation.nonce, undefined);
});

test('after a round that answered nothing a fresh one is asked for, after one that did none', async () => {
  const { conversation, world, say, challenge, acknowledge } = createConversation();
  await conversation.start();
  await say({ case: 'challenge', value: challenge(0) });
  world.requests = 0;
  const history = fakeRound(0);
  conversation.offer(history);
  await acknowledge(history, 1);
  assert.equal(world.requests, 1);
  const fresh = fakeRound(1, { nonces: [NONCES[1] ?? ''] });
  conversation.offer(fresh);
  await acknowledge(fresh, 2);
  assert.equal(world.requests, 1);
});

test('after a refusal a fresh round is asked for with growing pauses', async () => {
  const { conversation, world, say, challenge, acknowledge } = createConversation();
  await conversation.start();
  await say({ case: 'challenge', value: challenge(0) });
  world.requests = 0;
  for (const [at, pauseMs] of [1_000, 2_000, 4_000].entries()) {
    const round = fakeRound(at, { nonces: NONCES });
    conversation.offer(round);
    await acknowledge(round, 1, 'ERR_EVIDENCE_BINDING');
    await world.clock.advance(pauseMs - 1);
    assert.equal(world.requests, at);
    await world.clock.advance(1);
    assert.equal(world.requests, at + 1);
  }
});

test('evidence that the verifier has from elsewhere is no refusal', async () => {
  const { conversation, world, say, challenge, acknowledge } = createConversation();
  await conversation.start();
  await say({ case: 'challenge', value: challenge(0) });
  world.requests = 0;
  const round = fakeRound(0, { nonces: NONCES });
  conversation.offer(round);
  await acknowledge(round, 1, 'ERR_VERIFIER_REPLAY');
  await world.clock.advance(59_000);
  assert.equal(world.requests, 0);
  assert.deepEqual(world.failures, []);
});

test('a verifier that says nothing in time ends the conversation', async () => {
  const silent = createConversation();
  await silent.conversation.start();
  await silent.world.clock.advance(20_000);
  assert.match(silent.world.failures[0]?.message ?? '', /no challenge in time/);
  const { conversation, world, say, challenge } = createConversation();
  await conversation.start();
  await say({ case: 'challenge', value: challenge(0) });
  conversation.offer(fakeRound(0));
  await world.clock.advance(60_000);
  assert.match(world.failures[0]?.message ?? '', /no receipt in time/);
  assert.equal(world.failures.length, 1);
});

const disorders: [string, MessageInitShape<typeof VerifierMessageSchema>['message']][] = [
  ['an empty message', undefined],
  ['a receipt for nothing', { case: 'receipt', value: { evidenceId: Buffer.alloc(32) } }],
  ['a need for nothing', { case: 'need', value: { evidenceId: Buffer.alloc(32) } }],
  ['a nonce that is too short', { case: 'challenge', value: { nonce: 'short' } }],
  ['a nonce with odd characters', { case: 'challenge', value: { nonce: `${'a'.repeat(42)}!` } }],
];

for (const [name, message] of disorders) {
  test(`${name} ends the conversation`, async () => {
    const { conversation, world, say } = createConversation();
    await conversation.start();
    await say(message);
    assert.equal(world.failures[0]?.code, 'ERR_AGENT_CONVERSATION');
    assert.equal(conversation.nonce, undefined);
  });
}

test('a need for other evidence than the one under way ends the conversation', async () => {
  const { conversation, world, say, challenge } = createConversation();
  await conversation.start();
  await say({ case: 'challenge', value: challenge(0) });
  conversation.offer(fakeRound(0));
  await settle();
  await say({ case: 'need', value: { evidenceId: Buffer.from(fakeRound(1).record.evidenceId, 'hex') } });
  assert.equal(world.failures.length, 1);
});

test('a verifier that needs without end is left', async () => {
  const { conversation, world, say, challenge } = createConversation();
  await conversation.start();
  await say({ case: 'challenge', value: challenge(0) });
  const round = fakeRound(0);
  conversation.offer(round);
  await settle();
  const evidenceId = Buffer.from(round.record.evidenceId, 'hex');
  for (let count = 0; count < 64; count += 1) await say({ case: 'need', value: { evidenceId } });
  assert.equal(world.failures.length, 0);
  await say({ case: 'need', value: { evidenceId } });
  assert.equal(world.failures.length, 1);
});

test('a stream that breaks is told once, and nothing is sent after it', async () => {
  const { conversation, world, say, challenge } = createConversation({ sendFails: true });
  await assert.rejects(conversation.start());
  await say({ case: 'challenge', value: challenge(0) });
  conversation.offer(fakeRound(0));
  await settle();
  conversation.offer(fakeRound(1));
  await settle();
  assert.equal(world.failures.length, 1);
  conversation.close();
  assert.equal(world.clock.timers, 0);
});
