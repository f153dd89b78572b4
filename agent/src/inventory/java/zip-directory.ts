import { EvidenceError } from '@holdfast/evidence/inventory';
import type { FileBytes } from '../file-bytes.ts';

/** One file of an archive, by its central directory. */
export interface ZipEntry {
  /** As written, UTF-8; no path of any file system. */
  readonly name: string;
  readonly method: number;
  readonly isEncrypted: boolean;
  readonly packedBytes: number;
  readonly bytes: number;
  /** Where its local header begins. */
  readonly offset: number;
}

const START = 'PK';
const END_SIGNATURE = 0x06054b50;
const END_BYTES = 22;
const MAX_COMMENT_BYTES = 0xffff;
const LOCATOR_SIGNATURE = 0x07064b50;
const LOCATOR_BYTES = 20;
const END_64_SIGNATURE = 0x06064b50;
const END_64_BYTES = 56;
const ENTRY_SIGNATURE = 0x02014b50;
const ENTRY_BYTES = 46;
const MAX_DIRECTORY_BYTES = 64 * 1024 * 1024;
const MAX_ENTRIES = 500_000;
/** What one entry takes in memory beside its row in the directory. */
const HELD_ENTRY_BYTES = 256;
const EXTRA_64 = 1;
const UNKNOWN_32 = 0xffffffff;

/**
 * Lists the files of a zip archive by its central directory, as Java finds it: from the end record, whatever stands
 * before the archive. Undefined where there is no end record, which is then no archive for anybody.
 *
 * Throws `EvidenceError` ERR_EVIDENCE_MALFORMED for a directory that does not hold what the end record says and for what
 * begins as an archive and has no end record, and ERR_EVIDENCE_LIMIT beyond 500,000 entries, 64 MiB or what may be held in
 * memory. APPNOTE.TXT 6.3.10, sections 4.3.12 to 4.3.16.
 */
export function listZipEntries(file: FileBytes, maxHeldBytes: number): ZipEntry[] | undefined {
  const end = findEnd(file);
  if (end === undefined) {
    // Cut: what was in it is not known, and tools that read archives from the front find it.
    if (file.read(0, START.length).toString('latin1') === START) throw malformedZip('no end record');
    return undefined;
  }
  const isHeld = end.directoryBytes + end.entries * HELD_ENTRY_BYTES <= maxHeldBytes;
  if (end.entries > MAX_ENTRIES || end.directoryBytes > MAX_DIRECTORY_BYTES || !isHeld) {
    throw new EvidenceError('ERR_EVIDENCE_LIMIT', 'zip: more entries than are read');
  }
  // The distance between where the directory is and where it says to be is what was put before the archive.
  const start = end.at - end.directoryBytes;
  const shift = start - end.directoryOffset;
  if (start < 0 || shift < 0) throw malformedZip('a directory beyond the file');
  const directory = file.read(start, end.directoryBytes);
  if (directory.length < end.directoryBytes) throw malformedZip('a directory that is cut');
  return parseDirectory(directory, end.entries, shift);
}

/** What a list takes in memory, about. */
export function countHeldBytes(entries: readonly ZipEntry[]): number {
  return entries.reduce((bytes, { name }) => bytes + name.length + HELD_ENTRY_BYTES, 0);
}

export function malformedZip(what: string): EvidenceError {
  return new EvidenceError('ERR_EVIDENCE_MALFORMED', `zip: ${what}`);
}

interface EndRecord {
  /** Where the directory ends: at the end record, or at that of the large form. */
  readonly at: number;
  readonly entries: number;
  readonly directoryBytes: number;
  readonly directoryOffset: number;
}

function findEnd(file: FileBytes): EndRecord | undefined {
  const tailBytes = Math.min(file.size, END_BYTES + MAX_COMMENT_BYTES);
  // Most archives have no comment, so the last bytes alone tell.
  for (const length of [Math.min(END_BYTES, tailBytes), tailBytes]) {
    const tail = file.read(file.size - length, length);
    for (let at = tail.length - END_BYTES; at >= 0; at -= 1) {
      if (tail.readUInt32LE(at) !== END_SIGNATURE) continue;
      const end = readEnd(file, tail.subarray(at), file.size - tail.length + at);
      if (at + END_BYTES + tail.readUInt16LE(at + 20) === tail.length || isBehindDirectory(file, end)) return end;
    }
  }
  return undefined;
}

