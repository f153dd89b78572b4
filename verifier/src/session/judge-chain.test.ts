import assert from 'node:assert/strict';
import { test } from 'node:test';
import type { ChainHead } from '../store/chain-store.ts';
import { type ChainLink, type ChainMemory, judgeChain } from './judge-chain.ts';

const HEAD: ChainHead = {
  chain: 'A',
  seq: 5,
  evidenceId: 'e5',
  akName: 'ak',
  resetCount: 3,
  restartCount: 2,
  clockMs: 1000,
};
const EMPTY: ChainMemory = { hasEvidence: () => false, hasChain: () => false };

interface LinkChanges {
  holdfast?: Partial<ChainLink['holdfast']>;
  quotes?: Partial<ChainLink['quotes']>;
  clock?: Partial<ChainLink['clock']>;
  akName?: string;
  fresh?: boolean;
}

function createLink({
  holdfast = {},
  quotes = {},
  clock = {},
  akName = 'ak',
  fresh = true,
}: LinkChanges = {}): ChainLink {
  return {
    evidenceId: 'e6',
    holdfast: { chain: 'A', seq: 6, prev: 'e5', lost: [], ...holdfast },
    quotes: { resetCount: 3, restartCount: 2, ...quotes },
    clock: { firstMs: 1000, lastMs: 1010, safe: true, ...clock },
    akName,
    fresh,
  };
}

function judge(changes: LinkChanges = {}, memory: Partial<ChainMemory> = {}, head: ChainHead | undefined = HEAD) {
  const judgement = judgeChain(createLink(changes), head, { ...EMPTY, ...memory });
  return judgement.kind === 'accept' ? ['accept', ...judgement.incidents] : [judgement.code, ...judgement.incidents];
}

test('the next link of the chain is accepted and becomes the head', () => {
  const judgement = judgeChain(createLink(), HEAD, EMPTY);
  assert.deepEqual(judgement, {
    kind: 'accept',
    head: { chain: 'A', seq: 6, evidenceId: 'e6', akName: 'ak', resetCount: 3, restartCount: 2, clockMs: 1010 },
    incidents: [],
  });
});

test('the first evidence of all may begin anywhere', () => {
  assert.deepEqual(judgeChain(createLink({ holdfast: { seq: 40 } }), undefined, EMPTY).kind, 'accept');
});

test('a snapshot is refused', () => {
  assert.deepEqual(judge({ holdfast: { seq: null } }), ['ERR_VERIFIER_ORDER']);
});

test('what was accepted before is a replay, and never an incident', () => {
  assert.deepEqual(judge({}, { hasEvidence: () => true }), ['ERR_VERIFIER_REPLAY']);
  assert.deepEqual(judge({ fresh: false }, { hasEvidence: () => true }), ['ERR_VERIFIER_REPLAY']);
});

test('a place that is taken is a fork when the evidence is of now, a replay when it is not', () => {
  assert.deepEqual(judge({ holdfast: { seq: 5 } }), ['ERR_VERIFIER_FORK', 'CHAIN_FORK']);
  assert.deepEqual(judge({ holdfast: { seq: 0 } }), ['ERR_VERIFIER_FORK', 'CHAIN_FORK']);
  assert.deepEqual(judge({ holdfast: { seq: 5 }, fresh: false }), ['ERR_VERIFIER_REPLAY']);
});

test('another predecessor is a fork', () => {
  assert.deepEqual(judge({ holdfast: { prev: 'other' } }), ['ERR_VERIFIER_FORK', 'CHAIN_FORK']);
  assert.deepEqual(judge({ holdfast: { prev: null } }), ['ERR_VERIFIER_FORK', 'CHAIN_FORK']);
});

