import { malformedDatabase, PageBudget } from './page-budget.ts';
import { openSqlitePages, type SqlitePages } from './sqlite-pages.ts';
import { parseSqliteRecord, readVarint, type SqliteValue } from './sqlite-record.ts';

const LEAF = 0x0d;
const INTERIOR = 0x05;
const FIRST_PAGE_HEADER = 100;

/**
 * Reads the rows of one table of a SQLite database, as bytes and without SQLite: rows come in the order of their keys,
 * the column that is the key as null. A write-ahead log, where there is one, counts as far as it is committed.
 *
 * Throws `EvidenceError` ERR_EVIDENCE_MALFORMED after the rows before what is broken; no page is read twice. SQLite
 * "Database File Format", sections 1.6 and 2.
 */
export function* readSqliteTable(
  database: Buffer,
  wal: Buffer | undefined,
  table: string,
): Generator<readonly SqliteValue[]> {
  const pages = openSqlitePages(database, wal);
  const budget = new PageBudget(pages.count, database.length + (wal?.length ?? 0));
  yield* readRows(pages, budget, findRoot(pages, budget, table));
}

function findRoot(pages: SqlitePages, budget: PageBudget, table: string): number {
  for (const [type, name, , root] of readRows(pages, budget, 1)) {
    if (type === 'table' && name === table && typeof root === 'number') return root;
  }
  throw malformedDatabase(`no table ${table}`);
}

function* readRows(pages: SqlitePages, budget: PageBudget, root: number): Generator<SqliteValue[]> {
  const pending = [root];
  for (let number = pending.pop(); number !== undefined; number = pending.pop()) {
    budget.take(number, 1);
    const page = pages.read(number);
    const start = number === 1 ? FIRST_PAGE_HEADER : 0;
    const kind = page.readUInt8(start);
    if (kind === INTERIOR) pending.push(...listChildren(page, start).reverse());
    else if (kind !== LEAF) throw malformedDatabase('a page that is no part of a table');
    else for (const cell of listCells(page, start, 8)) yield readRow(pages, budget, page, cell);
  }
}

/** Where the cells of a page begin; `header` is the size of the page's own header. */
function listCells(page: Buffer, start: number, header: number): number[] {
  const count = page.readUInt16BE(start + 3);
  const first = start + header;
  if (first + count * 2 > page.length) throw malformedDatabase('more cells than a page holds');
  return Array.from({ length: count }, (_, at) => page.readUInt16BE(first + at * 2));
}

function listChildren(page: Buffer, start: number): number[] {
  const children = listCells(page, start, 12).map((cell) => {
    if (cell + 4 > page.length) throw malformedDatabase('a cell beyond the page');
    return page.readUInt32BE(cell);
  });
  return [...children, page.readUInt32BE(start + 8)];
}

function readRow(pages: SqlitePages, budget: PageBudget, page: Buffer, cell: number): SqliteValue[] {
  const size = readVarint(page, cell);
  const key = readVarint(page, size.next);
  if (size.value < 0) throw malformedDatabase('a row of negative size');
  budget.spend(size.value);
  return parseSqliteRecord(readPayload(pages, budget, page, { at: key.next, size: size.value }));
}

/** What does not fit into the page goes on in a chain of others (section 1.6). */
function readPayload(
  pages: SqlitePages,
  budget: PageBudget,
  page: Buffer,
  { at, size }: { at: number; size: number },
): Buffer {
  const local = countLocal(pages.usableBytes, size);
  if (at + local + (local < size ? 4 : 0) > page.length) throw malformedDatabase('a cell beyond the page');
  if (local === size) return page.subarray(at, at + size);
  const parts = [page.subarray(at, at + local)];
  let next = page.readUInt32BE(at + local);
  for (let rest = size - local; rest > 0; ) {
    budget.take(next, 1);
    const more = pages.read(next);
    const part = more.subarray(4, 4 + Math.min(rest, pages.usableBytes - 4));
    parts.push(part);
    rest -= part.length;
    next = more.readUInt32BE(0);
  }
  return Buffer.concat(parts);
}

function countLocal(usable: number, size: number): number {
  const most = usable - 35;
  if (size <= most) return size;
  const least = Math.floor(((usable - 12) * 32) / 255) - 23;
  const kept = least + ((size - least) % (usable - 4));
  return kept <= most ? kept : least;
}
