import assert from 'node:assert/strict';
import { test } from 'node:test';
import { setTimeout as delay } from 'node:timers/promises';
import type { ScanReply } from '../scan/scan-protocol.ts';
import {
  createReply,
  event,
  type FakeRuntime,
  readClaims,
  startCollectorWorld,
  until,
} from './fake-collector-world.test-support.ts';
import type { RuntimeCollector } from './runtime-collector.ts';

test('a container that was made and removed between two lists was not observed', async () => {
  const { runtime, collector } = await startCollectorWorld([], async () => createReply('r'));
  runtime.emit(event('/containers/create', 'brief'));
  runtime.emit(event('/containers/delete', 'brief'));
  const { index, lost } = await collector.collect();
  assert.deepEqual([index.limits, lost], [['NOT_OBSERVED:brief'], ['NOT_OBSERVED:brief']]);
});

test('a container that is gone while it ran was not captured; one scanned after its end, and told, was', async () => {
  const { runtime, collector } = await startCollectorWorld(['c1', 'c2'], async () => createReply('r'));
  await until(() => collector.pending().length === 0);
  runtime.emit(event('/tasks/exit', 'c2'));
  await until(() => collector.pending().length === 0);
  await collector.collect();
  runtime.running.clear();
  runtime.emit(event('/containers/delete', 'c1'));
  await until(async () => Object.keys((await collector.collect()).index.containers).length === 0);
  assert.deepEqual((await collector.collect()).index.limits, ['NOT_CAPTURED:c1']);
});

test('a container that was scanned after its end and left before anybody was told was not captured', async () => {
  const { runtime, collector } = await startCollectorWorld(['c1'], async () => createReply('r'));
  await until(() => collector.pending().length === 0);
  runtime.emit(event('/tasks/exit', 'c1'));
  await until(() => collector.pending().length === 0);
  runtime.running.clear();
  runtime.emit(event('/containers/delete', 'c1'));
  await delay(100);
  assert.deepEqual((await collector.collect()).lost, ['NOT_CAPTURED:c1']);
});

/** Its process ends, no scan gets through after that, and then it is removed: what the snapshots say by then. */
async function endUnseen({ runtime, collector }: { runtime: FakeRuntime; collector: RuntimeCollector }) {
  await until(() => collector.pending().length === 0);
  await collector.collect();
  runtime.areScansRefused = true;
  runtime.emit(event('/tasks/exit', 'c1'));
  await until(() => collector.pending().length === 1);
  runtime.running.clear();
  runtime.emit(event('/containers/delete', 'c1'));
  await until(async () => Object.keys((await collector.collect()).index.containers).length === 0);
  return (await collector.collect()).index.limits;
}

test('a scan that began before the start of a container, whenever it is done, tells nothing of how it ends', async () => {
  const first = Promise.withResolvers<ScanReply>();
  const replies = [first.promise];
  const world = await startCollectorWorld(['c1'], async () => await (replies.pop() ?? createReply('r')), ['c1']);
  const { runtime, collector } = world;
  await until(() => replies.length === 0);
  runtime.created.clear();
  runtime.emit(event('/tasks/start', 'c1'));
  await until(async () => (await readClaims(collector, 'c1'))?.status === 'running');
  first.resolve(createReply('r'));
  assert.deepEqual(await endUnseen(world), ['NOT_CAPTURED:c1']);
});

test('a start that no event told of is no end either', async () => {
  const world = await startCollectorWorld(['c1'], async () => createReply('r'), ['c1']);
  const { runtime, collector } = world;
  await until(() => collector.pending().length === 0);
  assert.equal((await readClaims(collector, 'c1'))?.status, 'stopped');
  runtime.created.clear();
  runtime.emit(event('/containers/update', 'c1'));
  await until(async () => (await readClaims(collector, 'c1'))?.status === 'running');
  assert.deepEqual(await endUnseen(world), ['NOT_CAPTURED:c1']);
});
