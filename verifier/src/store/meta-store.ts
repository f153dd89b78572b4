import type { DatabaseSync } from 'node:sqlite';
import { readText } from './row.ts';

/** Facts of which there is one each. */
export interface MetaStore {
  read(key: string): string | undefined;
  write(key: string, value: string): void;
}

/** Creates the store of single facts over an open database. */
export function createMetaStore(database: DatabaseSync): MetaStore {
  const select = database.prepare('SELECT value FROM meta WHERE key = ?');
  const upsert = database.prepare(
    'INSERT INTO meta (key, value) VALUES (?, ?) ON CONFLICT (key) DO UPDATE SET value = excluded.value',
  );
  return {
    read: (key) => {
      const row = select.get(key);
      return row === undefined ? undefined : readText(row, 'value');
    },
    write: (key, value) => {
      upsert.run(key, value);
    },
  };
}
