import assert from 'node:assert/strict';
import { randomBytes } from 'node:crypto';
import { test } from 'node:test';
import { AgentError } from '../agent-error.ts';
import { FakeStateDirectory } from '../state/fake-state-directory.test-support.ts';
import { encodeChainEvent, encodeChainState, parseChainJournal } from './chain-journal.ts';
import { addRecord, type ChainState, chooseLosses, confirmRecord, createChain, dropRecords } from './chain-state.ts';
import { ChainStore } from './chain-store.ts';
import { computeEvidenceId, type RoundKind, type RoundRecord } from './round-record.ts';

const OWNER = '000b'.padEnd(68, 'a');

function record(seq: number, kind: RoundKind = 'change'): RoundRecord {
  const token = `h${seq}.p${seq}.s`;
  return { seq, kind, kid: 'kid', token, evidenceId: computeEvidenceId(token) };
}

function openStore(state: FakeStateDirectory, owner = OWNER) {
  const begun: string[] = [];
  const store = ChainStore.open({ state, randomBytes, onBegun: (reason) => begun.push(reason) }, owner);
  return store.then((chain) => ({ chain, begun }));
}

function chainOf(records: RoundRecord[]): ChainState {
  return records.reduce((state, each) => addRecord(state, each), createChain('c'.repeat(22), OWNER));
}

test('a chain begins once and goes on in another run', async () => {
  const state = new FakeStateDirectory();
  const { chain, begun } = await openStore(state);
  assert.deepEqual(begun, ['firstStart']);
  await chain.add(record(0));
  await chain.add(record(1));
  await chain.confirm(0);
  await chain.close();
  const again = await openStore(state);
  assert.deepEqual(again.begun, []);
  assert.deepEqual(again.chain.chain, chain.chain);
  assert.equal(again.chain.chain.head?.seq, 1);
  assert.deepEqual(
    again.chain.chain.unsent.map(({ seq }) => seq),
    [1],
  );
});

test('the head survives when every token was received', async () => {
  const state = new FakeStateDirectory();
  const { chain } = await openStore(state);
  await chain.add(record(0));
  await chain.confirm(0);
  await chain.close();
  const { chain: again } = await openStore(state);
  assert.deepEqual(again.chain.head, { seq: 0, evidenceId: record(0).evidenceId });
  assert.equal(again.chain.chain, chain.chain.chain);
});

test('a receipt is written with the next token; before that the token is sent once more after a power cut', async () => {
  const state = new FakeStateDirectory();
  const { chain } = await openStore(state);
  await chain.add(record(0));
  const { writes } = state;
  await chain.confirm(0);
  assert.equal(state.writes, writes);
  assert.deepEqual(chain.chain.unsent, []);
  const afterCut = parseChainJournal(state.files.get('chain.journal') ?? Buffer.alloc(0));
  assert.deepEqual(
    afterCut?.unsent.map(({ seq }) => seq),
    [0],
  );
  await chain.add(record(1));
  assert.equal(state.writes, writes + 1);
  assert.deepEqual(parseChainJournal(state.files.get('chain.journal') ?? Buffer.alloc(0)), chain.chain);
  await chain.close();
  assert.equal(state.writes, writes + 1);
});

test('a loss that came while a token was made is declared by the next one, and not forgotten with a receipt before', async () => {
  const state = new FakeStateDirectory();
  const { chain } = await openStore(state);
  for (const seq of [0, 1, 2]) await chain.add(record(seq));
  await chain.giveUp(record(0));
  const declared = chain.chain.lost;
  await chain.giveUp(record(2));
  await chain.add(record(3), declared);
  const late = { from: 2, to: 2, kind: 'change', declaredIn: 4 };
  assert.deepEqual(chain.chain.lost, [{ from: 0, to: 0, kind: 'change', declaredIn: 3 }, late]);
  assert.deepEqual((await openStore(state)).chain.chain, chain.chain);
  await chain.confirm(3);
  assert.deepEqual(chain.chain.lost, [late]);
  await chain.add(record(4), chain.chain.lost);
  await chain.confirm(4);
  assert.deepEqual(chain.chain.lost, []);
});

