import assert from 'node:assert/strict';
import { randomBytes } from 'node:crypto';
import { test } from 'node:test';
import { listNonces, parseToken } from '@holdfast/evidence';
import { FakeClock } from '../fake-clock.test-support.ts';
import { FakeStateDirectory } from '../state/fake-state-directory.test-support.ts';
import { createSoftwareSealer } from '../tpm/software-sealer.ts';
import { ChainStore } from './chain-store.ts';
import { fakeClaims, fakeContent } from './fake-round.test-support.ts';
import { RoundEngine } from './round-engine.ts';

async function createEngine() {
  const state = new FakeStateDirectory();
  const clock = new FakeClock();
  const sealer = await createSoftwareSealer(state);
  const { owner } = await sealer.readFacts();
  const chain = await ChainStore.open({ state, randomBytes, onBegun: () => undefined }, owner);
  const world = { claims: fakeClaims(fakeContent()), nonces: [] as string[] };
  const engine = new RoundEngine({
    collector: { collect: async () => world.claims },
    sealer,
    chain,
    clock,
    randomBytes,
    kubeNode: 'worker-1',
    image: null,
    tlsSpkiSha256: 'ab'.repeat(32),
    listNonces: () => world.nonces,
  });
  return { engine, chain, world, state };
}

const nonce = (letter: string) => letter.repeat(43).replace(/.$/, 'A');

test('rounds follow one another by number and evidence id', async () => {
  const { engine, chain } = await createEngine();
  const first = await engine.makeRound('start');
  const second = await engine.makeRound('heartbeat');
  const [a, b] = [parseToken(first.record.token), parseToken(second.record.token)];
  assert.deepEqual([a.claims.holdfast.seq, a.claims.holdfast.prev], [0, null]);
  assert.deepEqual([b.claims.holdfast.seq, b.claims.holdfast.prev], [1, a.evidenceId]);
  assert.equal(a.claims.holdfast.chain, b.claims.holdfast.chain);
  assert.equal(a.evidenceId, first.record.evidenceId);
  assert.deepEqual(chain.chain.head, { seq: 1, evidenceId: b.evidenceId });
});

test('a token is on disk before it is handed out', async () => {
  const { engine, state } = await createEngine();
  state.failWrites = true;
  await assert.rejects(engine.makeRound('start'), /no space/);
  state.failWrites = false;
  const { record } = await engine.makeRound('start');
  assert.equal(record.seq, 0);
  assert.ok(state.files.get('chain.journal')?.includes(record.token));
});

test('a round is a change when a claims-set differs or a scan is pending, else a heartbeat', async () => {
  const { engine, world } = await createEngine();
  const kinds: string[] = [];
  const next = async () => kinds.push((await engine.makeRound('heartbeat')).record.kind);
  await next();
  await next();
  world.claims = fakeClaims(fakeContent(',"x":1'));
  await next();
  await next();
  world.claims = { ...world.claims, pending: [['a', 17.5]] };
  await next();
  assert.deepEqual(kinds, ['change', 'heartbeat', 'change', 'heartbeat', 'change']);
});

test('a token carries every distinct nonce that was asked of it, 16 at most, and none where there is none', async () => {
  const { engine, world } = await createEngine();
  const carried = async () => listNonces(parseToken((await engine.makeRound('challenge')).record.token).claims);
  assert.deepEqual(await carried(), []);
  world.nonces = [nonce('a')];
  assert.deepEqual(await carried(), [nonce('a')]);
  world.nonces = [nonce('a'), nonce('b'), nonce('a')];
  assert.deepEqual(await carried(), [nonce('a'), nonce('b')]);
  world.nonces = Array.from({ length: 20 }, (_, at) => nonce(String.fromCharCode(97 + at)));
  assert.equal((await carried()).length, 16);
});

test('a token tells what is pending and what was lost', async () => {
  const { engine, world, chain } = await createEngine();
  await engine.makeRound('start');
  await chain.retireOthers('another key');
  world.claims = {
    ...world.claims,
    pending: [
      ['b', 5.2],
      ['a', 1.9],
    ],
    oldestScanMs: 12.6,
  };
  const { claims } = parseToken((await engine.makeRound('change')).record.token);
  assert.deepEqual(claims.holdfast.pending, [
    ['a', 2],
    ['b', 5],
  ]);
  assert.equal(claims.holdfast.oldestScanMs, 13);
  assert.deepEqual(claims.holdfast.lost, [{ from: 0, to: 0, kind: 'change' }]);
});

test('a snapshot stands beside the chain and names its head', async () => {
  const { engine, chain } = await createEngine();
  const none = await engine.makeSnapshot(nonce('s'));
  assert.equal(none.head, undefined);
  const { record } = await engine.makeRound('start');
  const snapshot = await engine.makeSnapshot(nonce('s'));
  const { claims } = parseToken(snapshot.token);
  assert.deepEqual(listNonces(claims), [nonce('s')]);
  assert.deepEqual([claims.holdfast.seq, claims.holdfast.prev], [null, record.evidenceId]);
  assert.deepEqual(snapshot.head, { chain: chain.chain.chain, seq: 0, evidenceId: record.evidenceId });
  assert.equal(chain.chain.head?.seq, 0);
});

test('a token without a TPM has no quotes and no boot count', async () => {
  const { engine } = await createEngine();
  const { header, claims } = parseToken((await engine.makeRound('start')).record.token);
  assert.equal(header.tpm, undefined);
  assert.equal(claims.bootcount, undefined);
});
