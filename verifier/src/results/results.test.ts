import assert from 'node:assert/strict';
import { test } from 'node:test';
import { appraise } from '../appraisal/appraise.ts';
import { createContainerEvidence, createDrift, createEvidence, ok } from '../appraisal/evidence.test-support.ts';
import { encodeEar } from '../ear/encode-ear.ts';
import { buildEar } from './build-result.ts';
import { clampPageSize, decodePageToken, encodePageToken } from './page.ts';
import { createResultFeed } from './result-feed.ts';
import { containerVector, kubeNodeVector } from './trust-vector.ts';

const POLICY = { maxPendingMs: 5000, judgeKernel: () => [] };

test('pages have a size within bounds and tokens that come back', () => {
  assert.deepEqual([-1, 0, 1, 100_000].map(clampPageSize), [100, 100, 1, 1000]);
  assert.equal(decodePageToken(encodePageToken('worker-ü')), 'worker-ü');
  assert.equal(decodePageToken(''), '');
  for (const token of ['*', 'A', '=']) assert.throws(() => decodePageToken(token), { code: 'ERR_VERIFIER_MESSAGE' });
});

test('a watcher hears of each change after it began, once while it is busy', async () => {
  const feed = createResultFeed();
  const ending = new AbortController();
  feed.publish('before');
  const changes = feed.watch(ending.signal);
  feed.publish('a');
  feed.publish('b');
  feed.publish('a');
  assert.deepEqual(await changes.next(), { done: false, value: 'a' });
  assert.deepEqual(await changes.next(), { done: false, value: 'b' });
  const waiting = changes.next();
  feed.publish('c');
  assert.deepEqual(await waiting, { done: false, value: 'c' });
  const last = changes.next();
  ending.abort();
  assert.deepEqual(await last, { done: true, value: undefined });
  feed.publish('d');
});

test('every result can be signed: no vector is worse than its status allows', () => {
  const file = { path: '/x', kind: 'added' as const, entryType: 'file' as const };
  const containers = {
    clean: createContainerEvidence({ id: 'clean' }),
    none: createContainerEvidence({ id: 'none' }, { drift: null }),
    noneWithWarning: createContainerEvidence(
      { id: 'noneWithWarning' },
      { inventory: null, drift: ok(createDrift([{ ...file, reasons: ['newEntry'] }])) },
    ),
    bad: createContainerEvidence({ id: 'bad' }, { drift: ok(createDrift([{ ...file, reasons: ['elf'] }])) }),
    lost: createContainerEvidence({}, { claims: { state: 'missing' } }),
  };
  const evidence = createEvidence(containers);
  for (const endorsement of ['pinned', 'withdrawn', 'expired'] as const) {
    const appraisal = appraise(evidence, endorsement, POLICY);
    const options = { issuedAtMs: 1_000_000, lifetimeMs: 300_000, id: 'id', verifierId: 'v', build: '1' };
    const ear = buildEar(evidence, appraisal, options);
    assert.deepEqual(Object.keys(ear.submods), ['node', ...appraisal.containers.map(({ id }) => `container:${id}`)]);
    assert.ok(encodeEar(ear, 'ietf-ear-03'));
    assert.ok(encodeEar(ear, 'veraison-2023'));
    assert.deepEqual([ear.issuedAt, ear.expiresAt], [1000, 1300]);
  }
});

test('vectors say what was found, and nothing good where nothing is decided', () => {
  const vectorOf = (container: ReturnType<typeof createContainerEvidence>) => {
    const [appraised] = appraise(createEvidence({ c1: container }), 'pinned', POLICY).containers;
    assert.ok(appraised);
    return containerVector(appraised);
  };
  const added = { path: '/x', kind: 'added' as const, entryType: 'file' as const, reasons: ['elf'] };
  assert.deepEqual(vectorOf(createContainerEvidence()), { executables: 2, fileSystem: 2 });
  assert.deepEqual(vectorOf(createContainerEvidence({}, { drift: ok(createDrift([added])) })), {
    executables: 96,
    fileSystem: 2,
  });
  assert.deepEqual(vectorOf(createContainerEvidence({}, { drift: null })), {});
  const many = Array.from({ length: 1100 }, (_, at) => ({ ...added, path: `/bin/x${at}` }));
  const replaced = {
    path: '/var/lib/dpkg/status',
    kind: 'modified' as const,
    entryType: 'file' as const,
    reasons: ['packageDatabase'],
  };
  assert.deepEqual(vectorOf(createContainerEvidence({}, { drift: ok(createDrift([...many, replaced])) })), {
    executables: 96,
    fileSystem: 96,
  });
  const node = appraise(createEvidence(), 'pinned', POLICY);
  assert.deepEqual(kubeNodeVector(node), { instanceIdentity: 2, configuration: 32 });
});
