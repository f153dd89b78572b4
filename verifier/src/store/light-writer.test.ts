import assert from 'node:assert/strict';
import { test } from 'node:test';
import { createLightWriter, createSharedWriter } from './light-writer.ts';
import { openDatabase } from './open-database.ts';

/** A store with one table, and every statement that begins or ends a transaction. */
function open() {
  const database = openDatabase(':memory:');
  database.exec('CREATE TABLE numbers (n INTEGER PRIMARY KEY)');
  const insert = database.prepare('INSERT INTO numbers (n) VALUES (?)');
  const commits: string[] = [];
  const exec = database.exec.bind(database);
  database.exec = (sql) => {
    if (sql === 'COMMIT' || sql === 'ROLLBACK') commits.push(sql);
    exec(sql);
  };
  const list = () =>
    database
      .prepare('SELECT n FROM numbers ORDER BY n')
      .all()
      .map(({ n }) => n);
  return { database, commits, list, add: (n: number) => Number(insert.run(n).changes) };
}

test('what comes in at once is committed together, and told only then', async () => {
  const { database, commits, list, add } = open();
  const writer = createSharedWriter(database);
  const told: number[] = [];
  const works = [1, 2, 3].map(async (n) => {
    const changes = await writer.run(() => add(n));
    told.push(n);
    return changes;
  });
  await Promise.resolve();
  assert.deepEqual(told, []);
  assert.deepEqual(list(), []);
  assert.deepEqual(await Promise.all(works), [1, 1, 1]);
  assert.deepEqual(list(), [1, 2, 3]);
  assert.deepEqual(commits, ['COMMIT']);
  assert.equal(await writer.run(() => add(4)), 1);
  assert.deepEqual(commits, ['COMMIT', 'COMMIT']);
});

test('work that fails is taken back and leaves that of others alone', async () => {
  const { database, list, add } = open();
  const writer = createSharedWriter(database);
  const fail = () => {
    add(2);
    throw new TypeError('failed');
  };
  const [first, second, third] = await Promise.allSettled([
    writer.run(() => add(1)),
    writer.run(fail),
    writer.run(() => add(3)),
  ]);
  assert.equal(first.status, 'fulfilled');
  assert.ok(second.status === 'rejected' && second.reason instanceof TypeError);
  assert.equal(third.status, 'fulfilled');
  assert.deepEqual(list(), [1, 3]);
});

test('more than fits into one commit is written all the same', async () => {
  const { database, commits, list, add } = open();
  const writer = createSharedWriter(database);
  await Promise.all(Array.from({ length: 150 }, async (_, n) => await writer.run(() => add(n))));
  assert.equal(list().length, 150);
  assert.deepEqual(commits, ['COMMIT', 'COMMIT', 'COMMIT']);
});

test('a store that is gone fails each of them', async () => {
  const { database, add } = open();
  const writer = createSharedWriter(database);
  const works = [writer.run(() => add(1)), writer.run(() => add(2))];
  database.close();
  for (const { status } of await Promise.allSettled(works)) assert.equal(status, 'rejected');
});

test('without others each work is committed by itself at once', async () => {
  const { database, commits, list, add } = open();
  const writer = createLightWriter(database);
  const works = [writer.run(() => add(1)), writer.run(() => add(2))];
  assert.deepEqual(list(), [1, 2]);
  assert.deepEqual(commits, ['COMMIT', 'COMMIT']);
  await Promise.all(works);
  await assert.rejects(
    writer.run(() => add(2)),
    { code: 'ERR_VERIFIER_STORE' },
  );
});
