import type { FileBytes } from '../file-bytes.ts';

/** Part of an ELF file. */
export interface ElfSection {
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
  /** Whether there are sections, and their names. */
  readonly hasSections: boolean;
  /** The first section of that name that has a place in the file. */
  findSection(name: string): ElfSection | undefined;
  /** Those that are loaded. Read when first asked for: most programs have sections. */
  readonly segments: readonly ElfSegment[];
}

const HEADER_BYTES = 64;
const MAX_SECTIONS = 4096;
const MAX_SEGMENTS = 256;
const MAX_NAME_TABLE_BYTES = 1024 * 1024;
const NO_BITS = 8;
const LOAD = 1;
const WRITABLE = 2;

/**
 * Reads the sections and the segments of an ELF file, either class and byte order. A table that is missing, cut or
 * beyond every use reads as empty. Undefined for what is no ELF file. System V ABI, "Object Files".
 */
export function readElfLayout(file: FileBytes): ElfLayout | undefined {
  const head = file.read(0, HEADER_BYTES);
  if (head.length < 52 || head.readUInt32BE(0) !== 0x7f454c46) return undefined;
  const is64 = head[4] === 2;
  if (is64 && head.length < HEADER_BYTES) return undefined;
  const fields = new ElfFields(head[5] === 2, is64);
  const sections = readSections(file, fields, head);
  let segments: ElfSegment[] | undefined;
  return {
    hasSections: sections?.hasAny() ?? false,
    findSection: (name) => sections?.find(name),
    get segments() {
      segments ??= readSegments(file, fields, head);
      return segments;
    },
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
    const [high, low] = this.isBig ? [at, at + 4] : [at + 4, at];
    return Math.min(this.u32(bytes, high) * 2 ** 32 + this.u32(bytes, low), Number.MAX_SAFE_INTEGER);
  }
}

/** Sections and their names as they lie in the file: of the dozens that a program has, few are asked for. */
class SectionTable {
  readonly #fields: ElfFields;
  readonly #table: readonly Buffer[];
  readonly #texts: Buffer;
  readonly #fileBytes: number;

  constructor(fields: ElfFields, table: readonly Buffer[], texts: Buffer, fileBytes: number) {
    this.#fields = fields;
    this.#table = table;
    this.#texts = texts;
    this.#fileBytes = fileBytes;
  }

  hasAny(): boolean {
    return this.#table.some((entry) => this.#isThere(entry));
  }

  find(name: string): ElfSection | undefined {
    const wanted = Buffer.from(`${name}\0`, 'latin1');
    const found = this.#table.find((entry) => this.#isNamed(entry, wanted) && this.#isThere(entry));
    return found === undefined ? undefined : toSection(this.#fields, found);
  }

  #isThere(entry: Buffer): boolean {
    return this.#fields.u32(entry, 4) !== NO_BITS && toSection(this.#fields, entry).offset <= this.#fileBytes;
  }

  #isNamed(entry: Buffer, wanted: Buffer): boolean {
    const at = this.#fields.u32(entry, 0);
    for (let index = 0; index < wanted.length; index += 1) {
      if (this.#texts[at + index] !== wanted[index]) return false;
    }
    return true;
  }
}

function toSection(fields: ElfFields, entry: Buffer): ElfSection {
  return { offset: fields.word(entry, fields.is64 ? 24 : 16), size: fields.word(entry, fields.is64 ? 32 : 20) };
}

function readSections(file: FileBytes, fields: ElfFields, head: Buffer): SectionTable | undefined {
  const { is64 } = fields;
  const [start, entryBytes] = [fields.word(head, is64 ? 40 : 32), fields.u16(head, is64 ? 58 : 46)];
  const [count, names] = [fields.u16(head, is64 ? 60 : 48), fields.u16(head, is64 ? 62 : 50)];
  const table = readTable(file, { start, count, entryBytes, most: MAX_SECTIONS, least: is64 ? 64 : 40 });
  const named = table[names];
  const nameTable = named === undefined ? undefined : toSection(fields, named);
  if (nameTable === undefined || nameTable.size > MAX_NAME_TABLE_BYTES || nameTable.offset > file.size)
    return undefined;
  return new SectionTable(fields, table, file.read(nameTable.offset, nameTable.size), file.size);
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
