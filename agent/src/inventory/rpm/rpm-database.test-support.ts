/** A package as a test wants it: nothing is checked, so that hostile ones can be made too. */
export interface RpmFixture {
  readonly name: string;
  readonly version?: string;
  readonly release?: string;
  readonly epoch?: number;
  /** Default `x86_64`; null leaves the tag out. */
  readonly arch?: string | null;
  readonly source?: string;
  /** Absolute paths and their SHA-256; empty for none. */
  readonly files?: Readonly<Record<string, string>>;
}

type Value = readonly [tag: number, type: number, count: number, bytes: Buffer];

const text = (tag: number, value: string): Value => [tag, 6, 1, Buffer.from(`${value}\0`, 'latin1')];
const texts = (tag: number, values: readonly string[]): Value => [
  tag,
  8,
  values.length,
  Buffer.from(values.map((value) => `${value}\0`).join(''), 'latin1'),
];
const numbers = (tag: number, values: readonly number[]): Value => {
  const bytes = Buffer.alloc(values.length * 4);
  values.forEach((value, at) => void bytes.writeUInt32BE(value, at * 4));
  return [tag, 4, values.length, bytes];
};

/** A header as package databases hold it. */
export function encodeRpmHeader(fixture: RpmFixture): Buffer {
  const { name, version = '1.0', release = '1', epoch, arch = 'x86_64', source, files = {} } = fixture;
  const paths = Object.keys(files);
  const directories = [...new Set(paths.map((path) => path.slice(0, path.lastIndexOf('/') + 1)))];
  const values: Value[] = [
    ...(epoch === undefined ? [] : [numbers(1003, [epoch])]),
    ...(paths.length === 0
      ? []
      : [
          numbers(
            1116,
            paths.map((path) => directories.indexOf(path.slice(0, path.lastIndexOf('/') + 1))),
          ),
          numbers(5011, [8]),
          texts(1035, Object.values(files)),
          texts(
            1117,
            paths.map((path) => path.slice(path.lastIndexOf('/') + 1)),
          ),
          texts(1118, directories),
        ]),
    text(1000, name),
    text(1001, version),
    text(1002, release),
    ...(arch === null ? [] : [text(1022, arch)]),
    ...(source === undefined ? [] : [text(1044, source)]),
  ];
  return encodeHeader(values);
}

function encodeHeader(values: readonly Value[]): Buffer {
  const index = Buffer.alloc(8 + values.length * 16);
  index.writeUInt32BE(values.length, 0);
  let offset = 0;
  values.forEach(([tag, type, count, bytes], at) => {
    for (const [column, value] of [tag, type, offset, count].entries()) {
      index.writeUInt32BE(value, 8 + at * 16 + column * 4);
    }
    offset += bytes.length;
  });
  index.writeUInt32BE(offset, 4);
  return Buffer.concat([index, ...values.map(([, , , bytes]) => bytes)]);
}

const PAGE = 512;

/** A database of SQLite with one table `Packages`: schema, root, one leaf a row, then what does not fit into the leaves. */
export function encodeSqlite(blobs: readonly Buffer[]): Buffer {
  const sql = 'CREATE TABLE Packages (hnum INTEGER PRIMARY KEY, blob BLOB)';
  const name = Buffer.from('Packages');
  const schema = encodeRecord([Buffer.from('table'), name, name, 2, Buffer.from(sql)]);
  const chains = createChains(3 + blobs.length);
  const first = Buffer.alloc(PAGE);
  first.write('SQLite format 3\0', 0, 'latin1');
  first.writeUInt16BE(PAGE, 16);
  first.writeUInt32BE(1, 56);
  fillLeaf(first, 100, [encodeCell(1, schema, chains)]);
  const leaves = blobs.map((blob, at) => {
    const leaf = Buffer.alloc(PAGE);
    fillLeaf(leaf, 0, [encodeCell(at + 1, encodeRecord([null, { blob }]), chains)]);
    return leaf;
  });
  return Buffer.concat([first, encodeRoot(blobs.length), ...leaves, ...chains.pages]);
}

/** An interior page over leaves that begin at page 3; an empty leaf where there are none. */
function encodeRoot(leaves: number): Buffer {
  const page = Buffer.alloc(PAGE);
  if (leaves === 0) {
    fillLeaf(page, 0, []);
    return page;
  }
  page[0] = 0x05;
  page.writeUInt16BE(leaves - 1, 3);
  page.writeUInt32BE(2 + leaves, 8);
  for (let at = 0; at < leaves - 1; at += 1) {
    const cell = PAGE - (at + 1) * 5;
    page.writeUInt32BE(3 + at, cell);
    page[cell + 4] = at + 1;
    page.writeUInt16BE(cell, 12 + at * 2);
  }
  return page;
}

function createChains(first: number): Chains {
  return { first, pages: [] };
}

interface Chains {
  readonly first: number;
  readonly pages: Buffer[];
}

