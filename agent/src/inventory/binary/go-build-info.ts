import type { FileBytes } from '../file-bytes.ts';
import type { ElfLayout } from './elf-layout.ts';

const MAGIC = Buffer.from('\xff Go buildinf:', 'latin1');
const HEADER_BYTES = 32;
const ALIGNMENT = 16;
/** How far a file without section names is searched, as Go's own reader does in the segment of data. */
const MAX_SEARCH_BYTES = 1024 * 1024;
/** Longest text of modules: the largest programs of the trade have some hundred kilobytes. */
const MAX_TEXT_BYTES = 4 * 1024 * 1024;
const MAX_VERSION_BYTES = 256;
const IS_BIG = 1;
const IS_INLINE = 2;
/** The linker puts marks of this size round the text of modules. */
const MARK_BYTES = 16;

/** What the Go linker writes into a program. */
export interface GoBuildInfo {
  /** Such as `go1.22.3`. */
  readonly goVersion: string;
  /** Lines of the module information, `mod`, `dep` and `=>` among them; empty without modules. */
  readonly modules: string;
}

/**
 * Finds the build information of a Go program: in the section `.go.buildinfo`, else at the front of the first writable
 * segment; the texts inline (Go 1.18 and later) or by pointer. Undefined where there is none. Go, package
 * debug/buildinfo.
 */
export function readGoBuildInfo(file: FileBytes, elf: ElfLayout): GoBuildInfo | undefined {
  const at = findHeader(file, elf);
  if (at === undefined) return undefined;
  const header = file.read(at, HEADER_BYTES);
  const flags = header[15] ?? 0;
  const texts =
    (flags & IS_INLINE) !== 0
      ? readInline(file, at + HEADER_BYTES)
      : readPointed(file, elf, header, (flags & IS_BIG) !== 0);
  const [version, modules] = texts ?? [];
  if (version === undefined || version.length > MAX_VERSION_BYTES) return undefined;
  return { goVersion: version.toString('latin1'), modules: stripMarks(modules ?? Buffer.alloc(0)) };
}

function findHeader(file: FileBytes, elf: ElfLayout): number | undefined {
  const section = elf.findSection('.go.buildinfo');
  if (section !== undefined) return isHeader(file.read(section.offset, HEADER_BYTES), 0) ? section.offset : undefined;
  const data = elf.hasSections ? undefined : elf.segments.find(({ isWritable }) => isWritable);
  if (data === undefined || data.offset > file.size) return undefined;
  const bytes = file.read(data.offset, Math.min(data.size, MAX_SEARCH_BYTES));
  for (let at = bytes.indexOf(MAGIC); at !== -1; at = bytes.indexOf(MAGIC, at + 1)) {
    if (at % ALIGNMENT === 0 && isHeader(bytes, at)) return data.offset + at;
  }
  return undefined;
}

function isHeader(bytes: Buffer, at: number): boolean {
  return bytes.length >= at + HEADER_BYTES && bytes.subarray(at, at + MAGIC.length).equals(MAGIC);
}

/** Two texts, each behind its length as a variable-length number. */
function readInline(file: FileBytes, at: number): [Buffer, Buffer] | undefined {
  const version = readSized(file, at);
  const modules = version === undefined ? undefined : readSized(file, version.end);
  return version === undefined || modules === undefined ? undefined : [version.text, modules.text];
}

function readSized(file: FileBytes, at: number): { text: Buffer; end: number } | undefined {
  const head = file.read(at, 5);
  let size = 0;
  for (const [index, byte] of head.entries()) {
    size += (byte & 0x7f) * 2 ** (7 * index);
    if (byte >= 0x80) continue;
    const text = size > MAX_TEXT_BYTES ? undefined : file.read(at + index + 1, size);
    return text?.length === size ? { text, end: at + index + 1 + size } : undefined;
  }
  return undefined;
}

/** Two pointers to Go strings, which are a pointer and a length. */
function readPointed(file: FileBytes, elf: ElfLayout, header: Buffer, isBig: boolean): [Buffer, Buffer] | undefined {
  const pointerBytes = header[14] ?? 0;
  if (pointerBytes !== 4 && pointerBytes !== 8) return undefined;
  const read = (bytes: Buffer, at: number) => readPointer(bytes, at, pointerBytes, isBig);
  const [version, modules] = [0, pointerBytes].map((offset) => {
    const text = readAt(file, elf, read(header, MARK_BYTES + offset), pointerBytes * 2);
    if (text?.length !== pointerBytes * 2) return undefined;
    const size = read(text, pointerBytes);
    return size > MAX_TEXT_BYTES ? undefined : readAt(file, elf, read(text, 0), size);
  });
  return version === undefined ? undefined : [version, modules ?? Buffer.alloc(0)];
}

function readPointer(bytes: Buffer, at: number, size: 4 | 8, isBig: boolean): number {
  if (size === 4) return isBig ? bytes.readUInt32BE(at) : bytes.readUInt32LE(at);
  return Number(isBig ? bytes.readBigUInt64BE(at) : bytes.readBigUInt64LE(at));
}

function readAt(file: FileBytes, { segments }: ElfLayout, address: number, size: number): Buffer | undefined {
  const segment = segments.find((each) => address >= each.address && address + size <= each.address + each.size);
  const offset = segment === undefined ? undefined : segment.offset + (address - segment.address);
  return offset === undefined || offset > file.size ? undefined : file.read(offset, size);
}

function stripMarks(modules: Buffer): string {
  const isMarked = modules.length > MARK_BYTES * 2 && modules[modules.length - MARK_BYTES - 1] === 0x0a;
  return isMarked ? modules.toString('utf8', MARK_BYTES, modules.length - MARK_BYTES) : '';
}
