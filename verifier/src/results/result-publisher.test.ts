import assert from 'node:assert/strict';
import { generateKeyPairSync } from 'node:crypto';
import { test } from 'node:test';
import { appraise } from '../appraisal/appraise.ts';
import { createContainerEvidence, createDrift, createEvidence, ok } from '../appraisal/evidence.test-support.ts';
import { createFileSigner } from '../certificates/file-signer.ts';
import { openDatabase } from '../store/open-database.ts';
import { createResultStore } from '../store/result-store.ts';
import { createResultPublisher, type PublishedState } from './result-publisher.ts';

const POLICY = { maxPendingMs: 5000, judgeKernel: () => [] };
const LIFETIME_MS = 300_000;

function createPublisher() {
  let nowMs = 1_000_000;
  const { privateKey } = generateKeyPairSync('ec', { namedCurve: 'P-256' });
  const publisher = createResultPublisher({
    results: createResultStore(openDatabase(':memory:')),
    feed: { publish: assert.fail },
    signer: createFileSigner(privateKey),
    verifierId: 'v',
    build: '1',
    lifetimeMs: LIFETIME_MS,
    now: () => nowMs,
    randomBytes: (size) => Buffer.alloc(size, 1),
  });
  const prepare = async (
    last: PublishedState | undefined,
    counters: { resetCount?: number; restartCount?: number },
  ) => {
    const evidence = createEvidence({});
    assert.ok(evidence.quotes);
    const booted = { ...evidence, quotes: { ...evidence.quotes, ...counters } };
    return await publisher.prepare({ published: last }, booted, appraise(booted, 'pinned', POLICY));
  };
  const wait = (ms: number): void => {
    nowMs += ms;
  };
  return { prepare, wait, publisher };
}

test('equal findings of one boot make no new result until half its life is over', async () => {
  const { prepare, wait } = createPublisher();
  const first = await prepare(undefined, {});
  assert.ok(first);
  assert.equal(first.isRefresh, false);
  assert.equal(await prepare(first.state, {}), undefined);
  wait(LIFETIME_MS / 2);
  assert.equal((await prepare(first.state, {}))?.isRefresh, true);
});

test('equal findings of another boot are another result', async () => {
  const { prepare } = createPublisher();
  const first = await prepare(undefined, { resetCount: 4, restartCount: 0 });
  for (const counters of [
    { resetCount: 5, restartCount: 0 },
    { resetCount: 4, restartCount: 1 },
  ]) {
    const next = await prepare(first?.state, counters);
    assert.equal(next?.isRefresh, false, JSON.stringify(counters));
  }
});

test('a result of hundreds of containers with one large drift document fits well into a message', async () => {
  const { publisher } = createPublisher();
  const relevant = Array.from({ length: 10_000 }, (_, at) => ({
    path: `/${String(at).padStart(99, 'x')}`,
    kind: 'added' as const,
    entryType: 'file' as const,
    reasons: ['elf'],
  }));
  const drift = ok(createDrift(relevant));
  const ids = Array.from({ length: 600 }, (_, at) => `c${at}`);
  const containers = Object.fromEntries(ids.map((id) => [id, createContainerEvidence({ id }, { drift })]));
  const evidence = createEvidence(containers);
  const publication = await publisher.prepare({ published: undefined }, evidence, appraise(evidence, 'pinned', POLICY));
  assert.ok(publication);
  assert.ok(publication.row.body.length < 10 * 1024 * 1024, `${publication.row.body.length}`);
  assert.equal(publication.row.containers.length, 600);
});
