import assert from 'node:assert/strict';
import { test } from 'node:test';
import { createRecord } from './container-record.test-support.ts';
import { SnapshotTaker } from './take-snapshot.ts';
import { TrackedContainer } from './tracked-container.ts';

function createWorld(...keys: string[]) {
  const taker = new SnapshotTaker();
  const track = (key: string): [string, TrackedContainer] => [
    key,
    new TrackedContainer(createRecord({ key, id: key }), 0, { onClaims: () => taker.expire() }),
  ];
  const containers = new Map(keys.map(track));
  const take = (limits: string[] = [], lost: string[] = []) => taker.take(containers, () => [], limits, lost);
  return { containers, take, add: (key: string) => containers.set(...track(key)) };
}

test('while nothing changes a snapshot is made of the parts of the last one, and losses are told once', () => {
  const { take } = createWorld('b', 'a');
  const first = take(['runtime:x'], ['NOT_CAPTURED:c']);
  assert.deepEqual(Object.keys(first.index.containers), ['a', 'b']);
  assert.equal(first.sets.size, 2);
  const second = take(['runtime:x']);
  assert.equal(second.index, first.index);
  assert.equal(second.sets, first.sets);
  assert.deepEqual([first.lost, second.lost], [['NOT_CAPTURED:c'], []]);
});

test('a container that changed, came or left, and another limit, are in the next one', () => {
  const { containers, take, add } = createWorld('a', 'b');
  const before = take();
  const changed = containers.get('a') ?? assert.fail();
  changed.failure = 'scan:time';
  changed.invalidate();
  const after = take();
  assert.notEqual(after.index.containers['a'], before.index.containers['a']);
  assert.equal(after.index.containers['b'], before.index.containers['b']);
  containers.delete('b');
  assert.deepEqual(Object.keys(take().index.containers), ['a']);
  add('c');
  assert.deepEqual(Object.keys(take().index.containers), ['a', 'c']);
  containers.delete('a');
  add('d');
  assert.deepEqual(Object.keys(take().index.containers), ['c', 'd']);
  assert.deepEqual(take(['runtime:y']).index.limits, ['runtime:y']);
  assert.deepEqual(take().index.limits, []);
});

test('a claims-set that cannot be made leaves no snapshot, the next time neither', () => {
  const { containers, take } = createWorld('a');
  take();
  const container = containers.get('a') ?? assert.fail();
  container.failure = 'scan:time'.padEnd(100_000, '!');
  container.invalidate();
  assert.throws(() => take());
  assert.throws(() => take());
  container.failure = 'scan:time';
  container.invalidate();
  take();
});

test('claims that somebody else had made anew in between are not missed', () => {
  const { containers, take } = createWorld('a');
  const before = take();
  const container = containers.get('a') ?? assert.fail();
  container.failure = 'scan:time';
  container.invalidate();
  const { sha256 } = container.encodeClaims(() => []);
  assert.notEqual(before.index.containers['a'], sha256);
  assert.equal(take().index.containers['a'], sha256);
});