test('a disk that is gone when it is closed is told, and costs no token', async () => {
  const state = new FakeStateDirectory();
  const { chain } = await openStore(state);
  await chain.add(record(0));
  await chain.confirm(0);
  state.failWrites = true;
  await assert.rejects(chain.close(), /no space/);
  state.failWrites = false;
  await chain.add(record(1));
  assert.deepEqual((await openStore(state)).chain.chain, chain.chain);
});

test('calls that come while a slow disk still writes are carried out one after another', async () => {
  const state = new FakeStateDirectory();
  const { chain } = await openStore(state);
  const seqs = [0, 1, 2, 3];
  const { promise: isReleased, resolve: release } = Promise.withResolvers<void>();
  state.beforeWrite = () => isReleased;
  const calls = seqs.map((seq) => chain.add(record(seq)));
  calls.push(chain.giveUp(record(1)), chain.confirm(0), chain.retireOthers('kid'), chain.close());
  release();
  await Promise.all(calls);
  assert.deepEqual(
    chain.chain.unsent.map(({ seq }) => seq),
    [2, 3],
  );
  assert.deepEqual((await openStore(state)).chain.chain, chain.chain);
});

test('a token whose write did not end is not part of the chain', async () => {
  const state = new FakeStateDirectory();
  const { chain } = await openStore(state);
  await chain.add(record(0));
  const whole = state.files.get('chain.journal') ?? Buffer.alloc(0);
  const torn = encodeChainEvent({ event: 'token', seq: 1, kind: 'change', kid: 'kid', token: record(1).token });
  for (let size = 0; size < torn.length; size += 1) {
    const head = parseChainJournal(Buffer.concat([whole, torn.subarray(0, size)]))?.head;
    assert.equal(head?.seq, 0);
  }
});

test('a write that fails leaves the chain where it was, and the next one writes the whole', async () => {
  const state = new FakeStateDirectory();
  const { chain } = await openStore(state);
  await chain.add(record(0));
  state.failWrites = true;
  await assert.rejects(chain.add(record(1)), /no space/);
  assert.equal(chain.chain.head?.seq, 0);
  // What the failed write left behind is unknown.
  state.files.set(
    'chain.journal',
    Buffer.concat([state.files.get('chain.journal') ?? Buffer.alloc(0), Buffer.from('{"ev')]),
  );
  state.failWrites = false;
  await chain.add(record(1));
  const { chain: again } = await openStore(state);
  assert.equal(again.chain.head?.seq, 1);
});

test('a damaged journal is kept aside and a new chain begins', async () => {
  const state = new FakeStateDirectory();
  const { chain } = await openStore(state);
  await chain.add(record(0));
  const damaged = Buffer.from((state.files.get('chain.journal') ?? '').toString().replace('"seq":0', '"seq":-1'));
  state.files.set('chain.journal', damaged);
  const again = await openStore(state);
  assert.deepEqual(again.begun, ['journalDamaged']);
  assert.notEqual(again.chain.chain.chain, chain.chain.chain);
  assert.deepEqual(state.files.get('chain.journal.damaged'), damaged);
});

test('another identity begins another chain', async () => {
  const state = new FakeStateDirectory();
  const { chain } = await openStore(state);
  await chain.add(record(0));
  const first = chain.chain.chain;
  await chain.adopt(OWNER);
  assert.equal(chain.chain.chain, first);
  await chain.adopt('another');
  assert.notEqual(chain.chain.chain, first);
  assert.equal(chain.chain.head, undefined);
  const back = await openStore(state);
  assert.deepEqual(back.begun, ['otherOwner']);
});

test('tokens of another key are given up and declared', async () => {
  const state = new FakeStateDirectory();
  const { chain } = await openStore(state);
  await chain.add(record(0));
  await chain.add(record(1));
  await chain.retireOthers('some kid');
  assert.deepEqual(chain.chain.unsent, []);
  assert.deepEqual(chain.chain.lost, [{ from: 0, to: 1, kind: 'change', declaredIn: 2 }]);
  assert.equal(chain.chain.head?.seq, 1);
  await chain.add(record(2));
  await chain.confirm(2);
  assert.deepEqual(chain.chain.lost, []);
  assert.deepEqual((await openStore(state)).chain.chain, chain.chain);
});

