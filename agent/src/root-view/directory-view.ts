import { constants } from 'node:os';
import { type BytePath, bytePathToBuffer, latin1ToBytePath, toBytePath } from '@holdfast/evidence/inventory';
import {
  createPathClaims,
  hashBytes,
  openRoot,
  PathClaims,
  RootfsError,
  type RootHandle,
  type RootStat,
  type SurveyedEntry,
  type SurveySift,
  type SurveyVisitor,
  type WalkProblem,
} from '@holdfast/rootfs';
import { resolvePath } from './resolve-path.ts';
import {
  type EntryType,
  type FileEnds,
  type PendingReads,
  type RootView,
  type TreeSift,
  type TreeVisitor,
  type TreeWalk,
  type ViewEntry,
  type ViewLayer,
  type ViewLimit,
  ViewLimitError,
  type WalkProblem as ViewProblem,
  type WalkLimits,
} from './root-view.ts';

const ROOT = toBytePath('/');
const { EACCES, EPERM, EIO, EBADMSG, ESTALE } = constants.errno;
/** One file that is forbidden or lies on a broken disk; anything else that the kernel says is a fault of the whole. */
const UNREADABLE: ReadonlySet<number | undefined> = new Set([EACCES, EPERM, EIO, EBADMSG, ESTALE]);
/** Of many files that are read at once; what is beyond is read one by one. */
const MAX_READ_BYTES = 8 * 1024 * 1024;
/** Of a tree that is listed before it is told: some 200,000 entries. */
const MAX_AHEAD_BYTES = 8 * 1024 * 1024;

/** A view that holds a file handle or a spool file; `close` may be called twice. */
export interface ClosableView extends RootView, Disposable {
  close(): void;
}

export interface DirectoryViewOptions {
  /** `sha256:…` of the layer that this directory was unpacked from; null (default) for a plain directory. */
  readonly diffId?: string | null;
  /** Most names in one directory. Default 1,000,000. */
  readonly maxEntries?: number;
  /** Largest file that `hashFile` reads. Default 16 GiB. */
  readonly maxHashBytes?: number;
  /** Threads that read ahead and share the reading of many files. None by default: a scan then costs one core. */
  readonly helpers?: number;
}

/**
 * Opens a directory as the root file system of somebody else, with one layer. Every path is looked up beneath it, and no
 * parent of it may be a symbolic link.
 *
 * Throws `RootfsError` when the directory cannot be opened; calls of the view throw `ViewLimitError` for limits, for files
 * that change while they are read, that the kernel refuses to read (`unreadable`) and that lie on another file system
 * (`mount`), and `RootfsError` where a system call fails in another way.
 */
export function openDirectoryView(path: string, options: DirectoryViewOptions = {}): ClosableView {
  return new DirectoryView(openRoot(path, { parentLinks: 'refuse' }), options);
}

class DirectoryView implements ClosableView {
  readonly layers: readonly ViewLayer[];
  readonly #root: RootHandle;
  readonly #maxEntries: number;
  readonly #maxHashBytes: number;
  readonly #helpers: number;

  constructor(root: RootHandle, options: DirectoryViewOptions) {
    this.#root = root;
    this.#maxEntries = options.maxEntries ?? 1_000_000;
    this.#maxHashBytes = options.maxHashBytes ?? 16 * 1024 ** 3;
    this.#helpers = options.helpers ?? 0;
    this.layers = [{ diffId: options.diffId ?? null }];
  }

  lstat(path: BytePath): ViewEntry | undefined {
    const bytes = bytePathToBuffer(path);
    const stat = this.#read(path, () => this.#root.lstat(bytes));
    return stat === undefined ? undefined : this.#toEntry(path, stat);
  }

  list(path: BytePath): string[] {
    const names = this.#read(path, () => this.#root.list(bytePathToBuffer(path), this.#maxEntries)) ?? [];
    return names.map((name) => name.toString('latin1')).sort(compareBytes);
  }

  readFile(path: BytePath, maxBytes: number): Buffer | undefined {
    return this.#read(path, () => this.#root.readFile(bytePathToBuffer(path), { maxBytes }))?.content;
  }

  readHead(path: BytePath, bytes: number): Buffer | undefined {
    const part = { maxBytes: bytes, length: bytes };
    return this.#read(path, () => this.#root.readFile(bytePathToBuffer(path), part))?.content;
  }

  hashFile(path: BytePath): string | undefined {
    const limit = { maxBytes: this.#maxHashBytes };
    return this.#read(path, () => this.#root.hashFile(bytePathToBuffer(path), limit))?.sha256.toString('hex');
  }

  hashBytes(bytes: Buffer): string {
    return hashBytes(bytes).toString('hex');
  }

  resolve(path: BytePath): BytePath | undefined {
    return resolvePath((at) => this.lstat(at), path);
  }

  startWalk({ maxEntries, maxDepth }: WalkLimits): TreeWalk {
    const survey = this.#root.startSurvey({ maxEntries, maxDepth, helpers: this.#helpers });
    return {
      readAhead: () => {
        const links = this.#read(ROOT, () => survey.readAhead(MAX_AHEAD_BYTES));
        return links && new Set(links.map((link) => latin1ToBytePath(`/${link}`)));
      },
      tell: (visitor, sift) => {
        this.#read(ROOT, () => survey.tell(new SurveyTeller(visitor), this.#startSift(sift)));
      },
      close: () => survey.close(),
    };
  }

  #startSift(sift: TreeSift | undefined): SurveySift | undefined {
    if (!(sift?.claims instanceof PathClaims)) return undefined;
    const { claims, ...rule } = sift;
    return this.#root.startSift(claims, { ...rule, helpers: this.#helpers });
  }

