import {
  checkHostPath,
  checkInteger,
  checkOptions,
  checkPath,
  checkXattrName,
  checkXattrPatterns,
} from './arguments.ts';
import {
  checkReadEndsOptions,
  checkReadManyOptions,
  decodeContents,
  decodeEnds,
  decodeTypes,
  type ManyEnds,
  type ManyReads,
  packPaths,
  type ReadEndsOptions,
  type ReadManyOptions,
} from './many-paths.ts';
import { loadNative, type NativeRoot, type NativeWalker, type NativeWalkOptions } from './native.ts';
import { decodeHashes, decodeNames, type HashOutcome } from './packed-lists.ts';
import type { PathClaims } from './path-claims.ts';
import { decodeStat, type EntryType, type RootStat } from './root-stat.ts';
import { guard, RootfsError, toRootfsError } from './rootfs-error.ts';
import { checkSiftOptions, type SiftOptions, SurveySift } from './sift.ts';
import { checkSurveyOptions, type SurveyOptions, TreeSurvey } from './survey.ts';
import { decodeWalkBatch, type WalkEntry, type WalkOptions } from './walk.ts';

/** How `openRoot` treats symbolic links among the parents of a path; the last part is never followed. */
export interface OpenRootOptions {
  /** `follow` (default): resolved inside the root, as in a chroot. `refuse`: such a path leads nowhere. */
  readonly parentLinks?: 'follow' | 'refuse';
}

/** Which part of a file to read, and how much at most. */
export interface ReadFileOptions {
  /** A file, or a part asked for, above this is refused before anything is read. */
  readonly maxBytes: number;
  /** First byte; 0 by default. */
  readonly offset?: number;
  /** Bytes wanted; without it the file to its end. Fewer come back where the file ends earlier. */
  readonly length?: number;
}

/** What `lookInside` reads of a file. */
export interface EndsWish {
  readonly bytes: number;
  /** How many of the first bytes the last ones repeat where both together are all. */
  readonly overlap: number;
  readonly wantsTail: boolean;
}

export interface LookedEntry extends WalkEntry {
  readonly head: Buffer | undefined;
  readonly tail: Buffer | undefined;
}

/** Part of a file. */
export interface FileRange {
  readonly offset: number;
  readonly length: number;
}

/** Digest that fs-verity holds for a file: of its Merkle tree, not of its plain content. */
export interface VerityMeasurement {
  readonly algorithm: 'sha256' | 'sha512';
  readonly digest: Buffer;
}

/**
 * Opens a directory of the host (`O_PATH|O_DIRECTORY`) as the root of a foreign tree. `path` itself is trusted and
 * resolved as usual. Throws `TypeError`, ERR_ROOTFS_NOT_FOUND, ERR_ROOTFS_SYSTEM, ERR_ROOTFS_NATIVE.
 */
export function openRoot(path: string | Buffer, options: OpenRootOptions = {}): RootHandle {
  const bytes = checkHostPath(path, 'path');
  checkOptions(options, ['parentLinks']);
  const { parentLinks = 'follow' } = options;
  if (parentLinks !== 'follow' && parentLinks !== 'refuse') throw new TypeError('parentLinks must be follow or refuse');
  return new RootHandle(guard(() => loadNative().openRoot(bytes, parentLinks === 'follow')));
}

/**
 * Reads a tree that somebody else may be changing at the same time, and may have made to harm the reader.
 *
 * Paths are bytes relative to the root; leading slashes mean the root. Every path is opened beneath it by openat2 with
 * RESOLVE_IN_ROOT, NO_MAGICLINKS and NO_XDEV (or, without openat2, part by part): no link, race or mount leads out. Only
 * regular files and directories are ever opened, after fstat of an O_PATH descriptor has said so; all else is named, not
 * opened. Calls block: use them in a worker thread, or the ...Async ones. A path argument that is no Buffer, holds NUL
 * or a `..` part is a `TypeError`.
 */
export class RootHandle {
  readonly #native: NativeRoot;

  /** Made by `openRoot` only. */
  constructor(native: NativeRoot) {
    this.#native = native;
  }

  /** Closes the descriptor. Calls that follow throw ERR_ROOTFS_CLOSED; closing twice is fine. */
  close(): void {
    this.#native.close();
  }

  [Symbol.dispose](): void {
    this.close();
  }

