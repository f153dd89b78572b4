import { deflateSync } from 'node:zlib';

const HEADER = 64;
const SECTION = 64;
const SEGMENT = 56;
/** Where the file is loaded: addresses are offsets beyond this. */
const BASE = 0x400000;

export interface ElfFixture {
  readonly sections: Readonly<Record<string, Buffer>>;
  /** False leaves the section table out, as strip programs can. */
  readonly hasNames?: boolean;
}

/** A 64-bit little-endian program: one writable segment over all of it, its sections at multiples of 16. */
export function encodeElf({ sections, hasNames = true }: ElfFixture): Buffer {
  const names = Buffer.from(`\0${[...Object.keys(sections), '.shstrtab'].join('\0')}\0`, 'latin1');
  const all = [...Object.entries(sections), ['.shstrtab', names] as const];
  let offset = 128;
  const bodies: Buffer[] = [];
  const rows = all.map(([name, bytes]) => {
    const row = Buffer.alloc(SECTION);
    row.writeUInt32LE(names.indexOf(`\0${name}\0`) + 1, 0);
    row.writeUInt32LE(1, 4);
    row.writeBigUInt64LE(BigInt(offset), 24);
    row.writeBigUInt64LE(BigInt(bytes.length), 32);
    const padded = Buffer.alloc(Math.ceil(bytes.length / 16) * 16);
    bytes.copy(padded);
    bodies.push(padded);
    offset += padded.length;
    return row;
  });
  const head = Buffer.alloc(128);
  head.write('7f454c46020101', 0, 'hex');
  head.writeUInt16LE(2, 16);
  head.writeBigUInt64LE(BigInt(HEADER), 32);
  head.writeBigUInt64LE(hasNames ? BigInt(offset) : 0n, 40);
  for (const [at, value] of [
    [54, SEGMENT],
    [56, 1],
    [58, SECTION],
    [60, hasNames ? rows.length + 1 : 0],
    [62, rows.length],
  ] as const) {
    head.writeUInt16LE(value, at);
  }
  head.writeUInt32LE(1, HEADER);
  head.writeUInt32LE(6, HEADER + 4);
  head.writeBigUInt64LE(128n, HEADER + 8);
  head.writeBigUInt64LE(BigInt(BASE + 128), HEADER + 16);
  head.writeBigUInt64LE(BigInt(offset - 128), HEADER + 32);
  return Buffer.concat([head, ...bodies, Buffer.alloc(SECTION), ...(hasNames ? rows : [])]);
}

const MARK = Buffer.alloc(16, 0xc3);

function withMarks(modules: string): Buffer {
  return modules === '' ? Buffer.alloc(0) : Buffer.concat([MARK, Buffer.from(modules), MARK]);
}

function encodeSize(value: number): Buffer {
  const bytes: number[] = [];
  for (let rest = value; ; rest = Math.floor(rest / 128)) {
    if (rest < 128) return Buffer.from([...bytes, rest]);
    bytes.push((rest % 128) | 0x80);
  }
}

/** Build information as Go 1.18 and later write it. */
export function encodeGoInline(version: string, modules: string): Buffer {
  const header = Buffer.alloc(32);
  header.write('\xff Go buildinf:', 0, 'latin1');
  header[14] = 8;
  header[15] = 2;
  const texts = [Buffer.from(version), withMarks(modules)];
  return Buffer.concat([header, ...texts.flatMap((text) => [encodeSize(text.length), text])]);
}

/** Build information as Go before 1.18 wrote it, for a section that begins at `offset` of the file. */
export function encodeGoPointers(version: string, modules: string, offset = 128): Buffer {
  const texts = [Buffer.from(version), withMarks(modules)];
  const header = Buffer.alloc(64);
  header.write('\xff Go buildinf:', 0, 'latin1');
  header[14] = 8;
  let at = offset + 64;
  texts.forEach((text, index) => {
    header.writeBigUInt64LE(BigInt(BASE + offset + 32 + index * 16), 16 + index * 8);
    header.writeBigUInt64LE(BigInt(BASE + at), 32 + index * 16);
    header.writeBigUInt64LE(BigInt(text.length), 40 + index * 16);
    at += text.length;
  });
  return Buffer.concat([header, ...texts]);
}

/** The section of cargo-auditable. */
export function encodeDepV0(packages: readonly object[]): Buffer {
  return deflateSync(Buffer.from(JSON.stringify({ packages })));
}
