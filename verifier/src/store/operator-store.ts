import type { DatabaseSync } from 'node:sqlite';
import type { FindingCode } from '../appraisal/finding-code.ts';
import type { Incident } from './chain-store.ts';

/** What an operator did to a kube node, for the record. */
export interface OperatorAction {
  readonly atMs: number;
  /** SHA-256 of the TLS key that asked, hex. */
  readonly operator: string;
  readonly action: 'acknowledge' | 'remove';
  readonly ueid: string;
  readonly label: string;
  readonly reason: string;
  /** Those that the action ended. */
  readonly incidents: readonly Incident[];
}

/** Changes that only an operator makes. All run inside the caller's transaction. */
export interface OperatorStore {
  recordAction(action: OperatorAction): void;
  dropIncident(ueid: string, code: FindingCode): void;
  /** Forgets where chain, counters and logs stood: the next evidence begins anew. */
  dropHead(ueid: string): void;
  /** Forgets an enrolment with all that hangs on it; results of the past stay. */
  dropNode(ueid: string): void;
}

/** Tables with rows of a kube node, the one that the others refer to last. */
const NODE_TABLES = [
  'enrolled_keys',
  'heads',
  'chains',
  'evidence',
  'incidents',
  'standing',
  'contents',
  'current_containers',
  'boot_sessions',
  'measured_sessions',
  'measured_files',
  'measured_agent_files',
  'kube_nodes',
];

/** Creates the store of what operators do over an open database. */
export function createOperatorStore(database: DatabaseSync): OperatorStore {
  const insertAction = database.prepare(
    'INSERT INTO operator_actions (at, operator, action, ueid, label, reason, incidents) VALUES (?, ?, ?, ?, ?, ?, ?)',
  );
  const deleteIncident = database.prepare('DELETE FROM incidents WHERE ueid = ? AND code = ?');
  const deleteFrom = (table: string) => database.prepare(`DELETE FROM ${table} WHERE ueid = ?`);
  const deleteStand = ['heads', 'boot_sessions'].map(deleteFrom);
  const deleteNode = NODE_TABLES.map(deleteFrom);
  return {
    recordAction: ({ atMs, operator, action, ueid, label, reason, incidents }) => {
      insertAction.run(atMs, operator, action, ueid, label, reason, JSON.stringify(incidents));
    },
    dropIncident: (ueid, code) => {
      deleteIncident.run(ueid, code);
    },
    dropHead: (ueid) => {
      for (const statement of deleteStand) statement.run(ueid);
    },
    dropNode: (ueid) => {
      for (const statement of deleteNode) statement.run(ueid);
    },
  };
}