  /** The entry itself. Undefined where nothing is there or a parent is no directory (ENOENT, ENOTDIR). Throws ERR_ROOTFS_ESCAPE for what lies on a mount below the root. */
  lstat(path: Buffer): RootStat | undefined {
    const record = guard(() => this.#native.lstat(checkPath(path)));
    return record === undefined ? undefined : decodeStat(record, 0);
  }

  /**
   * The entry itself with the target of a link and the attributes that are asked for, as a walk tells them, without its
   * path: all of one object. Undefined and errors as `lstat`.
   */
  look(path: Buffer, xattrs: readonly string[]): WalkEntry | undefined {
    const names = checkXattrPatterns(xattrs);
    const packed = guard(() => this.#native.look(checkPath(path), names));
    return packed === undefined ? undefined : decodeWalkBatch(packed)[0];
  }

  /**
   * The same with both ends of a regular file, of the state that is told and opened once for all of it: at most `bytes` of
   * each, and the last ones only where the first are not all. Without `head` they could not be read; `readRanges` says why.
   */
  lookInside(path: Buffer, xattrs: readonly string[], wish: EndsWish): LookedEntry | undefined {
    const { bytes, overlap, wantsTail } = wish;
    const names = checkXattrPatterns(xattrs);
    for (const [name, count] of Object.entries({ bytes, overlap })) checkInteger(count, name);
    const packed = guard(() => this.#native.lookInside(checkPath(path), names, bytes, overlap, wantsTail));
    return packed && decodeLooked(packed);
  }

  /** Names in a directory, unsorted, without `.` and `..`. Throws ERR_ROOTFS_LIMIT above `maxEntries`, ERR_ROOTFS_TYPE, ERR_ROOTFS_NOT_FOUND. */
  list(path: Buffer, maxEntries: number): Buffer[] {
    checkInteger(maxEntries, 'maxEntries');
    return decodeNames(guard(() => this.#native.list(checkPath(path), maxEntries)));
  }

  /** Names in a directory that stand for one of these inode numbers, by what the directory itself says; otherwise as `list`. */
  listInodes(path: Buffer, inodes: readonly bigint[], maxEntries: number): Buffer[] {
    checkInteger(maxEntries, 'maxEntries');
    const packed = Buffer.from(BigUint64Array.from(inodes).buffer);
    return decodeNames(guard(() => this.#native.list(checkPath(path), maxEntries, packed)));
  }

  /** Target of a symbolic link. Throws ERR_ROOTFS_TYPE for anything else. */
  readLink(path: Buffer): Buffer {
    return guard(() => this.#native.readLink(checkPath(path)));
  }

  /**
   * Content of a regular file: checks type and size before reading, and stat again after it. Throws ERR_ROOTFS_TYPE,
   * ERR_ROOTFS_LIMIT above `maxBytes`, ERR_ROOTFS_CHANGED when size, mtime or ctime moved meanwhile.
   */
  readFile(path: Buffer, options: ReadFileOptions): { content: Buffer; stat: RootStat } {
    checkOptions(options, ['maxBytes', 'offset', 'length']);
    const maxBytes = checkInteger(options.maxBytes, 'maxBytes');
    const offset = checkInteger(options.offset ?? 0, 'offset');
    const length = options.length === undefined ? -1 : checkInteger(options.length, 'length');
    const { content, stat } = guard(() => this.#native.readFile(checkPath(path), maxBytes, offset, length));
    return { content, stat: decodeStat(stat, 0) };
  }

  /**
   * Parts of a regular file, each cut where the file ends, all of one state of it; in all at most `maxBytes`. Errors as
   * `readFile`.
   */
  readRanges(path: Buffer, ranges: readonly FileRange[], maxBytes: number): { contents: Buffer[]; stat: RootStat } {
    const numbers = ranges.flatMap(({ offset, length }) => [
      checkInteger(offset, 'offset'),
      checkInteger(length, 'length'),
    ]);
    checkInteger(maxBytes, 'maxBytes');
    const { contents, stat } = guard(() => this.#native.readRanges(checkPath(path), numbers, maxBytes));
    return { contents, stat: decodeStat(stat, 0) };
  }

  /** SHA-256 of a regular file's content, with the checks and errors of `readFile`. Memory does not grow with the file. */
  hashFile(path: Buffer, options: { readonly maxBytes: number }): { sha256: Buffer; stat: RootStat } {
    checkOptions(options, ['maxBytes']);
    const maxBytes = checkInteger(options.maxBytes, 'maxBytes');
    const { sha256, stat } = guard(() => this.#native.hashFile(checkPath(path), maxBytes));
    return { sha256, stat: decodeStat(stat, 0) };
  }

  /**
   * Hashes many files on the package's own threads, never on libuv's. The answer has one outcome per path in the same
   * order; a file that could not be hashed is an outcome with `error`, not a rejection.
   */
  async hashFilesAsync(paths: readonly Buffer[], options: { readonly maxBytes: number }): Promise<HashOutcome[]> {
    checkOptions(options, ['maxBytes']);
    const maxBytes = checkInteger(options.maxBytes, 'maxBytes');
    if (!Array.isArray(paths)) throw new TypeError('paths must be a list');
    const checked = paths.map(checkPath);
    return decodeHashes(await settle(() => this.#native.hashFilesAsync(checked, maxBytes)));
  }

  /** Raw value of an extended attribute of the entry itself, links too. Undefined where it is not set. A trusted.* name without CAP_SYS_ADMIN throws ERR_ROOTFS_UNSUPPORTED: the kernel would say "not set". */
  getXattr(path: Buffer, name: string): Buffer | undefined {
    return guard(() => this.#native.getXattr(checkPath(path), checkXattrName(name)));
  }

  /** Names of the extended attributes of the entry itself, as latin1. Without CAP_SYS_ADMIN the kernel hides trusted.*; see `capabilities`. */
  listXattrs(path: Buffer): string[] {
    return decodeNames(guard(() => this.#native.listXattrs(checkPath(path)))).map((name) => name.toString('latin1'));
  }

  /** What FS_IOC_MEASURE_VERITY says of a regular file. Undefined where fs-verity does not protect it. */
  measureVerity(path: Buffer): VerityMeasurement | undefined {
    const measured = guard(() => this.#native.measureVerity(checkPath(path)));
    if (measured === undefined) return undefined;
    const { algorithm, digest } = measured;
    if (algorithm === 1) return { algorithm: 'sha256', digest };
    if (algorithm === 2) return { algorithm: 'sha512', digest };
    throw new RootfsError('ERR_ROOTFS_UNSUPPORTED', `fs-verity algorithm ${algorithm} is not known`);
  }

  /**
   * Walks the tree under a directory (which is not itself an entry), depth first, each directory before its content,
   * names sorted by bytes. Calls `onBatch` with at most about 1,000 entries at a time; what it throws ends the walk.
   * An entry that vanishes meanwhile is looked for once more in its directory, by inode number, and left out where it is
   * gone; one that is there each time and never found says `changed`. A directory that is moved while it is read throws
   * ERR_ROOTFS_CHANGED.
   */
  walk(path: Buffer, options: WalkOptions, onBatch: (entries: WalkEntry[]) => void): void {
    const walker = this.#startWalk(path, options);
    try {
      for (let batch = guard(() => walker.next()); batch !== undefined; batch = guard(() => walker.next())) {
        onBatch(decodeWalkBatch(batch));
      }
    } finally {
      walker.close();
    }
  }

  /** The same walk on the package's own threads, batch by batch as the consumer asks for them. */
  async *walkAsync(path: Buffer, options: WalkOptions): AsyncGenerator<WalkEntry[], void, undefined> {
    const walker = this.#startWalk(path, options);
    const next = (): Promise<Buffer | undefined> => settle(() => walker.nextAsync());
    try {
      for (let batch = await next(); batch !== undefined; batch = await next()) yield decodeWalkBatch(batch);
    } finally {
      walker.close();
    }
  }

  /**
   * Begins to list the whole tree, without the order, links and attributes of `walk` and with far less work for each
   * entry. Tell a survey or close it.
   */
  startSurvey(options: SurveyOptions): TreeSurvey {
    const { maxEntries, maxDepth, helpers } = checkSurveyOptions(options);
    const nothing = Buffer.alloc(0);
    const everything = () => this.#native.startSift(undefined, nothing, nothing, 0, nothing, 0, helpers);
    const survey = guard(() => this.#native.startSurvey(maxEntries, maxDepth, helpers));
    return new TreeSurvey(survey, new SurveySift(guard(everything)));
  }

  /**
   * Leaves out of a survey of this root files that somebody claims, and those that begin with something else than is asked
   * for. Throws `TypeError` for claims that are not settled.
   */
  startSift(claims: PathClaims, options: SiftOptions): SurveySift {
    const { suffixes, quiet, minProgramBytes, magic, minBytes, helpers } = checkSiftOptions(options);
    const { native } = claims;
    return new SurveySift(
      guard(() => this.#native.startSift(native, suffixes, quiet, minProgramBytes, magic, minBytes, helpers)),
    );
  }

  /**
   * Begins to read many regular files (paths as latin1) with the checks of `readFile`. What is asked for afterwards is
   * undefined for those that have to be read one by one, which then says why: nothing there, of another type, above a
   * limit, changed meanwhile.
   */
  startReads(paths: readonly string[], options: ReadManyOptions): ManyReads {
    const { maxBytes, maxAllBytes, heads, helpers } = checkReadManyOptions(options);
    const packed = packPaths(paths);
    const native = guard(() => this.#native.startReads(packed, maxBytes, maxAllBytes, heads, helpers, 0));
    return {
      take: () =>
        decodeContents(
          guard(() => native.take()),
          paths.length,
        ),
    };
  }

  /** The same for the first bytes of each file, at most `maxBytes`, and the last ones, at most `endBytes`. */
  startEnds(paths: readonly string[], options: ReadEndsOptions): ManyEnds {
    const { maxBytes, maxAllBytes, helpers, endBytes } = checkReadEndsOptions(options);
    const packed = packPaths(paths);
    const native = guard(() => this.#native.startReads(packed, maxBytes, maxAllBytes, true, helpers, endBytes));
    return {
      take: () =>
        decodeContents(
          guard(() => native.take()),
          paths.length,
        ).map((content) => content && decodeEnds(content, maxBytes)),
    };
  }

  /** Types of many entries (paths as latin1). Undefined for those that have to be asked for one by one. */
  typesOf(paths: readonly string[], options: { readonly helpers?: number } = {}): (EntryType | undefined)[] {
    checkOptions(options, ['helpers']);
    const helpers = checkInteger(options.helpers ?? 0, 'helpers');
    const packed = packPaths(paths);
    return decodeTypes(
      guard(() => this.#native.typesOf(packed, helpers)),
      paths.length,
    );
  }

  #startWalk(path: Buffer, options: WalkOptions): NativeWalker {
    const native = toNativeOptions(options);
    return guard(() => this.#native.startWalk(checkPath(path), native));
  }
}

function toNativeOptions(options: WalkOptions): NativeWalkOptions {
  checkOptions(options, ['maxEntries', 'maxDepth', 'xattrs', 'hashFiles', 'maxFileBytes']);
  const { hashFiles = false, maxFileBytes } = options;
  if (typeof hashFiles !== 'boolean') throw new TypeError('hashFiles must be true or false');
  if (hashFiles && maxFileBytes === undefined) throw new TypeError('hashFiles needs maxFileBytes');
  return {
    maxEntries: checkInteger(options.maxEntries, 'maxEntries', 1),
    maxDepth: checkInteger(options.maxDepth, 'maxDepth', 1),
    xattrs: checkXattrPatterns(options.xattrs ?? []),
    hashFiles,
    maxFileBytes: checkInteger(maxFileBytes ?? 0, 'maxFileBytes'),
  };
}

const LOOKED_HEAD = 12;
const NONE = 0xffffffff;

function decodeLooked(packed: Buffer): LookedEntry | undefined {
  const [record = 0, head = NONE, tail = NONE] = [0, 4, 8].map((at) => packed.readUInt32LE(at));
  let at = LOOKED_HEAD + record;
  const take = (bytes: number): Buffer | undefined => {
    if (bytes === NONE) return undefined;
    at += bytes;
    return packed.subarray(at - bytes, at);
  };
  const [entry] = decodeWalkBatch(packed.subarray(LOOKED_HEAD, at));
  return entry && { ...entry, head: take(head), tail: take(tail) };
}

async function settle<T>(start: () => Promise<T>): Promise<T> {
  try {
    return await start();
  } catch (error) {
    throw toRootfsError(error);
  }
}
