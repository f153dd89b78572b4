import type { SQLOutputValue } from 'node:sqlite';
import { VerifierError } from '../verifier-error.ts';

/** A row as SQLite gives it. */
export type Row = Record<string, SQLOutputValue>;

/** The text in a column; throws `VerifierError` ERR_VERIFIER_STORE for anything else. */
export function readText(row: Row, column: string): string {
  const value = row[column];
  return typeof value === 'string' ? value : fail(column);
}

/** The number in a column; throws `VerifierError` ERR_VERIFIER_STORE for anything else. */
export function readNumber(row: Row, column: string): number {
  const value = row[column];
  return typeof value === 'number' ? value : fail(column);
}

/** The bytes in a column; throws `VerifierError` ERR_VERIFIER_STORE for anything else. */
export function readBytes(row: Row, column: string): Buffer {
  const value = row[column];
  return value instanceof Uint8Array ? Buffer.from(value.buffer, value.byteOffset, value.byteLength) : fail(column);
}

/** Reads a column that may hold NULL. */
export function readOptional<T>(row: Row, column: string, read: (row: Row, column: string) => T): T | null {
  return row[column] === null ? null : read(row, column);
}

function fail(column: string): never {
  throw new VerifierError('ERR_VERIFIER_STORE', `the store holds an unexpected value in column ${column}`);
}
