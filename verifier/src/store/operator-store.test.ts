import assert from 'node:assert/strict';
import { test } from 'node:test';
import { openDatabase } from './open-database.ts';
import { createOperatorStore } from './operator-store.ts';
import { readText } from './row.ts';

/** What the record of the past keeps of a kube node that was removed. */
const KEPT = ['operator_actions', 'results'];

test('removing a kube node reaches every table that knows one', () => {
  const database = openDatabase(':memory:');
  const prepared: string[] = [];
  const prepare = database.prepare.bind(database);
  const tables = prepare(
    `SELECT m.name AS name FROM sqlite_master m JOIN pragma_table_info(m.name) c
     WHERE m.type = 'table' AND c.name = 'ueid' ORDER BY m.name`,
  )
    .all()
    .map((row) => readText(row, 'name'));
  database.prepare = (sql: string) => {
    prepared.push(sql);
    return prepare(sql);
  };
  createOperatorStore(database);
  const cleared = tables.filter((table) => prepared.includes(`DELETE FROM ${table} WHERE ueid = ?`));
  assert.ok(tables.length > KEPT.length);
  assert.deepEqual(
    tables.filter((table) => !cleared.includes(table)),
    KEPT,
  );
  database.close();
});