  createClaims(maxBytes: number): PathClaims {
    return createPathClaims(maxBytes);
  }

  startReads(paths: readonly BytePath[], maxBytes: number, heads: boolean): PendingReads {
    return this.#root.startReads(paths, { maxBytes, maxAllBytes: MAX_READ_BYTES, heads, helpers: this.#helpers });
  }

  startEnds(paths: readonly BytePath[], headBytes: number, endBytes: number): PendingReads<FileEnds> {
    const limits = { maxBytes: headBytes, maxAllBytes: MAX_READ_BYTES, helpers: this.#helpers };
    return this.#root.startEnds(paths, { ...limits, endBytes });
  }

  typesOf(paths: readonly BytePath[]): (EntryType | undefined)[] {
    return this.#root.typesOf(paths, { helpers: this.#helpers });
  }

  readPart(path: BytePath, offset: number, length: number): Buffer | undefined {
    const part = { maxBytes: length, offset, length };
    return this.#read(path, () => this.#root.readFile(bytePathToBuffer(path), part))?.content;
  }

  close(): void {
    this.#root.close();
  }

  [Symbol.dispose](): void {
    this.close();
  }

  #toEntry(path: BytePath, stat: RootStat): ViewEntry {
    const { type, mode, uid, gid, size, rdevMajor, rdevMinor } = stat;
    const entry = { type, mode, uid, gid, size, rdevMajor, rdevMinor, layer: 0 };
    if (type === 'symlink') {
      const target = this.#read(path, () => this.#root.readLink(bytePathToBuffer(path)));
      return target === undefined ? entry : { ...entry, target: target.toString('latin1') };
    }
    if (type !== 'file') return entry;
    const capability = this.#read(path, () => this.#root.getXattr(bytePathToBuffer(path), 'security.capability'));
    return capability === undefined ? entry : { ...entry, capability: capability.toString('hex') };
  }

  /** Nothing there, or something of another type, is `undefined`; limits become the view's own error. */
  #read<T>(path: BytePath, call: () => T): T | undefined {
    try {
      return call();
    } catch (error) {
      if (!(error instanceof RootfsError)) throw error;
      if (error.code === 'ERR_ROOTFS_NOT_FOUND' || error.code === 'ERR_ROOTFS_TYPE') return undefined;
      const limit = toViewLimit(error);
      if (limit !== undefined) throw new ViewLimitError(limit, path);
      throw error;
    }
  }
}

/** Gives the paths of a survey their slash and its problems their names here. */
class SurveyTeller implements SurveyVisitor {
  readonly #visitor: TreeVisitor;
  #directory = '';
  #path = ROOT;

  constructor(visitor: TreeVisitor) {
    this.#visitor = visitor;
  }

  entry(directory: string, name: string, entry: SurveyedEntry): void {
    const told = entry.problem === undefined ? entry : { ...entry, problem: toWalkProblem(entry.problem) };
    this.#visitor.entry(this.#toPath(directory), name, told);
  }

  unlisted(directory: string, problem: WalkProblem): void {
    this.#visitor.unlisted(this.#toPath(directory), toWalkProblem(problem));
  }

  beforeHeads(): void {
    this.#visitor.beforeHeads?.();
  }

  /** Entries of one directory come one after the other. */
  #toPath(directory: string): BytePath {
    if (directory !== this.#directory) {
      this.#path = latin1ToBytePath(`/${directory}`);
      this.#directory = directory;
    }
    return this.#path;
  }
}

/** A survey hashes nothing, so that it knows no limit of a file. */
function toWalkProblem(problem: WalkProblem): ViewProblem {
  if (problem === 'changed') return 'changedWhileRead';
  return problem === 'mount' ? 'mount' : 'unreadable';
}

function toViewLimit(error: RootfsError): ViewLimit | undefined {
  if (error.code === 'ERR_ROOTFS_CHANGED') return 'changedWhileRead';
  if (error.code === 'ERR_ROOTFS_ESCAPE') return 'mount';
  if (error.code === 'ERR_ROOTFS_SYSTEM' && UNREADABLE.has(error.errno)) return 'unreadable';
  if (error.code !== 'ERR_ROOTFS_LIMIT') return undefined;
  if (error.syscall === 'clock_gettime') return 'time';
  if (error.syscall === 'walk') return 'depth';
  return error.syscall === 'getdents64' ? 'entries' : 'fileBytes';
}

/** Latin1 text has one UTF-16 unit a byte, so its order is that of the bytes; a locale's is not. */
function compareBytes(a: string, b: string): number {
  return a < b ? -1 : a > b ? 1 : 0;
}
