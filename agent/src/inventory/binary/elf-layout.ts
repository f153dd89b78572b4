import type { FileBytes } from '../file-bytes.ts';

/** Part of an ELF file by its name. */
export interface ElfSection {
  readonly name: string;
  readonly offset: number;
  readonly size: number;
}

/** Part of an ELF file by the address at which it is loaded. */
export interface ElfSegment {
  readonly address: number;
  readonly offset: number;
  readonly size: number;
  readonly isWritable: boolean;
}

export interface ElfLayout {
  readonly isBig: boolean;
  readonly pointerBytes: 4 | 8;
  readonly sections: readonly ElfSection[];
  readonly segments: readonly ElfSegment[];
}

const HEADER_BYTES = 64;
const MAX_SECTIONS = 4096;
const MAX_SEGMENTS = 256;
const MAX_NAME_TABLE_BYTES = 1024 * 1024;
const MAX_NAME_CHARS = 64;
const NO_BITS = 8;
const LOAD = 1;
const WRITABLE = 2;

/**
 * Reads the names of the sections and the segments of an ELF file, either class and byte order. A table that is missing,
 * cut or beyond every use reads as empty. Undefined for what is no ELF file. System V ABI, "Object Files".
 */
export function readElfLayout(file: FileBytes): ElfLayout | undefined {
  const head = file.read(0, HEADER_BYTES);
  if (head.length < 52 || head.readUInt32BE(0) !== 0x7f454c46) return undefined;
  const is64 = head[4] === 2;
  if (is64 && head.length < HEADER_BYTES) return undefined;
  const fields = new ElfFields(head[5] === 2, is64);
  return {
    isBig: fields.isBig,
    pointerBytes: is64 ? 8 : 4,
    sections: readSections(file, fields, head),
    segments: readSegments(file, fields, head),
  };
}

class ElfFields {
  readonly isBig: boolean;
  readonly is64: boolean;

  constructor(isBig: boolean, is64: boolean) {
    this.isBig = isBig;
    this.is64 = is64;
  }

  u16(bytes: Buffer, at: number): number {
    return this.isBig ? bytes.readUInt16BE(at) : bytes.readUInt16LE(at);
  }

  u32(bytes: Buffer, at: number): number {
    return this.isBig ? bytes.readUInt32BE(at) : bytes.readUInt32LE(at);
  }

  /** An offset, an address or a size: of 64 bits only those that a number holds; others lie beyond every file. */
  word(bytes: Buffer, at: number): number {
    if (!this.is64) return this.u32(bytes, at);
    const value = this.isBig ? bytes.readBigUInt64BE(at) : bytes.readBigUInt64LE(at);
    return value > BigInt(Number.MAX_SAFE_INTEGER) ? Number.MAX_SAFE_INTEGER : Number(value);
  }
}

interface RawSection {
  readonly name: number;
  readonly type: number;
  readonly offset: number;
  readonly size: number;
}

function readSections(file: FileBytes, fields: ElfFields, head: Buffer): ElfSection[] {
  const { is64 } = fields;
  const [start, entryBytes] = [fields.word(head, is64 ? 40 : 32), fields.u16(head, is64 ? 58 : 46)];
  const [count, names] = [fields.u16(head, is64 ? 60 : 48), fields.u16(head, is64 ? 62 : 50)];
  const table = readTable(file, { start, count, entryBytes, most: MAX_SECTIONS, least: is64 ? 64 : 40 });
  const raw = table.map(
    (entry): RawSection => ({
      name: fields.u32(entry, 0),
      type: fields.u32(entry, 4),
      offset: fields.word(entry, is64 ? 24 : 16),
      size: fields.word(entry, is64 ? 32 : 20),
    }),
  );
  const nameTable = raw[names];
  if (nameTable === undefined || nameTable.size > MAX_NAME_TABLE_BYTES || nameTable.offset > file.size) return [];
  const texts = file.read(nameTable.offset, nameTable.size);
  return raw
    .filter(({ type, offset }) => type !== NO_BITS && offset <= file.size)
    .map(({ name, offset, size }) => ({ name: readName(texts, name), offset, size }));
}

function readName(texts: Buffer, at: number): string {
  const window = texts.subarray(at, at + MAX_NAME_CHARS);
  const end = window.indexOf(0);
  return end === -1 ? '' : window.toString('latin1', 0, end);
}

function readSegments(file: FileBytes, fields: ElfFields, head: Buffer): ElfSegment[] {
  const { is64 } = fields;
  const [start, entryBytes] = [fields.word(head, is64 ? 32 : 28), fields.u16(head, is64 ? 54 : 42)];
  const count = fields.u16(head, is64 ? 56 : 44);
  const table = readTable(file, { start, count, entryBytes, most: MAX_SEGMENTS, least: is64 ? 56 : 32 });
  return table
    .filter((entry) => fields.u32(entry, 0) === LOAD)
    .map((entry) => ({
      address: fields.word(entry, is64 ? 16 : 8),
      offset: fields.word(entry, is64 ? 8 : 4),
      size: fields.word(entry, is64 ? 32 : 16),
      isWritable: (fields.u32(entry, is64 ? 4 : 24) & WRITABLE) !== 0,
    }));
}

interface TableShape {
  readonly start: number;
  readonly count: number;
  readonly entryBytes: number;
  readonly most: number;
  readonly least: number;
}

function readTable(file: FileBytes, { start, count, entryBytes, most, least }: TableShape): Buffer[] {
  if (start === 0 || start > file.size || count > most || entryBytes < least) return [];
  const bytes = file.read(start, count * entryBytes);
  const whole = Math.floor(bytes.length / entryBytes);
  return Array.from({ length: whole }, (_, at) => bytes.subarray(at * entryBytes, (at + 1) * entryBytes));
}
