import type { BytePath } from '@holdfast/evidence/inventory';

export type EntryType = 'file' | 'directory' | 'symlink' | 'char' | 'block' | 'fifo' | 'socket';

/** One entry of a file system tree as lstat and the layer that supplied it tell it. */
export interface ViewEntry {
  readonly type: EntryType;
  /** Permission bits, setuid, setgid and sticky among them: 0 to 0o7777. */
  readonly mode: number;
  readonly uid: number;
  readonly gid: number;
  /** Bytes, for files. */
  readonly size: number;
  readonly rdevMajor: number;
  readonly rdevMinor: number;
  /** Exact bytes as latin1, for symbolic links. */
  readonly target?: string;
  /** Raw value of security.capability, hex, where there is one. */
  readonly capability?: string;
  /** Which layer supplied it: 0 is the lowest; `layers.length - 1` the uppermost. */
  readonly layer: number;
}

/** Takes what a walk tells, each directory after the one that holds it and otherwise in no fixed order. */
export interface TreeVisitor {
  /** A regular file, or any entry with a problem. Others may be told too. */
  entry(directory: BytePath, name: string, entry: WalkedEntry): void;
  /** A directory that could not be listed: what is in it is not known. */
  unlisted(directory: BytePath, problem: WalkProblem): void;
  /** All is told but files that the view still looks into, perhaps in the background. Views may leave it out. */
  beforeHeads?(): void;
}

/** Files that are being read, perhaps in the background: whole or their heads, or at both ends. */
export interface PendingReads<T = Buffer> {
  /** Their contents in the order of the paths, once. Undefined for those that have to be read one by one, which says why. */
  take(): (T | undefined)[];
}

/** Who says which path is his: paths as lists name them, until it is settled where their directories lie. */
export interface PathClaims {
  /** Whether something was left out, because it would have been too much. */
  readonly isFull: boolean;
  /** From now on, a path that a list names counts as another one, but in lists of that name. */
  rename(from: string, to: string, exceptFor: string): void;
  /** Takes each line of a list that is an absolute path but the root. */
  addLines(list: Buffer, owner: number, listName: string): void;
  add(path: string, owner: number): void;
  /** Every directory that a path was listed in, in order; the root is empty. */
  directories(): string[];
  /** Where each of `directories` lies; undefined for those whose claims count nowhere. Once. */
  settle(real: readonly (BytePath | undefined)[]): void;
  /** The same where all links are known: directories that none leads through lie where they are listed. May be left out. */
  settleByLinks?(links: ReadonlySet<BytePath>, resolve: (directory: string) => BytePath | undefined): void;
  /** Owner of a name in a directory as it lies on disk; of several the last one. */
  find(directory: BytePath, name: string): number | undefined;
  /** The directory as that owner listed it. */
  listedIn(directory: BytePath, name: string): string | undefined;
}

/**
 * Leaves files out of a walk, but for those whose names end in one of `suffixes` (lower case), large programs unless they
 * are claimed and have one of the `quiet` extensions, and of all others those that nobody claims, that are not smaller than
 * `minBytes`, and that begin with `magic` or cannot be read.
 */
export interface TreeSift {
  readonly claims: PathClaims;
  readonly suffixes: readonly string[];
  readonly quiet: ReadonlySet<string>;
  readonly minProgramBytes: number;
  readonly magic: Buffer;
  readonly minBytes: number;
}

/** The first bytes of a file of so many, and the last ones as far as they are not among the first. */
export interface FileEnds {
  readonly size: number;
  readonly head: Buffer;
  readonly end: Buffer;
}

/** A walk that has begun. */
export interface TreeWalk {
  /**
   * Lists the rest of the tree before any of it is told, and gives every symbolic link in it. Undefined where the view
   * cannot, or that would be too much to hold.
   */
  readAhead?(): ReadonlySet<BytePath> | undefined;
  /**
   * Tells everything, once; with `sift`, where the view can, without the files that are left out by it. Throws `ViewLimitError` (`entries`, `depth`, or whatever the view hits): what was told
   * before is not the whole.
   */
  tell(visitor: TreeVisitor, sift?: TreeSift): void;
  close(): void;
}

