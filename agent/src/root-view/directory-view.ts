import { type BytePath, bytePathToBuffer, joinBytePath, toBytePath } from '@holdfast/evidence';
import { openRoot, RootfsError, type RootHandle, type RootStat } from '@holdfast/rootfs';
import { resolvePath } from './resolve-path.ts';
import {
  DEFAULT_MAX_PATH_BYTES,
  type EntryType,
  type RootView,
  type ViewEntry,
  type ViewLayer,
  type ViewLimit,
  ViewLimitError,
  type WalkedEntry,
  type WalkLimits,
} from './root-view.ts';

const ROOT = toBytePath('/');

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
}

/**
 * Opens a directory as the root file system of somebody else, with one layer. Every path is looked up beneath it, and no
 * parent of it may be a symbolic link.
 *
 * Throws `RootfsError` when the directory cannot be opened; calls of the view throw it when the kernel refuses a read,
 * and `ViewLimitError` for limits and for files that change while they are read.
 */
export function openDirectoryView(path: string, options: DirectoryViewOptions = {}): ClosableView {
  return new DirectoryView(openRoot(path, { parentLinks: 'refuse' }), options);
}

class DirectoryView implements ClosableView {
  readonly layers: readonly ViewLayer[];
  readonly #root: RootHandle;
  readonly #maxEntries: number;
  readonly #maxHashBytes: number;

  constructor(root: RootHandle, options: DirectoryViewOptions) {
    this.#root = root;
    this.#maxEntries = options.maxEntries ?? 1_000_000;
    this.#maxHashBytes = options.maxHashBytes ?? 16 * 1024 ** 3;
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

  resolve(path: BytePath): BytePath | undefined {
    return resolvePath((at) => this.lstat(at), path);
  }

  walk(
    { maxEntries, maxDepth, maxPathBytes = DEFAULT_MAX_PATH_BYTES }: WalkLimits,
    onEntry: (path: BytePath, entry: WalkedEntry) => void,
  ): void {
    const directories = new Map([['', ROOT]]);
    let pathBytes = 0;
    this.#read(ROOT, () =>
      this.#root.walk(Buffer.alloc(0), { maxEntries, maxDepth }, (batch) => {
        for (const { path, stat, problem } of batch) {
          const { type, mode, size } = stat;
          const full = joinToParent(directories, path.toString('latin1'), type);
          if (type === 'directory') pathBytes += path.length * 2;
          if (pathBytes > maxPathBytes) throw new ViewLimitError('pathBytes', full);
          if (problem === 'changed') throw new ViewLimitError('changedWhileRead', full);
          onEntry(
            full,
            problem === undefined || problem === 'limit' ? { type, mode, size } : { type, mode, size, problem },
          );
        }
      }),
    );
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

/** The walk tells a directory before its content, so that its path is already there to be joined to. */
function joinToParent(directories: Map<string, BytePath>, path: string, type: EntryType): BytePath {
  const slash = path.lastIndexOf('/');
  const parent = directories.get(slash === -1 ? '' : path.slice(0, slash));
  if (parent === undefined) throw new TypeError('a walk told an entry before its directory');
  const full = joinBytePath(parent, path.slice(slash + 1));
  if (type === 'directory') directories.set(path, full);
  return full;
}

function toViewLimit(error: RootfsError): ViewLimit | undefined {
  if (error.code === 'ERR_ROOTFS_CHANGED') return 'changedWhileRead';
  if (error.code !== 'ERR_ROOTFS_LIMIT') return undefined;
  if (error.syscall === 'clock_gettime') return 'time';
  return error.syscall === 'getdents64' ? 'entries' : 'fileBytes';
}

/** Latin1 text has one UTF-16 unit a byte, so its order is that of the bytes; a locale's is not. */
function compareBytes(a: string, b: string): number {
  return a < b ? -1 : a > b ? 1 : 0;
}
