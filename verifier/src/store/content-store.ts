import type { DatabaseSync } from 'node:sqlite';
import { readBytes, readNumber, readOptional, readText } from './row.ts';

/** The evidence that a kube node's standing result rests on. */
export interface StandingEvidence {
  /** Compact JWT; verified when it was stored, and verified again when it is read. */
  readonly token: string;
  readonly receivedAtMs: number;
}

/**
 * Claims-sets and blobs of each kube node by digest, and its standing token. Scoped by kube node, so that asking for a
 * digest never tells what another kube node has.
 */
export interface ContentStore {
  readContent(ueid: string, digest: string): Buffer | undefined;
  listDigests(ueid: string): string[];
  /** Stores content under its digest, which the caller computed from it. */
  addContent(ueid: string, digest: string, content: Uint8Array): void;
  dropContent(ueid: string, digest: string): void;
  readStanding(ueid: string): StandingEvidence | undefined;
  writeStanding(ueid: string, token: string, nowMs: number): void;
  /** Records that fresh evidence was accepted. */
  touchNode(ueid: string, nowMs: number): void;
  readLastGood(ueid: string): number | null;
}

/** Creates the store of contents over an open database. */
export function createContentStore(database: DatabaseSync): ContentStore {
  const selectContent = database.prepare('SELECT content FROM contents WHERE ueid = ? AND digest = ?');
  const selectDigests = database.prepare('SELECT digest FROM contents WHERE ueid = ?');
  const insertContent = database.prepare(
    'INSERT INTO contents (ueid, digest, content) VALUES (?, ?, ?) ON CONFLICT DO NOTHING',
  );
  const deleteContent = database.prepare('DELETE FROM contents WHERE ueid = ? AND digest = ?');
  const selectStanding = database.prepare('SELECT token, received_at FROM standing WHERE ueid = ?');
  const upsertStanding = database.prepare(
    `INSERT INTO standing (ueid, token, received_at) VALUES (?, ?, ?)
     ON CONFLICT (ueid) DO UPDATE SET token = excluded.token, received_at = excluded.received_at`,
  );
  const touch = database.prepare('UPDATE kube_nodes SET last_good_at = ? WHERE ueid = ?');
  const selectLastGood = database.prepare('SELECT last_good_at FROM kube_nodes WHERE ueid = ?');
  return {
    readContent: (ueid, digest) => {
      const row = selectContent.get(ueid, digest);
      return row === undefined ? undefined : readBytes(row, 'content');
    },
    listDigests: (ueid) => selectDigests.all(ueid).map((row) => readText(row, 'digest')),
    addContent: (ueid, digest, content) => {
      insertContent.run(ueid, digest, content);
    },
    dropContent: (ueid, digest) => {
      deleteContent.run(ueid, digest);
    },
    readStanding: (ueid) => {
      const row = selectStanding.get(ueid);
      return row && { token: readText(row, 'token'), receivedAtMs: readNumber(row, 'received_at') };
    },
    writeStanding: (ueid, token, nowMs) => {
      upsertStanding.run(ueid, token, nowMs);
    },
    touchNode: (ueid, nowMs) => {
      touch.run(nowMs, ueid);
    },
    readLastGood: (ueid) =>
      readOptional(selectLastGood.get(ueid) ?? { last_good_at: null }, 'last_good_at', readNumber),
  };
}
