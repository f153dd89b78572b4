const HEADER_BYTES = 32;
const FRAME_HEADER_BYTES = 24;
/** Big-endian; the last bit says whether checksums are made of big-endian words. */
const MAGIC = 0x377f0682;

/** Pages that a write-ahead log holds in place of those of the database. */
export interface WalPages {
  /** Offset of the newest committed content of each page in the log. */
  readonly offsets: ReadonlyMap<number, number>;
  /** Pages of the database after the last commit; undefined where nothing was committed. */
  readonly pageCount: number | undefined;
}

const NOTHING: WalPages = { offsets: new Map(), pageCount: undefined };

/**
 * Reads which pages a write-ahead log overrides: frames whose salts and running checksum are those of the log, up to the
 * last one that ends a transaction. What comes after is not part of the database, as for SQLite itself. A log that is
 * none, or of another page size, overrides nothing. SQLite "Database File Format", section 4.
 */
export function readWal(wal: Buffer, pageBytes: number): WalPages {
  const header = readHeader(wal, pageBytes);
  if (header === undefined) return NOTHING;
  const offsets = new Map<number, number>();
  const open = new Map<number, number>();
  let pageCount: number | undefined;
  let sum = header.sum;
  for (let at = HEADER_BYTES; at + FRAME_HEADER_BYTES + pageBytes <= wal.length; at += FRAME_HEADER_BYTES + pageBytes) {
    if (!wal.subarray(at + 8, at + 16).equals(header.salts)) break;
    sum = addWords(wal, at, at + 8, sum);
    sum = addWords(wal, at + FRAME_HEADER_BYTES, at + FRAME_HEADER_BYTES + pageBytes, sum);
    if (wal.readUInt32BE(at + 16) !== sum.first || wal.readUInt32BE(at + 20) !== sum.second) break;
    open.set(wal.readUInt32BE(at), at + FRAME_HEADER_BYTES);
    const committed = wal.readUInt32BE(at + 4);
    if (committed === 0) continue;
    pageCount = committed;
    for (const [page, offset] of open) offsets.set(page, offset);
    open.clear();
  }
  return { offsets, pageCount };
}

interface Sum {
  readonly first: number;
  readonly second: number;
  readonly isBig: boolean;
}

function readHeader(wal: Buffer, pageBytes: number): { salts: Buffer; sum: Sum } | undefined {
  if (wal.length < HEADER_BYTES) return undefined;
  const magic = wal.readUInt32BE(0);
  if ((magic & 0xfffffffe) >>> 0 !== MAGIC || wal.readUInt32BE(8) !== pageBytes) return undefined;
  const isBig = (magic & 1) === 1;
  const sum = addWords(wal, 0, 24, { first: 0, second: 0, isBig });
  if (wal.readUInt32BE(24) !== sum.first || wal.readUInt32BE(28) !== sum.second) return undefined;
  return { salts: wal.subarray(16, 24), sum };
}

/** Two running sums over pairs of 32-bit words (section 4.2). */
function addWords(bytes: Buffer, from: number, to: number, start: Sum): Sum {
  let { first, second } = start;
  const { isBig } = start;
  for (let at = from; at < to; at += 8) {
    first = (first + (isBig ? bytes.readUInt32BE(at) : bytes.readUInt32LE(at)) + second) >>> 0;
    second = (second + (isBig ? bytes.readUInt32BE(at + 4) : bytes.readUInt32LE(at + 4)) + first) >>> 0;
  }
  return { first, second, isBig };
}
