import assert from 'node:assert/strict';
import { test } from 'node:test';
import { ChangeSet } from './change-set.ts';

const written = (path: string) => ({ path, isContentOnly: true });
const named = (path: string) => ({ path, isContentOnly: false });

function startEmpty(): ChangeSet {
  const changes = new ChangeSet();
  changes.take(0);
  return changes;
}

/** Enough writes to data places for a container to be looked at by the clock from then on. */
function startNoisy(nowMs: number): ChangeSet {
  const changes = startEmpty();
  for (let at = 0; at < 400; at += 1) changes.add(written(`var/log/${at}`), nowMs);
  assert.equal(changes.isNoisy(nowMs), true);
  changes.take(nowMs + 10_000);
  return changes;
}

test('a container that was never scanned is to be walked', () => {
  const changes = new ChangeSet();
  assert.equal(changes.waitMs(5), 0);
  assert.equal(changes.take(5), undefined);
  assert.deepEqual(changes.take(6), []);
});

test('changes are given once, each path once', () => {
  const changes = startEmpty();
  for (const path of ['etc/a', 'var/log/b', 'etc/a']) changes.add(written(path), 10);
  assert.equal(changes.sinceMs, 10);
  assert.equal(changes.waitMs(10), 0);
  assert.deepEqual(changes.take(11), ['etc/a', 'var/log/b']);
  assert.equal(changes.sinceMs, undefined);
  assert.deepEqual(changes.take(12), []);
});

test('a change of the upper directory itself, lost events and very many paths call for a walk', () => {
  const changes = startEmpty();
  changes.add(named(''), 1);
  assert.equal(changes.take(1), undefined);
  changes.add(named('etc/a'), 2);
  changes.addAll();
  assert.equal(changes.take(2), undefined);
  assert.deepEqual(changes.take(2), []);
  for (let at = 0; at <= 20_000; at += 1) changes.add(named(`etc/${at}`), 3);
  assert.equal(changes.take(3), undefined);
});

test('in a container with very many changes of data places those wait, and nothing else does', () => {
  const changes = startNoisy(1_000);
  changes.add(written('var/log/app.log'), 1_100);
  changes.add(named('var/cache/new'), 1_200);
  assert.equal(changes.waitMs(1_200), 500);
  changes.add(written('etc/passwd'), 1_300);
  changes.add(named('var/logs/x'), 1_300);
  changes.add(written('var/log/x.php'), 1_300);
  assert.equal(changes.waitMs(1_300), 0);
  assert.deepEqual(changes.take(1_300), ['etc/passwd', 'var/logs/x', 'var/log/x.php']);
  assert.equal(changes.sinceMs, 1_100);
  assert.deepEqual(changes.take(1_700), ['var/cache/new']);
  assert.equal(changes.waitMs(1_700), 2_400);
  assert.deepEqual(changes.take(4_099), []);
  assert.deepEqual(changes.take(4_100), ['var/log/app.log']);
});

test('a walk takes what waits along', () => {
  const changes = startNoisy(1_000);
  changes.add(written('var/log/app.log'), 1_100);
  changes.addAll();
  assert.equal(changes.waitMs(1_100), 0);
  assert.equal(changes.take(1_100), undefined);
  assert.equal(changes.sinceMs, undefined);
});

test('a container that became quiet is looked at at once again after a minute', () => {
  const changes = startNoisy(1_000);
  changes.add(written('var/log/a'), 60_999);
  assert.equal(changes.waitMs(60_999), 3_000);
  changes.take(70_000);
  changes.add(written('var/log/a'), 70_000);
  assert.equal(changes.waitMs(70_000), 0);
  assert.equal(changes.isNoisy(70_000), false);
});

test('content of a name that waits need not be told, until somebody takes it', () => {
  let taken = 0;
  const changes = new ChangeSet(() => {
    taken += 1;
  });
  assert.equal(changes.awaits('etc/passwd'), true);
  changes.take(0);
  assert.deepEqual([changes.awaits('etc/passwd'), taken], [false, 1]);
  changes.add(written('var/log/0'), 1);
  assert.equal(changes.awaits('var/log/0'), false, 'it is looked at at once');
  for (let at = 1; at <= 400; at += 1) changes.add(written(`var/log/${at}`), 1);
  changes.add(named('var/log/new'), 1);
  assert.equal(changes.awaits('var/log/400'), true);
  assert.equal(changes.awaits('var/log/new'), false);
  changes.take(600);
  assert.deepEqual([changes.awaits('var/log/400'), taken], [true, 1]);
  changes.take(3_001);
  assert.deepEqual([changes.awaits('var/log/400'), taken], [false, 2]);
});

test('writes that were not told are noise by how many they were a second', () => {
  const changes = startEmpty();
  changes.addMuted(300, 1_000);
  changes.addMuted(10_000, 32_000);
  assert.equal(changes.isNoisy(32_000), false);
  changes.addMuted(13_000, 62_000);
  assert.equal(changes.isNoisy(62_000), true);
});

test('content of very many names waits longer, so that a steady number of them is read', () => {
  const changes = new ChangeSet();
  changes.take(0);
  const add = (count: number, nowMs: number) => {
    for (let at = 0; at < count; at += 1) changes.add({ path: `var/log/${at}.log`, isContentOnly: true }, nowMs);
  };
  add(400, 0);
  changes.take(0);
  add(50, 0);
  assert.equal(changes.waitMs(0), 3_000);
  add(200, 0);
  assert.equal(changes.waitMs(0), 6_030);
  add(5_000, 0);
  assert.equal(changes.waitMs(0), 35_000);
});
