import assert from 'node:assert/strict';
import { test } from 'node:test';
import { create } from '@bufbuild/protobuf';
import { type Receipt, RoundOutcome, type VerifierMessage, VerifierMessageSchema } from '@holdfast/proto';
import { FakeClock, settle } from '../fake-clock.test-support.ts';
import { ChainStore } from '../round/chain-store.ts';
import { fakeRound } from '../round/fake-round.test-support.ts';
import type { Round } from '../round/round.ts';
import { FakeStateDirectory } from '../state/fake-state-directory.test-support.ts';
import { ConversationHub } from './conversation-hub.ts';

/** A round whose token a key of this `kid` signed. */
function signedBy(kid: string, seq: number): Round {
  const round = fakeRound(seq);
  return { ...round, record: { ...round.record, kid } };
}

/** A hub whose present key is `new`, in conversation with a Verifier that says what the test says. */
async function converse(rounds: readonly Round[], confirms = true) {
  const state = new FakeStateDirectory();
  const chain = await ChainStore.open(
    { state, randomBytes: (size) => Buffer.alloc(size), onBegun: () => undefined },
    'ek',
  );
  for (const { record } of rounds) await chain.add(record);
  const clock = new FakeClock();
  const hub = new ConversationHub({
    chain,
    clock,
    kubeNode: 'worker-1',
    readFacts: async () => ({ ueid: 'ueid', kid: 'new', retiredKid: 'old' }),
    requestRound: () => undefined,
    readEventLog: () => undefined,
    readUserspaceLog: () => undefined,
    readImaSegment: () => undefined,
    onTaken: () => undefined,
  });
  const messages = new TransformStream<VerifierMessage, VerifierMessage>();
  const writer = messages.writable.getWriter();
  const heard: Receipt[] = [];
  const done = hub.converse({
    stream: { messages: messages.readable, send: async () => undefined, abort: () => undefined },
    confirms,
    onReceipt: (receipt) => {
      heard.push(receipt);
      if (receipt.code === 'ERR_EVIDENCE_KEY') throw new Error('the verifier knows no such key');
    },
  });
  const next = {
    nonce: 'n'.repeat(43),
    expiresAt: { seconds: BigInt(Math.floor(clock.nowMs() / 1000) + 60), nanos: 0 },
  };
  const say = async (message: Parameters<typeof create<typeof VerifierMessageSchema>>[1]) => {
    await writer.write(create(VerifierMessageSchema, message));
    await settle();
  };
  await say({ message: { case: 'challenge', value: next } });
  const refuse = (round: Round, code: string) =>
    say({
      message: {
        case: 'receipt',
        value: {
          evidenceId: Buffer.from(round.record.evidenceId, 'hex'),
          outcome: RoundOutcome.REFUSED,
          code,
          next,
        },
      },
    });
  return { state, chain, hub, heard, refuse, end: () => writer.close(), done };
}

const listLost = (chain: ChainStore) => chain.chain.lost.map(({ from, to }) => [from, to]);
const listUnsent = (chain: ChainStore) => chain.chain.unsent.map(({ seq }) => seq);

test('a token of the key before the present one that is refused for its key is given up, and told as lost', async () => {
  const [old, present] = [signedBy('old', 0), signedBy('new', 1)];
  const { chain, heard, refuse, end, done } = await converse([old, present]);
  await refuse(old, 'ERR_EVIDENCE_KEY');
  assert.deepEqual(listUnsent(chain), [1]);
  assert.deepEqual(listLost(chain), [[0, 0]]);
  assert.deepEqual(heard, []);
  await end();
  await done;
});

test('a token of the present key that is refused for its key ends the conversation and is kept', async () => {
  const present = signedBy('new', 0);
  const { chain, refuse, end, done } = await converse([present]);
  const ended = assert.rejects(done);
  await refuse(present, 'ERR_EVIDENCE_KEY');
  await end();
  await ended;
  assert.deepEqual(listUnsent(chain), [0]);
});

test('a token of the key before that is refused for another reason, or by a verifier that does not count, is told', async () => {
  const old = signedBy('old', 0);
  const other = await converse([old]);
  await other.refuse(old, 'ERR_EVIDENCE_QUOTE');
  await other.end();
  await other.done;
  assert.deepEqual(
    other.heard.map(({ code }) => code),
    ['ERR_EVIDENCE_QUOTE'],
  );
  const second = await converse([old], false);
  const ended = assert.rejects(second.done);
  await second.refuse(old, 'ERR_EVIDENCE_KEY');
  await second.end();
  await ended;
  assert.deepEqual(listUnsent(second.chain), [0]);
});

test('what a verifier refuses is told as lost, and what it has already is not', async () => {
  const rounds = [signedBy('new', 0), signedBy('new', 1), signedBy('new', 2)] as const;
  const { chain, heard, refuse, end, done } = await converse(rounds);
  await refuse(rounds[0], 'ERR_VERIFIER_TLS_BINDING');
  assert.deepEqual([listUnsent(chain), listLost(chain)], [[1, 2], [[0, 0]]]);
  await refuse(rounds[1], 'ERR_VERIFIER_REPLAY');
  // The loss stays: no token that names it was taken.
  assert.deepEqual([listUnsent(chain), listLost(chain)], [[2], [[0, 0]]]);
  await refuse(rounds[2], 'ERR_EVIDENCE_QUOTE');
  assert.deepEqual(listUnsent(chain), []);
  assert.equal(heard.length, 3);
  await end();
  await done;
});

test('what a verifier that does not count refuses is not lost', async () => {
  const round = signedBy('new', 0);
  const { chain, heard, refuse, end, done } = await converse([round], false);
  await refuse(round, 'ERR_VERIFIER_TLS_BINDING');
  assert.deepEqual([listUnsent(chain), listLost(chain), heard.length], [[0], [], 1]);
  await end();
  await done;
});

test('an agent whose evidence is refused for good keeps no more than the ranges that a token declares', async () => {
  const { state, chain, hub, refuse, end, done } = await converse([]);
  for (let seq = 0; seq < 400; seq += 1) {
    const round = signedBy('new', seq);
    // Kinds that take turns never merge by themselves.
    const record = { ...round.record, kind: seq % 2 === 0 ? ('change' as const) : ('heartbeat' as const) };
    await chain.add(record);
    hub.publish({ ...round, record });
    await refuse(round, 'ERR_VERIFIER_TLS_BINDING');
  }
  assert.deepEqual(listUnsent(chain), []);
  const lost = listLost(chain);
  assert.ok(lost.length <= 64);
  assert.deepEqual([lost[0]?.[0], lost.at(-1)?.[1]], [0, 399]);
  assert.ok((state.files.get('chain.journal')?.length ?? 0) < 1024 * 1024);
  await end();
  await done;
});