test('heartbeats go first when room is short, the newest stays, and what went is declared', () => {
  const kinds: RoundKind[] = ['change', 'heartbeat', 'change', 'heartbeat', 'heartbeat', 'change'];
  const chain = chainOf(kinds.map((kind, seq) => record(seq, kind)));
  const dropped = (maxRecords: number) => chooseLosses(chain, { maxRecords, maxBytes: 1_000 }).map(({ seq }) => seq);
  assert.deepEqual(dropped(6), []);
  assert.deepEqual(dropped(4), [1, 3]);
  assert.deepEqual(dropped(2), [1, 3, 4, 0]);
  assert.deepEqual(dropped(0), [1, 3, 4, 0, 2]);
  assert.deepEqual(
    chooseLosses(chain, { maxRecords: 9, maxBytes: 30 }).map(({ seq }) => seq),
    [1, 3],
  );
});

test('neighbours that were dropped are declared as one until a token that declares them was received', () => {
  let chain = chainOf([0, 1, 2, 3, 4].map((seq) => record(seq)));
  for (const seq of [2, 1, 3]) chain = dropRecords(chain, { from: seq, to: seq, kind: 'change', declaredIn: 5 });
  assert.deepEqual(chain.lost, [{ from: 1, to: 3, kind: 'change', declaredIn: 5 }]);
  assert.deepEqual(
    chain.unsent.map(({ seq }) => seq),
    [0, 4],
  );
  assert.equal(confirmRecord(chain, 4).lost.length, 1);
  assert.equal(confirmRecord(chain, 5).lost.length, 0);
});

test('more losses than a token may declare are told as one wider range', () => {
  let chain = createChain('c', OWNER);
  for (let seq = 0; seq < 400; seq += 2) {
    chain = dropRecords(chain, { from: seq, to: seq, kind: 'heartbeat', declaredIn: 400 });
  }
  assert.equal(chain.lost.length, 64);
  assert.equal(chain.lost[0]?.from, 0);
  assert.equal(chain.lost.at(-1)?.to, 398);
  const covered = (seq: number) => chain.lost.some(({ from, to }) => from <= seq && seq <= to);
  assert.ok(Array.from({ length: 200 }, (_, index) => index * 2).every(covered));
});

test('a rewritten journal leads to the same state', () => {
  let chain = chainOf([0, 1, 2, 3].map((seq) => record(seq)));
  chain = dropRecords(confirmRecord(chain, 0), { from: 2, to: 2, kind: 'change', declaredIn: 4 });
  assert.deepEqual(parseChainJournal(encodeChainState(chain)), chain);
  const empty = createChain('c', OWNER);
  assert.deepEqual(parseChainJournal(encodeChainState(empty)), empty);
  assert.equal(parseChainJournal(Buffer.alloc(0)), undefined);
});

test('a journal with any bit flipped parses or is refused with the own error', () => {
  const journal = encodeChainState(chainOf([record(0), record(1, 'heartbeat')]));
  for (let bit = 0; bit < journal.length * 8; bit += 1) {
    const flipped = Buffer.from(journal);
    flipped.writeUInt8(flipped.readUInt8(bit >> 3) ^ (1 << (bit & 7)), bit >> 3);
    try {
      parseChainJournal(flipped);
    } catch (error) {
      assert.ok(error instanceof AgentError && error.code === 'ERR_AGENT_STATE', String(error));
    }
  }
});

test('a journal that goes back, or begins without a chain, is refused', () => {
  const token = (seq: number) =>
    encodeChainEvent({ event: 'token', seq, kind: 'change', kid: 'kid', token: record(seq).token });
  const chain = encodeChainState(createChain('c', OWNER));
  assert.throws(() => parseChainJournal(Buffer.concat([chain, token(3), token(3)])), { code: 'ERR_AGENT_STATE' });
  assert.throws(() => parseChainJournal(token(0)), { code: 'ERR_AGENT_STATE' });
  assert.throws(() => parseChainJournal(Buffer.from('[]\n')), { code: 'ERR_AGENT_STATE' });
});
