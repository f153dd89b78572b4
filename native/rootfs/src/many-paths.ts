import { checkInteger, checkOptions } from './arguments.ts';
import type { EntryType } from './root-stat.ts';

/** How many files are read at once. */
export interface ReadManyOptions {
  /** Most bytes of one file. */
  readonly maxBytes: number;
  /** Most bytes of all files together; memory is bounded by twice this. */
  readonly maxAllBytes: number;
  /** Reads at most the first `maxBytes` of each file, in place of whole files of at most that size. */
  readonly heads?: boolean;
  /** Threads of the package that take part; none by default. */
  readonly helpers?: number;
}

/** How many files are read at both ends. */
export interface ReadEndsOptions extends Omit<ReadManyOptions, 'heads'> {
  /** Most of the last bytes of one file, 1 or more. */
  readonly endBytes: number;
}

/** The first bytes of a file, and the last ones as far as they are not among the first. */
export interface FileEnds {
  /** Of the whole file. */
  readonly size: number;
  readonly head: Buffer;
  readonly end: Buffer;
}

/** Files that are being read at both ends. */
export interface ManyEnds {
  /** In the order of the paths, once; waits for those that are still being read. */
  take(): (FileEnds | undefined)[];
}

/** Files that are being read. */
export interface ManyReads {
  /** Their contents in the order of the paths, once; waits for those that are still being read. */
  take(): (Buffer | undefined)[];
}

const SIZE_BYTES = 8;
const ALONE = 0xffffffff;
const TYPES: readonly EntryType[] = ['file', 'directory', 'symlink', 'char', 'block', 'fifo', 'socket'];
const CLIMBS = /(?:^|[/\0])\.\.(?:[/\0]|$)/;

/** Packs paths (exact bytes as latin1) for the native part. Throws `TypeError` for `..` parts and NUL. */
export function packPaths(paths: readonly string[]): Buffer {
  const text = paths.map((path) => `${path}\0`).join('');
  const parts = text.split('\0').length - 1;
  if (CLIMBS.test(text) || parts !== paths.length) throw new TypeError('a path holds a `..` part or NUL');
  return Buffer.from(text, 'latin1');
}

export function checkReadManyOptions(options: ReadManyOptions): Required<ReadManyOptions> {
  checkOptions(options, ['maxBytes', 'maxAllBytes', 'heads', 'helpers']);
  const { heads = false } = options;
  if (typeof heads !== 'boolean') throw new TypeError('heads must be true or false');
  return {
    maxBytes: checkInteger(options.maxBytes, 'maxBytes'),
    maxAllBytes: checkInteger(options.maxAllBytes, 'maxAllBytes'),
    heads,
    helpers: checkInteger(options.helpers ?? 0, 'helpers'),
  };
}

export function checkReadEndsOptions(options: ReadEndsOptions): Required<ReadEndsOptions> {
  checkOptions(options, ['maxBytes', 'maxAllBytes', 'helpers', 'endBytes']);
  return {
    maxBytes: checkInteger(options.maxBytes, 'maxBytes'),
    maxAllBytes: checkInteger(options.maxAllBytes, 'maxAllBytes'),
    helpers: checkInteger(options.helpers ?? 0, 'helpers'),
    endBytes: checkInteger(options.endBytes, 'endBytes', 1),
  };
}

/** Decodes one content that is packed as the file's size (u64), its head of at most `headBytes` and its end. */
export function decodeEnds(content: Buffer, headBytes: number): FileEnds {
  const size = Number(content.readBigUInt64LE(0));
  const split = SIZE_BYTES + Math.min(size, headBytes);
  return { size, head: content.subarray(SIZE_BYTES, split), end: content.subarray(split) };
}

/** Decodes contents packed as length (u32) and bytes. They share the packed memory. */
export function decodeContents(packed: Buffer, count: number): (Buffer | undefined)[] {
  const contents: (Buffer | undefined)[] = [];
  let at = 0;
  while (at < packed.length) {
    const bytes = packed.readUInt32LE(at);
    at += 4;
    const end = bytes === ALONE ? at : at + bytes;
    if (end > packed.length) throw new TypeError('a list of contents has a wrong length');
    contents.push(bytes === ALONE ? undefined : packed.subarray(at, end));
    at = end;
  }
  if (contents.length !== count) throw new TypeError('a list of contents has a wrong count');
  return contents;
}

/** Decodes one byte for each path; what has no type is to be asked for on its own. */
export function decodeTypes(packed: Buffer, count: number): (EntryType | undefined)[] {
  if (packed.length !== count) throw new TypeError('a list of types has a wrong count');
  return Array.from(packed, (type) => TYPES[type]);
}
