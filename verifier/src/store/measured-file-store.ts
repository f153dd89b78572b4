import type { DatabaseSync } from 'node:sqlite';
import type { MeasuredFiles } from '../ima/measured-files.ts';
import { readNumber, readOptional, readText } from './row.ts';

/** How much is kept of the files that IMA measured on a kube node in its boot session. */
export interface MeasuredState {
  /** Directory whose files are kept with their paths, as claims had it. */
  readonly agentRoot: string | null;
  readonly known: number;
  readonly isLimited: boolean;
}

/** Files that IMA measured on a kube node in its boot session. Writers run inside the caller's transaction. */
export interface MeasuredFileStore {
  findState(ueid: string): MeasuredState | undefined;
  hasKey(ueid: string, key: string): boolean;
  /** Hex SHA-256, a space and the path. */
  listAgentFiles(ueid: string): string[];
  /** Keeps more of them; `isAnew` forgets those of an earlier session first. */
  addFiles(ueid: string, files: MeasuredFiles, state: MeasuredState, isAnew: boolean): void;
}

/** Creates the store over an open database. */
export function createMeasuredFileStore(database: DatabaseSync): MeasuredFileStore {
  const selectState = database.prepare('SELECT * FROM measured_sessions WHERE ueid = ?');
  const upsertState = database.prepare(
    `INSERT INTO measured_sessions (ueid, agent_root, known, is_limited) VALUES (?, ?, ?, ?)
     ON CONFLICT (ueid) DO UPDATE SET agent_root = excluded.agent_root, known = excluded.known,
       is_limited = excluded.is_limited`,
  );
  const select = database.prepare('SELECT 1 FROM measured_files WHERE ueid = ? AND key = ?');
  const insert = database.prepare('INSERT INTO measured_files (ueid, key) VALUES (?, ?) ON CONFLICT DO NOTHING');
  const clear = database.prepare('DELETE FROM measured_files WHERE ueid = ?');
  const list = database.prepare('SELECT file FROM measured_agent_files WHERE ueid = ? ORDER BY file');
  const insertAgent = database.prepare(
    'INSERT INTO measured_agent_files (ueid, file) VALUES (?, ?) ON CONFLICT DO NOTHING',
  );
  const clearAgent = database.prepare('DELETE FROM measured_agent_files WHERE ueid = ?');
  return {
    findState: (ueid) => {
      const row = selectState.get(ueid);
      if (row === undefined) return undefined;
      return {
        agentRoot: readOptional(row, 'agent_root', readText),
        known: readNumber(row, 'known'),
        isLimited: readNumber(row, 'is_limited') === 1,
      };
    },
    hasKey: (ueid, key) => select.get(ueid, Buffer.from(key, 'base64url')) !== undefined,
    listAgentFiles: (ueid) => list.all(ueid).map((row) => readText(row, 'file')),
    addFiles: (ueid, { keys, agentFiles }, { agentRoot, known, isLimited }, isAnew) => {
      upsertState.run(ueid, agentRoot, known, Number(isLimited));
      if (isAnew) {
        clear.run(ueid);
        clearAgent.run(ueid);
      }
      for (const key of keys) insert.run(ueid, Buffer.from(key, 'base64url'));
      for (const file of agentFiles) insertAgent.run(ueid, file);
    },
  };
}
