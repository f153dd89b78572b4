import type { DatabaseSync, StatementSync } from 'node:sqlite';
import { type Row, readBytes, readNumber, readOptional, readText } from './row.ts';

/** A published result. */
export interface StoredResult {
  readonly ueid: string;
  readonly label: string;
  readonly appraisedAtMs: number;
  /** holdfast.v1.Result without its freshness, which is a matter of when one looks. */
  readonly body: Buffer;
  /** When fresh evidence was last accepted; null for never. */
  readonly lastGoodAtMs: number | null;
  readonly enrolledAtMs: number;
}

export interface NewResult {
  readonly ueid: string;
  readonly evidenceId: string;
  /** Digest of everything else that the result rests on; a result with the same evidence and basis is the same result. */
  readonly basis: string;
  readonly appraisedAtMs: number;
  readonly body: Uint8Array;
  readonly containers: readonly { readonly id: string; readonly manifest: string | null }[];
}

/** Current results, found by any of their names at a cost that does not grow with history. */
export interface ResultStore {
  /** Makes this the current result of its kube node. Runs inside the caller's transaction. */
  saveResult(result: NewResult): void;
  /** Puts this in the place of the current result, which said the same. Runs inside the caller's transaction. */
  replaceResult(result: NewResult): void;
  findByLabel(label: string): StoredResult | undefined;
  findByUeid(ueid: string): StoredResult | undefined;
  /** One at a time, to be read before anything else is asked. */
  findByContainer(container: string, limit: number): Iterable<StoredResult>;
  findByManifest(manifest: string, limit: number): Iterable<StoredResult>;
  /** How many current results name a container or image. */
  countByName(containerOrManifest: string): number;
  findByEvidence(evidenceId: string): StoredResult | undefined;
  /** Current results in the order of their labels, from after `afterLabel`. Kube nodes without one are left out. */
  listCurrent(afterLabel: string, limit: number): StoredResult[];
  /** Kube nodes in the order of their labels, those without a result among them. */
  listNodes(afterLabel: string, limit: number): NodeRow[];
  /** Kube nodes whose standing evidence names this image. */
  listNodesWithManifest(manifest: string): string[];
  /** Kube nodes whose last fresh evidence came after `fromMs` and not after `toMs`. */
  listSilent(fromMs: number, toMs: number): string[];
}

export interface NodeRow {
  readonly ueid: string;
  readonly label: string;
  readonly enrolledAtMs: number;
  readonly lastGoodAtMs: number | null;
  /** holdfast.v1.Result, null before the first one. */
  readonly body: Buffer | null;
}

const CURRENT = `
  SELECT n.ueid, n.label, n.enrolled_at, n.last_good_at, r.appraised_at, r.body
  FROM kube_nodes n JOIN results r ON r.id = n.result_id`;