function encodeRecord(values: readonly (Buffer | { blob: Buffer } | number | null)[]): Buffer {
  const types = values.map((value) => {
    if (value === null) return encodeVarint(0);
    if (typeof value === 'number') return encodeVarint(1);
    return 'blob' in value ? encodeVarint(12 + value.blob.length * 2) : encodeVarint(13 + value.length * 2);
  });
  const bodies = values.map((value) => {
    if (value === null) return Buffer.alloc(0);
    if (typeof value === 'number') return Buffer.from([value]);
    return 'blob' in value ? value.blob : value;
  });
  const head = Buffer.concat(types);
  return Buffer.concat([encodeVarint(head.length + 1), head, ...bodies]);
}

function encodeVarint(value: number): Buffer {
  const bytes = [value & 0x7f];
  for (let rest = value >>> 7; rest > 0; rest >>>= 7) bytes.unshift((rest & 0x7f) | 0x80);
  return Buffer.from(bytes);
}

/** Rows of more than a page's share go on in pages behind the leaves. */
function encodeCell(key: number, record: Buffer, chains: Chains): Buffer {
  const head = Buffer.concat([encodeVarint(record.length), encodeVarint(key)]);
  if (record.length <= PAGE - 35) return Buffer.concat([head, record]);
  const least = Math.floor(((PAGE - 12) * 32) / 255) - 23;
  const kept = least + ((record.length - least) % (PAGE - 4));
  const local = kept <= PAGE - 35 ? kept : least;
  const link = Buffer.alloc(4);
  link.writeUInt32BE(chains.first + chains.pages.length, 0);
  for (let at = local; at < record.length; at += PAGE - 4) {
    const page = Buffer.alloc(PAGE);
    if (at + PAGE - 4 < record.length) page.writeUInt32BE(chains.first + chains.pages.length + 1, 0);
    record.copy(page, 4, at, at + PAGE - 4);
    chains.pages.push(page);
  }
  return Buffer.concat([head, record.subarray(0, local), link]);
}

function fillLeaf(page: Buffer, start: number, cells: readonly Buffer[]): void {
  page[start] = 0x0d;
  page.writeUInt16BE(cells.length, start + 3);
  let end = PAGE;
  cells.forEach((cell, at) => {
    end -= cell.length;
    cell.copy(page, end);
    page.writeUInt16BE(end, start + 8 + at * 2);
  });
  page.writeUInt16BE(end, start + 5);
}

/** rpm's own format: one page of slots, then the blobs. */
export function encodeNdb(blobs: readonly Buffer[]): Buffer {
  const slots = Buffer.alloc(4096);
  slots.write('RpmP', 0, 'latin1');
  slots.writeUInt32LE(1, 12);
  for (let at = 32; at < slots.length; at += 16) slots.write('Slot', at, 'latin1');
  const parts: Buffer[] = [slots];
  let block = slots.length / 16;
  blobs.forEach((blob, at) => {
    const size = Math.ceil((16 + blob.length + 12) / 16) * 16;
    const bytes = Buffer.alloc(size);
    bytes.write('BlbS', 0, 'latin1');
    bytes.writeUInt32LE(at + 1, 4);
    bytes.writeUInt32LE(blob.length, 12);
    blob.copy(bytes, 16);
    slots.writeUInt32LE(at + 1, 32 + at * 16 + 4);
    slots.writeUInt32LE(block, 32 + at * 16 + 8);
    slots.writeUInt32LE(size / 16, 32 + at * 16 + 12);
    parts.push(bytes);
    block += size / 16;
  });
  return Buffer.concat(parts);
}

/** Berkeley DB: metadata, one hash page, overflow pages. Little-endian unless `isBig`. */
export function encodeBdb(blobs: readonly Buffer[], isBig = false): Buffer {
  const u16 = (page: Buffer, value: number, at: number) =>
    void (isBig ? page.writeUInt16BE(value, at) : page.writeUInt16LE(value, at));
  const u32 = (page: Buffer, value: number, at: number) =>
    void (isBig ? page.writeUInt32BE(value, at) : page.writeUInt32LE(value, at));
  const meta = Buffer.alloc(PAGE);
  u32(meta, 0x061561, 12);
  u32(meta, PAGE, 20);
  meta[25] = 8;
  const chains: Buffer[] = [];
  const items: Buffer[] = [Buffer.from([1, 0, 0, 0, 0]), Buffer.from([1, 9, 0, 0, 0])];
  for (const [index, blob] of blobs.entries()) {
    const item = Buffer.alloc(12);
    item[0] = 3;
    u32(item, 2 + chains.length, 4);
    u32(item, blob.length, 8);
    const key = Buffer.alloc(5, 1);
    u32(key, index + 1, 1);
    items.push(key, item);
    for (let at = 0; at < blob.length; at += PAGE - 26) {
      const page = Buffer.alloc(PAGE);
      page[25] = 7;
      u16(page, Math.min(PAGE - 26, blob.length - at), 22);
      if (at + PAGE - 26 < blob.length) u32(page, 3 + chains.length, 16);
      blob.copy(page, 26, at, at + PAGE - 26);
      chains.push(page);
    }
  }
  const hash = Buffer.alloc(PAGE);
  hash[25] = 13;
  u16(hash, items.length, 20);
  let end = PAGE;
  items.forEach((item, at) => {
    end -= item.length;
    item.copy(hash, end);
    u16(hash, end, 26 + at * 2);
  });
  return Buffer.concat([meta, hash, ...chains]);
}
