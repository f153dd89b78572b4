import { chmodSync, mkdirSync } from 'node:fs';
import { join } from 'node:path';
import { DatabaseSync } from 'node:sqlite';
import { VerifierError } from '../verifier-error.ts';
import { readNumber } from './row.ts';
import { listMigrations } from './schema.ts';

const DURABLE = 'PRAGMA synchronous = FULL';
const LIGHT = 'PRAGMA synchronous = NORMAL';

/**
 * Opens `verifier.sqlite` below the state directory, which is made with mode 0700 where it is missing, and brings an
 * empty or older one to the present schema. `:memory:` in place of a directory gives a store that ends with the process.
 *
 * WAL with synchronous=FULL: what was committed is on the disk, since an agent forgets what it has a receipt for and an
 * operator what was confirmed. See `runLightTransaction` for the exception. Throws `VerifierError` ERR_VERIFIER_STORE when it cannot be opened, is in use, or is of a newer verifier.
 */
export function openDatabase(stateDir: string): DatabaseSync {
  try {
    const database = new DatabaseSync(stateDir === ':memory:' ? stateDir : preparePath(stateDir));
    // A second verifier on the same store would keep other heads in its memory.
    database.exec('PRAGMA busy_timeout = 3000; PRAGMA locking_mode = EXCLUSIVE');
    database.exec(`PRAGMA journal_mode = WAL; ${DURABLE}`);
    // 32 MiB between checkpoints: each waits for the disk, and small ones cost more than the rounds between them.
    database.exec('PRAGMA wal_autocheckpoint = 8000');
    database.exec('PRAGMA foreign_keys = ON; PRAGMA trusted_schema = OFF');
    migrate(database);
    return database;
  } catch (error) {
    if (error instanceof VerifierError) throw error;
    const message = error instanceof Error ? error.message : String(error);
    const reason = /locked/.test(message) ? 'another verifier uses it' : message;
    throw new VerifierError('ERR_VERIFIER_STORE', `cannot open the store in ${stateDir}: ${reason}`, { cause: error });
  }
}

function preparePath(stateDir: string): string {
  mkdirSync(stateDir, { recursive: true, mode: 0o700 });
  chmodSync(stateDir, 0o700);
  return join(stateDir, 'verifier.sqlite');
}

function migrate(database: DatabaseSync): void {
  const version = readNumber(database.prepare('PRAGMA user_version').get() ?? {}, 'user_version');
  const migrations = listMigrations();
  if (version > migrations.length) {
    throw new VerifierError(
      'ERR_VERIFIER_STORE',
      `the store has schema ${version}, this verifier knows ${migrations.length}: use the verifier that made it`,
    );
  }
  if (version === migrations.length) return;
  runTransaction(database, () => {
    for (const migration of migrations.slice(version)) database.exec(migration);
    database.exec(`PRAGMA user_version = ${migrations.length}`);
  });
}

/**
 * Runs `work` in one transaction, taken back as a whole when it throws. Must not be nested. Throws what `work` throws, and
 * `VerifierError` ERR_VERIFIER_STORE where SQLite itself fails, such as on a full disk.
 */
export function runTransaction<T>(database: DatabaseSync, work: () => T): T {
  try {
    database.exec('BEGIN IMMEDIATE');
    const value = work();
    database.exec('COMMIT');
    return value;
  } catch (error) {
    // SQLite may have taken it back already.
    if (database.isTransaction) database.exec('ROLLBACK');
    throw isSqliteError(error) ? describeFailure(error) : error;
  }
}

/**
 * The same without waiting for the disk: a power loss may take what was committed since the last transaction that did
 * wait, in whole transactions and never their order. For what there is very much of and what can be made again.
 */
export function runLightTransaction<T>(database: DatabaseSync, work: () => T): T {
  database.exec(LIGHT);
  try {
    return runTransaction(database, work);
  } finally {
    database.exec(DURABLE);
  }
}

function isSqliteError(error: unknown): error is Error {
  return error instanceof Error && 'code' in error && error.code === 'ERR_SQLITE_ERROR';
}

function describeFailure(error: Error): VerifierError {
  return new VerifierError('ERR_VERIFIER_STORE', `the store failed: ${error.message}`, { cause: error });
}