/** Creates the store of results over an open database. */
export function createResultStore(database: DatabaseSync): ResultStore {
  const byLabel = database.prepare(`${CURRENT} WHERE n.label = ?`);
  const byUeid = database.prepare(`${CURRENT} WHERE n.ueid = ?`);
  const byContainer = database.prepare(
    `${CURRENT} JOIN current_containers c ON c.ueid = n.ueid WHERE c.container = ? LIMIT ?`,
  );
  const byManifest = database.prepare(
    `${CURRENT} WHERE n.ueid IN (SELECT ueid FROM current_containers WHERE manifest = ?) ORDER BY n.label LIMIT ?`,
  );
  const byName = database.prepare(
    `SELECT (SELECT COUNT(*) FROM current_containers WHERE container = ?)
          + (SELECT COUNT(DISTINCT ueid) FROM current_containers WHERE manifest = ?) AS count`,
  );
  const byEvidence = database.prepare(
    `SELECT n.ueid, n.label, n.enrolled_at, n.last_good_at, r.appraised_at, r.body
     FROM results r JOIN kube_nodes n ON n.ueid = r.ueid WHERE r.evidence_id = ? ORDER BY r.id DESC LIMIT 1`,
  );
  const current = database.prepare(`${CURRENT} WHERE n.label > ? ORDER BY n.label LIMIT ?`);
  const nodes = database.prepare(
    `SELECT n.ueid, n.label, n.enrolled_at, n.last_good_at, r.body
     FROM kube_nodes n LEFT JOIN results r ON r.id = n.result_id WHERE n.label > ? ORDER BY n.label LIMIT ?`,
  );
  const replace = database.prepare(
    `UPDATE results SET evidence_id = ?, basis = ?, appraised_at = ?, body = ?
     WHERE id = (SELECT result_id FROM kube_nodes WHERE ueid = ?)`,
  );
  const withManifest = database.prepare('SELECT DISTINCT ueid FROM current_containers WHERE manifest = ?');
  const silent = database.prepare('SELECT ueid FROM kube_nodes WHERE last_good_at > ? AND last_good_at <= ?');
  return {
    saveResult: createSaver(database),
    replaceResult: ({ ueid, evidenceId, basis, appraisedAtMs, body }) => {
      replace.run(evidenceId, basis, appraisedAtMs, body, ueid);
    },
    findByLabel: (label) => toOptional(byLabel, label),
    findByUeid: (ueid) => toOptional(byUeid, ueid),
    findByContainer: (container, limit) => iterateResults(byContainer, container, limit),
    findByManifest: (manifest, limit) => iterateResults(byManifest, manifest, limit),
    countByName: (name) => readNumber(byName.get(name, name) ?? {}, 'count'),
    findByEvidence: (evidenceId) => toOptional(byEvidence, evidenceId),
    listCurrent: (afterLabel, limit) => current.all(afterLabel, limit).map(toResult),
    listNodes: (afterLabel, limit) => nodes.all(afterLabel, limit).map(toNodeRow),
    listSilent: (fromMs, toMs) => silent.all(fromMs, toMs).map((row) => readText(row, 'ueid')),
    listNodesWithManifest: (manifest) => withManifest.all(manifest).map((row) => readText(row, 'ueid')),
  };
}

function createSaver(database: DatabaseSync): ResultStore['saveResult'] {
  const insert = database.prepare(
    `INSERT INTO results (ueid, evidence_id, basis, appraised_at, body) VALUES (?, ?, ?, ?, ?)
     ON CONFLICT (evidence_id, basis) DO NOTHING`,
  );
  const point = database.prepare(
    `UPDATE kube_nodes SET result_id = (SELECT id FROM results WHERE evidence_id = ? AND basis = ?) WHERE ueid = ?`,
  );
  const clearContainers = database.prepare('DELETE FROM current_containers WHERE ueid = ?');
  const addContainer = database.prepare('INSERT INTO current_containers (ueid, container, manifest) VALUES (?, ?, ?)');
  return (result) => {
    insert.run(result.ueid, result.evidenceId, result.basis, result.appraisedAtMs, result.body);
    point.run(result.evidenceId, result.basis, result.ueid);
    clearContainers.run(result.ueid);
    for (const container of result.containers) addContainer.run(result.ueid, container.id, container.manifest);
  };
}

function* iterateResults(statement: StatementSync, name: string, limit: number): Generator<StoredResult> {
  for (const row of statement.iterate(name, limit)) yield toResult(row);
}

function toOptional(statement: StatementSync, value: string): StoredResult | undefined {
  const row = statement.get(value);
  return row === undefined ? undefined : toResult(row);
}

function toResult(row: Row): StoredResult {
  return {
    ueid: readText(row, 'ueid'),
    label: readText(row, 'label'),
    appraisedAtMs: readNumber(row, 'appraised_at'),
    body: readBytes(row, 'body'),
    lastGoodAtMs: readOptional(row, 'last_good_at', readNumber),
    enrolledAtMs: readNumber(row, 'enrolled_at'),
  };
}

function toNodeRow(row: Row): NodeRow {
  return {
    ueid: readText(row, 'ueid'),
    label: readText(row, 'label'),
    enrolledAtMs: readNumber(row, 'enrolled_at'),
    lastGoodAtMs: readOptional(row, 'last_good_at', readNumber),
    body: readOptional(row, 'body', readBytes),
  };
}