test('a jump is a gap unless declared losses cover all of it', () => {
  const jump = { seq: 9, prev: 'e8' };
  assert.deepEqual(judge({ holdfast: jump }), ['accept', 'CHAIN_GAP']);
  const all = [{ from: 6, to: 8, kind: 'change' as const }];
  assert.deepEqual(judge({ holdfast: { ...jump, lost: all } }), ['accept']);
  const parts = [
    { from: 8, to: 8, kind: 'change' as const },
    { from: 5, to: 7, kind: 'heartbeat' as const },
  ];
  assert.deepEqual(judge({ holdfast: { ...jump, lost: parts } }), ['accept']);
  assert.deepEqual(judge({ holdfast: { ...jump, lost: parts.slice(1) } }), ['accept', 'CHAIN_GAP']);
  assert.deepEqual(judge({ holdfast: { ...jump, lost: parts.slice(0, 1) } }), ['accept', 'CHAIN_GAP']);
});

test('another chain is a gap, and one that was left before is a fork', () => {
  const other = { chain: 'B', seq: 0, prev: null };
  assert.deepEqual(judge({ holdfast: other }), ['accept', 'CHAIN_GAP']);
  assert.deepEqual(judge({ holdfast: other }, { hasChain: () => true }), ['ERR_VERIFIER_FORK', 'CHAIN_FORK']);
  assert.deepEqual(judge({ holdfast: other, fresh: false }, { hasChain: () => true }), ['ERR_VERIFIER_REPLAY']);
});

test('a counter that went back under the same AK is a rollback', () => {
  assert.deepEqual(judge({ quotes: { resetCount: 2 } }), ['ERR_VERIFIER_TPM_ROLLBACK', 'TPM_ROLLBACK']);
  assert.deepEqual(judge({ quotes: { restartCount: 1 } }), ['ERR_VERIFIER_TPM_ROLLBACK', 'TPM_ROLLBACK']);
  assert.deepEqual(judge({ quotes: { resetCount: 2 }, fresh: false }), ['ERR_VERIFIER_TPM_ROLLBACK']);
});

test('a reboot sets the second counter back', () => {
  assert.deepEqual(judge({ quotes: { resetCount: 4, restartCount: 0 } }), ['accept']);
});

test('a clock that went back is a rollback within one run of the TPM, and over a resume where the TPM vouches for it', () => {
  const rollback = ['ERR_VERIFIER_TPM_ROLLBACK', 'TPM_ROLLBACK'];
  const reboot = { resetCount: 4, restartCount: 0 };
  const resume = { restartCount: 3 };
  for (const quotes of [{}, resume]) assert.deepEqual(judge({ quotes, clock: { firstMs: 999 } }), rollback);
  // Software TPMs lose time in a power cut, and call their clock safe soon after.
  assert.deepEqual(judge({ quotes: reboot, clock: { firstMs: 999 } }), ['accept']);
  assert.deepEqual(judge({ clock: { firstMs: 999 }, fresh: false }), ['ERR_VERIFIER_TPM_ROLLBACK']);
  assert.deepEqual(judge({ clock: { firstMs: 999, safe: false } }), rollback);
  for (const quotes of [reboot, resume]) {
    assert.deepEqual(judge({ quotes, clock: { firstMs: 999, safe: false } }), ['accept']);
  }
  const other = { chain: 'B', seq: 0, prev: null };
  assert.deepEqual(judge({ holdfast: other, clock: { firstMs: 999 } }), rollback);
});

test('a clock is not compared with that of another AK, or with none', () => {
  assert.deepEqual(judge({ akName: 'ak2', clock: { firstMs: 1 } }), ['accept']);
  assert.deepEqual(judge({ clock: { firstMs: 1 } }, {}, { ...HEAD, clockMs: null }), ['accept']);
});

test('a copy of what came before is a replay, whatever its clock', () => {
  assert.deepEqual(judge({ holdfast: { seq: 5 }, clock: { firstMs: 1 }, fresh: false }), ['ERR_VERIFIER_REPLAY']);
});

test('the counters of another AK begin anew', () => {
  assert.deepEqual(judge({ quotes: { resetCount: 0, restartCount: 0 }, akName: 'ak2' }), ['accept']);
});
