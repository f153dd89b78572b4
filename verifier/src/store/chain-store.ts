import type { DatabaseSync } from 'node:sqlite';
import type { FindingCode } from '../appraisal/finding-code.ts';
import { type Row, readNumber, readOptional, readText } from './row.ts';

/** The last evidence that was accepted of a kube node, with the counters of its signed quotes. */
export interface ChainHead {
  readonly chain: string;
  readonly seq: number;
  readonly evidenceId: string;
  /** Name of the AK that quoted, hex. */
  readonly akName: string;
  readonly resetCount: number;
  readonly restartCount: number;
  /** The TPM's clock in the last quote, milliseconds; null for a head of an older verifier. */
  readonly clockMs: number | null;
}

/** Something about a kube node that stays visible until an operator acknowledges it. */
export interface Incident {
  readonly code: FindingCode;
  readonly firstAtMs: number;
  readonly lastAtMs: number;
  readonly count: number;
}

/** Heads, accepted evidence and incidents. Writers run inside the caller's transaction. */
export interface ChainStore {
  findHead(ueid: string): ChainHead | undefined;
  hasChain(ueid: string, chain: string): boolean;
  hasEvidence(ueid: string, evidenceId: string): boolean;
  /** Moves the head from `expected` to `next` if it still stands there; false, and nothing written, when it does not. */
  moveHead(ueid: string, expected: ChainHead | undefined, next: ChainHead, nowMs: number): boolean;
  /** Lets an AK take the place of another in all that is known of a boot session: the other one vouched for it. */
  renameAk(ueid: string, akName: string): void;
  /** Forgets evidence that is too old to be replayed with a fresh nonce. */
  forgetEvidence(ueid: string, beforeMs: number): void;
  listIncidents(ueid: string): Incident[];
  addIncident(ueid: string, code: FindingCode, nowMs: number): void;
}

/** Creates the store of chains. `isCode` tells whether a text is a finding code of this version. */
export function createChainStore(database: DatabaseSync, isCode: (text: string) => text is FindingCode): ChainStore {
  const selectHead = database.prepare('SELECT * FROM heads WHERE ueid = ?');
  const selectChain = database.prepare('SELECT 1 FROM chains WHERE ueid = ? AND chain = ?');
  const selectEvidence = database.prepare('SELECT 1 FROM evidence WHERE ueid = ? AND evidence_id = ?');
  const forget = database.prepare('DELETE FROM evidence WHERE ueid = ? AND received_at < ?');
  const selectIncidents = database.prepare('SELECT * FROM incidents WHERE ueid = ? ORDER BY code');
  const upsertIncident = database.prepare(
    `INSERT INTO incidents (ueid, code, first_at, last_at, count) VALUES (?, ?, ?, ?, 1)
     ON CONFLICT (ueid, code) DO UPDATE SET last_at = excluded.last_at, count = count + 1`,
  );
  const renames = ['heads', 'boot_sessions'].map((table) =>
    database.prepare(`UPDATE ${table} SET ak_name = ? WHERE ueid = ?`),
  );
  return {
    renameAk: (ueid, akName) => {
      for (const statement of renames) statement.run(akName, ueid);
    },
    findHead: (ueid) => {
      const row = selectHead.get(ueid);
      return row === undefined ? undefined : toHead(row);
    },
    hasChain: (ueid, chain) => selectChain.get(ueid, chain) !== undefined,
    hasEvidence: (ueid, evidenceId) => selectEvidence.get(ueid, evidenceId) !== undefined,
    moveHead: createHeadMover(database),
    forgetEvidence: (ueid, beforeMs) => {
      forget.run(ueid, beforeMs);
    },
    listIncidents: (ueid) => selectIncidents.all(ueid).flatMap((row) => toIncident(row, isCode)),
    addIncident: (ueid, code, nowMs) => {
      upsertIncident.run(ueid, code, nowMs, nowMs);
    },
  };
}

function createHeadMover(database: DatabaseSync): ChainStore['moveHead'] {
  const insertHead = database.prepare(
    `INSERT INTO heads (ueid, chain, seq, evidence_id, ak_name, reset_count, restart_count, clock_ms)
     VALUES (?, ?, ?, ?, ?, ?, ?, ?) ON CONFLICT (ueid) DO NOTHING`,
  );
  const updateHead = database.prepare(
    `UPDATE heads SET chain = ?, seq = ?, evidence_id = ?, ak_name = ?, reset_count = ?, restart_count = ?,
       clock_ms = ?
     WHERE ueid = ? AND evidence_id = ?`,
  );
  const insertChain = database.prepare(
    'INSERT INTO chains (ueid, chain, first_at) VALUES (?, ?, ?) ON CONFLICT DO NOTHING',
  );
  const insertEvidence = database.prepare('INSERT INTO evidence (ueid, evidence_id, received_at) VALUES (?, ?, ?)');
  return (ueid, expected, next, nowMs) => {
    const { chain, seq, evidenceId, akName, resetCount, restartCount, clockMs } = next;
    const { changes } =
      expected === undefined
        ? insertHead.run(ueid, chain, seq, evidenceId, akName, resetCount, restartCount, clockMs)
        : updateHead.run(chain, seq, evidenceId, akName, resetCount, restartCount, clockMs, ueid, expected.evidenceId);
    if (Number(changes) !== 1) return false;
    insertEvidence.run(ueid, evidenceId, nowMs);
    if (expected?.chain !== chain) insertChain.run(ueid, chain, nowMs);
    return true;
  };
}

function toHead(row: Row): ChainHead {
  return {
    chain: readText(row, 'chain'),
    seq: readNumber(row, 'seq'),
    evidenceId: readText(row, 'evidence_id'),
    akName: readText(row, 'ak_name'),
    resetCount: readNumber(row, 'reset_count'),
    restartCount: readNumber(row, 'restart_count'),
    clockMs: readOptional(row, 'clock_ms', readNumber),
  };
}

function toIncident(row: Row, isCode: (text: string) => text is FindingCode): Incident[] {
  const code = readText(row, 'code');
  if (!isCode(code)) return [];
  return [
    {
      code,
      firstAtMs: readNumber(row, 'first_at'),
      lastAtMs: readNumber(row, 'last_at'),
      count: readNumber(row, 'count'),
    },
  ];
}
