import assert from 'node:assert/strict';
import { test } from 'node:test';
import { setTimeout as delay } from 'node:timers/promises';
import { AgentError } from '../agent-error.ts';
import type { ScanReply } from '../scan/scan-protocol.ts';
import { ScanFailure } from '../scan/worker-lane.ts';
import {
  createReply,
  event,
  MANIFEST,
  readClaims,
  sha256,
  startCollectorWorld,
  until,
} from './fake-collector-world.test-support.ts';

test('what runs is scanned, and its claims stay the same until something changes', async () => {
  const { collector } = await startCollectorWorld(['c1'], async () => createReply('r'));
  await until(() => collector.pending().length === 0);
  const first = await collector.collect();
  const claims = await readClaims(collector, 'c1');
  assert.deepEqual(claims?.scan, { complete: true, limits: [], timed: false });
  assert.equal(claims?.image.manifest, sha256(MANIFEST));
  assert.deepEqual((await collector.collect()).index, first.index);
  assert.deepEqual(collector.runtimes(), [{ name: 'containerd', version: '1.6' }]);
});

test('a change in an upper directory scans that container alone and is told', async () => {
  let relevant = 'before';
  const { collector, change, scanned, dirtyCount } = await startCollectorWorld(['c1', 'c2'], async () =>
    createReply(relevant),
  );
  await until(() => collector.pending().length === 0);
  const [scans, dirty] = [scanned.length, dirtyCount()];
  relevant = 'after';
  change('/u/c2');
  assert.deepEqual(
    collector.pending().map(([id]) => id),
    ['c2'],
  );
  await until(() => collector.pending().length === 0);
  assert.deepEqual(scanned.slice(scans), ['c2']);
  assert.equal(dirtyCount(), dirty + 1);
});

test('a change of what is only counted is not told but stands in the next claims', async () => {
  let drift = 'a';
  const { collector, change, dirtyCount } = await startCollectorWorld(['c1'], async () => createReply('r', drift));
  await until(() => collector.pending().length === 0);
  const [dirty, before] = [dirtyCount(), await readClaims(collector, 'c1')];
  drift = 'b';
  change('/u/c1');
  await until(() => collector.pending().length === 0);
  assert.equal(dirtyCount(), dirty);
  assert.notEqual((await readClaims(collector, 'c1'))?.drift?.sha256, before?.drift?.sha256);
});

test('a stalled scan leaves its container pending and the others on time', async () => {
  const never = new Promise<ScanReply>(() => undefined);
  const { collector } = await startCollectorWorld(['c1', 'c2'], (key) =>
    key === 'c1' ? never : Promise.resolve(createReply('r')),
  );
  await until(() => collector.pending().length === 1);
  assert.equal(collector.pending()[0]?.[0], 'c1');
  await delay(20);
  assert.ok((collector.pending()[0]?.[1] ?? 0) >= 15);
  assert.ok(collector.oldestScanMs() >= 15);
  assert.deepEqual((await readClaims(collector, 'c1'))?.scan.limits, ['notScanned']);
  assert.equal((await readClaims(collector, 'c2'))?.scan.complete, true);
});

test('a failed scan takes the clean claims of yesterday away', async () => {
  let fails = false;
  const failure = new AgentError('ERR_AGENT_SCAN', 'x', { cause: new ScanFailure('time', 'x') });
  const { collector, change } = await startCollectorWorld(['c1'], async () => {
    if (fails) throw failure;
    return createReply('r');
  });
  await until(() => collector.pending().length === 0);
  fails = true;
  change('/u/c1');
  await until(async () => (await readClaims(collector, 'c1'))?.scan.complete === false);
  const claims = await readClaims(collector, 'c1');
  assert.deepEqual([claims?.drift, claims?.inventory, claims?.scan.limits], [null, null, ['notScanned', 'scan:time']]);
  assert.equal(collector.pending().length, 1);
});

test('a scan that does not end soon is done again apart from the others, and the next ones too', async () => {
  const asked: boolean[] = [];
  const timeout = new AgentError('ERR_AGENT_SCAN', 'x', { cause: new ScanFailure('time', 'x') });
  const { collector } = await startCollectorWorld(['c1'], async (_key, isSlow) => {
    asked.push(isSlow);
    if (!isSlow) throw timeout;
    return createReply('r');
  });
  await until(() => collector.pending().length === 0);
  assert.deepEqual(asked, [false, true]);
  assert.equal((await readClaims(collector, 'c1'))?.scan.complete, true);
});

test('a runtime of another kind is unsupported, not scanned and not pending', async () => {
  const { collector, scanned } = await startCollectorWorld(['kata-1'], async () => createReply('r'));
  await delay(20);
  assert.deepEqual([scanned, collector.pending(), collector.oldestScanMs()], [[], [], 0]);
  assert.equal((await readClaims(collector, 'kata-1'))?.status, 'unsupported');
});

test('a runtime that stops answering is a limit of the index, and what was known stays', async () => {
  const { runtime, collector } = await startCollectorWorld(['c1'], async () => createReply('r'));
  await until(() => collector.pending().length === 0);
  runtime.fails = true;
  runtime.emit(event('/tasks/start', 'c1'));
  await until(async () => (await collector.collect()).index.limits.includes('runtime:unavailable'));
  assert.deepEqual(Object.keys((await collector.collect()).index.containers), ['c1']);
  runtime.fails = false;
  runtime.emit(event('/tasks/start', 'c1'));
  await until(async () => (await collector.collect()).index.limits.length === 0);
});