/** Java takes an end record with other bytes behind it where the directory that it tells of is there. */
function isBehindDirectory(file: FileBytes, { at, directoryBytes }: EndRecord): boolean {
  if (directoryBytes < ENTRY_BYTES || directoryBytes > at) return false;
  const first = file.read(at - directoryBytes, 4);
  return first.length === 4 && first.readUInt32LE(0) === ENTRY_SIGNATURE;
}

function readEnd(file: FileBytes, end: Buffer, at: number): EndRecord {
  const entries = end.readUInt16LE(10);
  const directoryBytes = end.readUInt32LE(12);
  const directoryOffset = end.readUInt32LE(16);
  const isLarge = entries === 0xffff || directoryBytes === UNKNOWN_32 || directoryOffset === UNKNOWN_32;
  return (isLarge ? readLargeEnd(file, at) : undefined) ?? { at, entries, directoryBytes, directoryOffset };
}

function readLargeEnd(file: FileBytes, endAt: number): EndRecord | undefined {
  const locator = file.read(Math.max(endAt - LOCATOR_BYTES, 0), LOCATOR_BYTES);
  if (locator.length < LOCATOR_BYTES || locator.readUInt32LE(0) !== LOCATOR_SIGNATURE) return undefined;
  const at = Number(locator.readBigUInt64LE(8));
  const end = at > file.size ? Buffer.alloc(0) : file.read(at, END_64_BYTES);
  if (end.length < END_64_BYTES || end.readUInt32LE(0) !== END_64_SIGNATURE) throw malformedZip('no large end record');
  const [entries, directoryBytes, directoryOffset] = [32, 40, 48].map((field) => Number(end.readBigUInt64LE(field)));
  return { at, entries: entries ?? 0, directoryBytes: directoryBytes ?? 0, directoryOffset: directoryOffset ?? 0 };
}

function parseDirectory(directory: Buffer, count: number, shift: number): ZipEntry[] {
  const entries: ZipEntry[] = [];
  let at = 0;
  while (entries.length < count) {
    if (at + ENTRY_BYTES > directory.length || directory.readUInt32LE(at) !== ENTRY_SIGNATURE) {
      throw malformedZip('fewer entries than the end record says');
    }
    const [nameBytes, extraBytes, commentBytes] = [28, 30, 32].map((field) => directory.readUInt16LE(at + field));
    const nameAt = at + ENTRY_BYTES;
    const next = nameAt + (nameBytes ?? 0) + (extraBytes ?? 0) + (commentBytes ?? 0);
    if (next > directory.length) throw malformedZip('an entry that is cut');
    const extra = directory.subarray(nameAt + (nameBytes ?? 0), nameAt + (nameBytes ?? 0) + (extraBytes ?? 0));
    entries.push(parseEntry(directory.subarray(at, nameAt + (nameBytes ?? 0)), extra, shift));
    at = next;
  }
  // Java reads on to the end of the directory: what is not counted must not hide there.
  if (at !== directory.length) throw malformedZip('more entries than the end record says');
  return entries;
}

function parseEntry(entry: Buffer, extra: Buffer, shift: number): ZipEntry {
  const [packed, bytes, offset] = [entry.readUInt32LE(20), entry.readUInt32LE(24), entry.readUInt32LE(42)];
  const large = readLargeFields(extra);
  const pick = (value: number) => (value === UNKNOWN_32 ? (large.shift() ?? value) : value);
  // The large fields stand in this order, each only where its small one is full.
  const realBytes = pick(bytes);
  const packedBytes = pick(packed);
  return {
    name: entry.toString('utf8', ENTRY_BYTES),
    method: entry.readUInt16LE(10),
    isEncrypted: (entry.readUInt16LE(8) & 1) === 1,
    packedBytes,
    bytes: realBytes,
    offset: pick(offset) + shift,
  };
}

function readLargeFields(extra: Buffer): number[] {
  for (let at = 0; at + 4 <= extra.length; ) {
    const size = extra.readUInt16LE(at + 2);
    const field = extra.subarray(at + 4, at + 4 + size);
    if (extra.readUInt16LE(at) === EXTRA_64) {
      const words = Math.floor(field.length / 8);
      return Array.from({ length: words }, (_, index) => Number(field.readBigUInt64LE(index * 8)));
    }
    at += 4 + size;
  }
  return [];
}
