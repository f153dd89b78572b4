import type { DatabaseSync } from 'node:sqlite';
import type { ImaOutcome } from '../ima/ima-conclusion.ts';
import { type ImaProgress, startIma } from '../ima/ima-progress.ts';
import { type Row, readBytes, readNumber, readOptional, readText } from './row.ts';

/** What is known of the boot session of a kube node: where its IMA list stood when it was last quoted. */
export interface BootSession {
  /** Name of the AK that quoted, hex. */
  readonly akName: string;
  readonly resetCount: number;
  readonly restartCount: number;
  readonly ima: ImaProgress;
  /** How the list of the standing evidence ended. */
  readonly outcome: ImaOutcome;
  /** What the operating system measured after the boot, as it came last; empty where it was asked for and is not there. */
  readonly userspaceLog: Buffer | null;
}

/** Boot sessions by kube node. Writers run inside the caller's transaction. */
export interface BootSessionStore {
  findSession(ueid: string): BootSession | undefined;
  saveSession(ueid: string, session: BootSession): void;
}

const OUTCOMES: readonly ImaOutcome[] = ['matched', 'missing', 'mismatch'];

/** Creates the store of boot sessions over an open database. */
export function createBootSessionStore(database: DatabaseSync): BootSessionStore {
  const select = database.prepare('SELECT * FROM boot_sessions WHERE ueid = ?');
  const upsert = database.prepare(
    `INSERT INTO boot_sessions (ueid, ak_name, reset_count, restart_count, entries, extended, native, padded, violations,
       aggregate, outcome, userspace_log) VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?)
     ON CONFLICT (ueid) DO UPDATE SET ak_name = excluded.ak_name, reset_count = excluded.reset_count,
       restart_count = excluded.restart_count, entries = excluded.entries,
       extended = excluded.extended, native = excluded.native, padded = excluded.padded, violations = excluded.violations,
       aggregate = excluded.aggregate, outcome = excluded.outcome, userspace_log = excluded.userspace_log`,
  );
  return {
    findSession: (ueid) => {
      const row = select.get(ueid);
      return row === undefined ? undefined : toSession(row);
    },
    saveSession: (ueid, { akName, resetCount, restartCount, ima, outcome, userspaceLog }) => {
      const { native, sha1Padded } = ima.replay.values;
      const aggregate = ima.aggregate === null ? null : Number(ima.aggregate);
      const { entries, extended } = ima.replay;
      upsert.run(
        ueid,
        akName,
        resetCount,
        restartCount,
        entries,
        extended,
        native,
        sha1Padded,
        ima.violations,
        aggregate,
        outcome,
        userspaceLog,
      );
    },
  };
}

/** Undefined for a row that this version cannot have written: the list is then replayed from its start. */
function toSession(row: Row): BootSession | undefined {
  const outcome = OUTCOMES.find((each) => each === readText(row, 'outcome'));
  if (outcome === undefined) return undefined;
  const aggregate = readOptional(row, 'aggregate', readNumber);
  return {
    akName: readText(row, 'ak_name'),
    resetCount: readNumber(row, 'reset_count'),
    restartCount: readNumber(row, 'restart_count'),
    ima: {
      replay: {
        ...startIma().replay,
        entries: readNumber(row, 'entries'),
        extended: readNumber(row, 'extended'),
        values: { native: readBytes(row, 'native'), sha1Padded: readBytes(row, 'padded') },
      },
      violations: readNumber(row, 'violations'),
      aggregate: aggregate === null ? null : aggregate === 1,
    },
    outcome,
    userspaceLog: readOptional(row, 'userspace_log', readBytes),
  };
}
