import type { DatabaseSync } from 'node:sqlite';
import { runTransaction } from './open-database.ts';
import { type Row, readBytes, readNumber, readOptional, readText } from './row.ts';

/** A signed statement as it is kept. It was verified when it came in and is verified again before each use. */
export interface StoredReference {
  /** `sha256:…` of the envelope. */
  readonly digest: string;
  readonly envelope: Buffer;
  readonly predicateType: string;
  /** Of the first subject; all of them can be asked for. */
  readonly subjectName: string;
  readonly subjectDigest: string;
  readonly keyId: string;
  readonly addedAtMs: number;
  readonly revokedAtMs: number | null;
  readonly revocationReason: string | null;
}

export interface ReferenceStore {
  /** Keeps the statement; does nothing, and gives false, when it is there already, revoked or not. */
  addReference(reference: StoredReference, subjectDigests: readonly string[]): boolean;
  findReference(digest: string): StoredReference | undefined;
  /** Newest first, revoked ones among them. */
  findBySubject(subjectDigest: string, limit: number): StoredReference[];
  /** Newest first, of these predicate types alone and without revoked ones: neither takes a place within the limit. */
  findStanding(subjectDigest: string, predicateTypes: readonly string[], limit: number): StoredReference[];
  /** Newest first, without revoked ones. */
  findByPredicateType(predicateType: string, limit: number): StoredReference[];
  /** In the order of their digests, from after `afterDigest`. */
  listReferences(afterDigest: string, limit: number): StoredReference[];
  /** Marks it as revoked; stays revoked from the first time on. False when there is none. */
  revokeReference(digest: string, reason: string, nowMs: number): boolean;
  /** Subjects of a statement, `sha256:…`. */
  listSubjects(digest: string): string[];
}

/** Creates the store of references over an open database. */
export function createReferenceStore(database: DatabaseSync): ReferenceStore {
  const insert = database.prepare(
    `INSERT INTO refs (digest, envelope, predicate_type, subject_name, subject_digest, key_id, added_at)
     VALUES (?, ?, ?, ?, ?, ?, ?) ON CONFLICT (digest) DO NOTHING`,
  );
  const insertSubject = database.prepare(
    'INSERT INTO ref_subjects (subject_digest, digest) VALUES (?, ?) ON CONFLICT DO NOTHING',
  );
  const byDigest = database.prepare('SELECT * FROM refs WHERE digest = ?');
  const bySubject = database.prepare(
    `SELECT r.* FROM ref_subjects s JOIN refs r ON r.digest = s.digest
     WHERE s.subject_digest = ? ORDER BY r.added_at DESC, r.digest LIMIT ?`,
  );
  const standing = database.prepare(
    `SELECT r.* FROM ref_subjects s JOIN refs r ON r.digest = s.digest
     WHERE s.subject_digest = ? AND r.revoked_at IS NULL AND r.predicate_type IN (SELECT value FROM json_each(?))
     ORDER BY r.added_at DESC, r.digest LIMIT ?`,
  );
  const byType = database.prepare(
    `SELECT * FROM refs WHERE predicate_type = ? AND revoked_at IS NULL ORDER BY added_at DESC, digest LIMIT ?`,
  );
  const list = database.prepare('SELECT * FROM refs WHERE digest > ? ORDER BY digest LIMIT ?');
  const revoke = database.prepare(
    `UPDATE refs SET revoked_at = coalesce(revoked_at, ?), revocation_reason = coalesce(revocation_reason, ?)
     WHERE digest = ?`,
  );
  const subjects = database.prepare('SELECT subject_digest FROM ref_subjects WHERE digest = ? ORDER BY subject_digest');
  return {
    addReference: (reference, subjectDigests) =>
      runTransaction(database, () => {
        const { digest, envelope, predicateType, subjectName, subjectDigest, keyId, addedAtMs } = reference;
        const { changes } = insert.run(digest, envelope, predicateType, subjectName, subjectDigest, keyId, addedAtMs);
        for (const subject of subjectDigests) insertSubject.run(subject, digest);
        return Number(changes) === 1;
      }),
    findReference: (digest) => {
      const row = byDigest.get(digest);
      return row === undefined ? undefined : toReference(row);
    },
    findBySubject: (subjectDigest, limit) => bySubject.all(subjectDigest, limit).map(toReference),
    findStanding: (subjectDigest, predicateTypes, limit) =>
      standing.all(subjectDigest, JSON.stringify(predicateTypes), limit).map(toReference),
    findByPredicateType: (predicateType, limit) => byType.all(predicateType, limit).map(toReference),
    listReferences: (afterDigest, limit) => list.all(afterDigest, limit).map(toReference),
    revokeReference: (digest, reason, nowMs) => Number(revoke.run(nowMs, reason, digest).changes) === 1,
    listSubjects: (digest) => subjects.all(digest).map((row) => readText(row, 'subject_digest')),
  };
}

function toReference(row: Row): StoredReference {
  return {
    digest: readText(row, 'digest'),
    envelope: readBytes(row, 'envelope'),
    predicateType: readText(row, 'predicate_type'),
    subjectName: readText(row, 'subject_name'),
    subjectDigest: readText(row, 'subject_digest'),
    keyId: readText(row, 'key_id'),
    addedAtMs: readNumber(row, 'added_at'),
    revokedAtMs: readOptional(row, 'revoked_at', readNumber),
    revocationReason: readOptional(row, 'revocation_reason', readText),
  };
}