/** Why nothing below or in an entry can be read: another file system lies there, the kernel refuses, it would not keep still. */
export type WalkProblem = 'mount' | 'unreadable' | 'changedWhileRead';

/** What a walk tells of an entry; less than `ViewEntry`, so that it costs one system call. */
export interface WalkedEntry {
  readonly type: EntryType;
  readonly mode: number;
  readonly size: number;
  readonly problem?: WalkProblem | undefined;
}

export interface WalkLimits {
  readonly maxEntries: number;
  readonly maxDepth: number;
  /** Of the paths of directories that wait to be read, or are remembered, in all. Default 64 MiB. */
  readonly maxPathBytes?: number;
}

export const DEFAULT_MAX_PATH_BYTES = 64 * 1024 * 1024;

/** One layer of a view, lowest first. */
export interface ViewLayer {
  /** `sha256:…` of the uncompressed tar; null for an upper directory or a plain directory. */
  readonly diffId: string | null;
}

/**
 * A read-only view of a root file system made by somebody else: a directory, the merged layers of a container, or an
 * image that was never unpacked. All content is foreign. Calls are synchronous, made for use inside a worker thread.
 *
 * Implementations never follow a symbolic link out of the root, never open anything but regular files and directories,
 * and throw `ViewLimitError` when a limit is hit; they never return a shortened answer.
 */
export interface RootView {
  readonly layers: readonly ViewLayer[];
  /** The entry itself, links not followed in the last part; parents must be real directories. */
  lstat(path: BytePath): ViewEntry | undefined;
  /** Names in a directory, sorted by bytes, as latin1. Empty where `path` is no directory. */
  list(path: BytePath): string[];
  /** Whole content of a regular file of at most `maxBytes`. Undefined where it is no regular file. */
  readFile(path: BytePath, maxBytes: number): Buffer | undefined;
  /** First bytes of a regular file. Undefined where it is no regular file. */
  readHead(path: BytePath, bytes: number): Buffer | undefined;
  /** SHA-256 of a regular file's content, hex. Undefined where it is no regular file. */
  hashFile(path: BytePath): string | undefined;
  /** SHA-256 (hex) of bytes that were read. Views without native code leave it out. */
  hashBytes?(bytes: Buffer): string;
  /** Resolves symbolic links inside the root, at most 40 of them. Undefined where the path leads nowhere. */
  resolve(path: BytePath): BytePath | undefined;
  /** Claims for a walk of this view to be sifted by. Views that have no fast ones leave it out. */
  createClaims?(maxBytes: number): PathClaims;
  /**
   * Begins to list the whole tree, perhaps in the background. Views that have no fast way leave it out: call
   * `startTreeWalk`, which does without.
   */
  startWalk?(limits: WalkLimits): TreeWalk;
  /**
   * Begins to read many regular files of at most `maxBytes`, or with `heads` at most their first `maxBytes`. Views that
   * have no fast way leave it out.
   */
  startReads?(paths: readonly BytePath[], maxBytes: number, heads: boolean): PendingReads;
  /** The same for at most so many of the first and of the last bytes of each. */
  startEnds?(paths: readonly BytePath[], headBytes: number, endBytes: number): PendingReads<FileEnds>;
  /** Types of many entries at once; undefined for those that have to be asked for one by one. */
  typesOf?(paths: readonly BytePath[]): (EntryType | undefined)[];
  /** Bytes of a regular file from `offset` on, fewer at its end. Undefined where it is no regular file. */
  readPart(path: BytePath, offset: number, length: number): Buffer | undefined;
}

export type ViewLimit =
  | 'fileBytes'
  | 'pathBytes'
  | 'entries'
  | 'depth'
  | 'time'
  | 'changedWhileRead'
  | 'unsupported'
  /** Another file system lies there, or above it inside the root. */
  | 'mount'
  /** The kernel refuses to read it. */
  | 'unreadable';

/** A limit was hit: what was read so far is not the whole and must not be taken for it. */
export class ViewLimitError extends Error {
  override readonly name = 'ViewLimitError';
  readonly limit: ViewLimit;
  readonly path: string;

  constructor(limit: ViewLimit, path: string) {
    super(`limit ${limit} hit at ${path}`);
    this.limit = limit;
    this.path = path;
  }
}
