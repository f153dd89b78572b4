import { malformedDatabase, PageBudget } from './page-budget.ts';

const HASH_MAGIC = 0x00061561;
const PAGE_HEADER_BYTES = 26;
const HASH_PAGES = new Set([2, 13]);
const OVERFLOW_PAGE = 7;
const KEY_DATA = 1;
const OFF_PAGE = 3;
const OFF_PAGE_BYTES = 12;

/** A Berkeley DB file: its pages and the order of its bytes. */
interface BdbFile {
  readonly bytes: Buffer;
  readonly pageBytes: number;
  readonly isBig: boolean;
  readonly budget: PageBudget;
}

/**
 * Reads the package headers of a Berkeley DB hash (`Packages`): every value of every hash page, those on overflow pages
 * put together; the counter of rpm under the key 0 is left out. Either byte order. Berkeley DB `db_page.h`; rpm,
 * lib/backend/db3.c.
 *
 * Throws `EvidenceError` ERR_EVIDENCE_MALFORMED after the values before what is broken; no overflow page is read twice.
 */
export function* readBdbHash(bytes: Buffer): Generator<Buffer> {
  const file = openFile(bytes);
  const count = Math.floor(bytes.length / file.pageBytes);
  for (let number = 1; number < count; number += 1) {
    const page = readPage(file, number);
    if (!HASH_PAGES.has(page.readUInt8(25))) continue;
    for (const { key, value } of listPairs(file, page)) {
      if (key.length === 5 && key.readUInt32LE(1) !== 0) yield readValue(file, value);
    }
  }
}

function openFile(bytes: Buffer): BdbFile {
  if (bytes.length < 512) throw malformedDatabase('no Berkeley DB header');
  const isBig = bytes.readUInt32BE(12) === HASH_MAGIC;
  if (!isBig && bytes.readUInt32LE(12) !== HASH_MAGIC) throw malformedDatabase('no Berkeley DB hash');
  const pageBytes = isBig ? bytes.readUInt32BE(20) : bytes.readUInt32LE(20);
  const isPowerOfTwo = pageBytes >= 512 && pageBytes <= 65_536 && (pageBytes & (pageBytes - 1)) === 0;
  if (!isPowerOfTwo) throw malformedDatabase('no Berkeley DB page size');
  if (bytes.readUInt8(24) !== 0) throw malformedDatabase('an encrypted Berkeley DB');
  return { bytes, pageBytes, isBig, budget: new PageBudget(Math.floor(bytes.length / pageBytes), bytes.length) };
}

function readPage({ bytes, pageBytes }: BdbFile, number: number): Buffer {
  const page = bytes.subarray(number * pageBytes, (number + 1) * pageBytes);
  if (page.length < pageBytes) throw malformedDatabase('a page beyond the end');
  return page;
}

function readU16({ isBig }: BdbFile, page: Buffer, at: number): number {
  return isBig ? page.readUInt16BE(at) : page.readUInt16LE(at);
}

function readU32({ isBig }: BdbFile, page: Buffer, at: number): number {
  return isBig ? page.readUInt32BE(at) : page.readUInt32LE(at);
}

/** Items lie from the end of the page to its front; each begins where its entry says and ends where the one before began. */
function* listPairs(file: BdbFile, page: Buffer): Generator<{ key: Buffer; value: Buffer }> {
  const entries = readU16(file, page, 20);
  if (PAGE_HEADER_BYTES + entries * 2 > page.length) throw malformedDatabase('more entries than a page holds');
  let end = page.length;
  const items: Buffer[] = [];
  for (let index = 0; index < entries; index += 1) {
    const start = readU16(file, page, PAGE_HEADER_BYTES + index * 2);
    if (start >= end || start < PAGE_HEADER_BYTES + entries * 2) throw malformedDatabase('an entry beyond the page');
    items.push(page.subarray(start, end));
    end = start;
  }
  for (let index = 0; index + 1 < items.length; index += 2) {
    const [key, value] = [items[index], items[index + 1]];
    if (key !== undefined && value !== undefined) yield { key, value };
  }
}

function readValue(file: BdbFile, item: Buffer): Buffer {
  const kind = item.readUInt8(0);
  if (kind === KEY_DATA) return item.subarray(1);
  if (kind !== OFF_PAGE || item.length < OFF_PAGE_BYTES) throw malformedDatabase('a value that is of no known kind');
  const size = readU32(file, item, 8);
  file.budget.spend(size);
  const parts: Buffer[] = [];
  let next = readU32(file, item, 4);
  for (let rest = size; rest > 0; ) {
    file.budget.take(next, 0);
    const page = readPage(file, next);
    if (page.readUInt8(25) !== OVERFLOW_PAGE) throw malformedDatabase('a value that goes on in no overflow page');
    const part = page.subarray(PAGE_HEADER_BYTES, PAGE_HEADER_BYTES + Math.min(rest, readU16(file, page, 22)));
    if (part.length === 0) throw malformedDatabase('an empty overflow page');
    parts.push(part);
    rest -= part.length;
    next = readU32(file, page, 16);
  }
  return Buffer.concat(parts);
}
