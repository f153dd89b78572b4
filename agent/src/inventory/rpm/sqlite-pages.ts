import { malformedDatabase } from './page-budget.ts';
import { readWal } from './sqlite-wal.ts';

const MAGIC = Buffer.from('SQLite format 3\0', 'latin1');
const HEADER_BYTES = 100;
const UTF8 = 1;

/** A database file as numbered pages, the write-ahead log laid over it. */
export interface SqlitePages {
  /** Bytes of a page that hold content. */
  readonly usableBytes: number;
  readonly count: number;
  /** Page by number, from 1. Throws `EvidenceError` where it lies beyond the end. */
  read(page: number): Buffer;
}

/**
 * Opens a database of SQLite 3 from bytes. Throws `EvidenceError` ERR_EVIDENCE_MALFORMED where the header is none.
 * SQLite "Database File Format", section 1.3.
 */
export function openSqlitePages(database: Buffer, wal: Buffer | undefined): SqlitePages {
  if (database.length < HEADER_BYTES || !database.subarray(0, MAGIC.length).equals(MAGIC)) {
    throw malformedDatabase('no SQLite header');
  }
  const stored = database.readUInt16BE(16);
  const pageBytes = stored === 1 ? 65_536 : stored;
  const usableBytes = pageBytes - database.readUInt8(20);
  const isPowerOfTwo = pageBytes >= 512 && (pageBytes & (pageBytes - 1)) === 0;
  if (!isPowerOfTwo || usableBytes < 480) throw malformedDatabase('no SQLite page size');
  const { offsets, pageCount } = wal === undefined ? NO_WAL : readWal(wal, pageBytes);
  const count = pageCount ?? Math.floor(database.length / pageBytes);
  const pages = {
    usableBytes,
    count: Math.min(count, Math.floor(database.length / pageBytes) + offsets.size),
    read: (page: number): Buffer => {
      const [bytes, offset] = [wal, offsets.get(page)];
      if (bytes !== undefined && offset !== undefined) return bytes.subarray(offset, offset + pageBytes);
      const at = (page - 1) * pageBytes;
      if (page < 1 || at + pageBytes > database.length) throw malformedDatabase('a page beyond the end');
      return database.subarray(at, at + pageBytes);
    },
  };
  // The log may hold the first page, and with it the header, anew.
  if (pages.read(1).readUInt32BE(56) !== UTF8) throw malformedDatabase('text that is not UTF-8');
  return pages;
}

const NO_WAL = { offsets: new Map<number, number>(), pageCount: undefined };
