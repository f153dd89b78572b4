import { malformedDatabase, PageBudget } from './page-budget.ts';

const HEADER_MAGIC = 0x506d7052; // RpmP
const SLOT_MAGIC = 0x746f6c53; // Slot
const BLOB_MAGIC = 0x53626c42; // BlbS
const SLOT_PAGE_BYTES = 4096;
const SLOT_BYTES = 16;
/** The header takes the place of the first two slots. */
const HEADER_SLOTS = 2;
const BLOCK_BYTES = 16;
const BLOB_HEADER_BYTES = 16;

/**
 * Reads the package headers of rpm's own NDB format (`Packages.db`): a table of slots, each naming a run of blocks with
 * one blob. Little-endian. Free slots are passed over; a blob that two slots name, that belongs to another package or
 * that passes the end is malformed. rpm, lib/backend/ndb.
 *
 * Throws `EvidenceError` ERR_EVIDENCE_MALFORMED after the blobs before what is broken.
 */
export function* readNdb(database: Buffer): Generator<Buffer> {
  if (database.length < HEADER_SLOTS * SLOT_BYTES || database.readUInt32LE(0) !== HEADER_MAGIC) {
    throw malformedDatabase('no NDB header');
  }
  if (database.readUInt32LE(4) !== 0) throw malformedDatabase('an NDB version that is not known');
  const end = database.readUInt32LE(12) * SLOT_PAGE_BYTES;
  if (end > database.length) throw malformedDatabase('NDB slots beyond the end');
  const budget = new PageBudget(Math.ceil(database.length / BLOCK_BYTES), database.length);
  for (let at = HEADER_SLOTS * SLOT_BYTES; at < end; at += SLOT_BYTES) {
    if (database.readUInt32LE(at) !== SLOT_MAGIC) throw malformedDatabase('an NDB slot without its mark');
    const packageIndex = database.readUInt32LE(at + 4);
    if (packageIndex === 0) continue;
    const block = database.readUInt32LE(at + 8);
    budget.take(block, 0);
    const blob = readBlob(database, block * BLOCK_BYTES, packageIndex);
    budget.spend(blob.length);
    yield blob;
  }
}

function readBlob(database: Buffer, at: number, packageIndex: number): Buffer {
  const start = at + BLOB_HEADER_BYTES;
  if (start > database.length || database.readUInt32LE(at) !== BLOB_MAGIC) throw malformedDatabase('no NDB blob');
  if (database.readUInt32LE(at + 4) !== packageIndex) throw malformedDatabase('an NDB blob of another package');
  const size = database.readUInt32LE(at + 12);
  if (start + size > database.length) throw malformedDatabase('an NDB blob beyond the end');
  return database.subarray(start, start + size);
}
