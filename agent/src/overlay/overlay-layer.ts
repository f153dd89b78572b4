import { type BytePath, bytePathToBuffer } from '@holdfast/evidence/documents';
import { openRoot, RootfsError, type RootHandle } from '@holdfast/rootfs';
import { type EntryType, type ViewLimit, ViewLimitError } from '../root-view/root-view.ts';

/** What lstat says of an entry of one layer. */
export interface LayerStat {
  readonly type: EntryType;
  readonly mode: number;
  readonly uid: number;
  readonly gid: number;
  readonly size: number;
  readonly rdevMajor: number;
  readonly rdevMinor: number;
}

/** One directory of an overlay mount, as it lies on disk. Nothing of it is followed, and no mount below it is entered. */
export interface OverlayLayer {
  lstat(path: BytePath): LayerStat | undefined;
  /** Names as latin1, in any order. Empty where the directory vanished. */
  list(path: BytePath): string[];
  readLink(path: BytePath): string | undefined;
  xattr(path: BytePath, name: string): Buffer | undefined;
  /** Names of all extended attributes. Empty where the entry vanished. */
  listXattrs(path: BytePath): string[];
  readFile(path: BytePath, maxBytes: number): Buffer | undefined;
  readPart(path: BytePath, offset: number, length: number): Buffer | undefined;
  hashFile(path: BytePath): string | undefined;
  close(): void;
}

export interface DirectoryLayerOptions {
  /** Most names in one directory. */
  readonly maxEntries: number;
  /** Largest file that is hashed, in bytes. */
  readonly maxHashBytes: number;
}

/**
 * Opens a layer directory. A file that vanishes or changes between two calls is the limit `changedWhileRead`, a mount
 * inside the layer is `unsupported`: both as `ViewLimitError`. Throws `RootfsError` when the directory cannot be opened.
 */
export function openDirectoryLayer(directory: string, options: DirectoryLayerOptions): OverlayLayer {
  return new DirectoryLayer(openRoot(Buffer.from(directory, 'latin1'), { parentLinks: 'refuse' }), options);
}

class DirectoryLayer implements OverlayLayer {
  readonly #root: RootHandle;
  readonly #options: DirectoryLayerOptions;

  constructor(root: RootHandle, options: DirectoryLayerOptions) {
    this.#root = root;
    this.#options = options;
  }

  lstat(path: BytePath): LayerStat | undefined {
    return this.#read(path, (bytes) => this.#root.lstat(bytes));
  }

  list(path: BytePath): string[] {
    const names = this.#read(path, (bytes) => this.#root.list(bytes, this.#options.maxEntries));
    return (names ?? []).map((name) => name.toString('latin1'));
  }

  readLink(path: BytePath): string | undefined {
    return this.#read(path, (bytes) => this.#root.readLink(bytes))?.toString('latin1');
  }

  xattr(path: BytePath, name: string): Buffer | undefined {
    return this.#read(path, (bytes) => this.#root.getXattr(bytes, name));
  }

  listXattrs(path: BytePath): string[] {
    return this.#read(path, (bytes) => this.#root.listXattrs(bytes)) ?? [];
  }

  readFile(path: BytePath, maxBytes: number): Buffer | undefined {
    return this.#read(path, (bytes) => this.#root.readFile(bytes, { maxBytes }))?.content;
  }

  readPart(path: BytePath, offset: number, length: number): Buffer | undefined {
    const part = { maxBytes: length, offset, length };
    return this.#read(path, (bytes) => this.#root.readFile(bytes, part))?.content;
  }

  hashFile(path: BytePath): string | undefined {
    const options = { maxBytes: this.#options.maxHashBytes };
    return this.#read(path, (bytes) => this.#root.hashFile(bytes, options))?.sha256.toString('hex');
  }

  close(): void {
    this.#root.close();
  }

  #read<T>(path: BytePath, call: (bytes: Buffer) => T): T | undefined {
    try {
      return call(bytePathToBuffer(path));
    } catch (error) {
      if (!(error instanceof RootfsError)) throw error;
      if (error.code === 'ERR_ROOTFS_NOT_FOUND') return undefined;
      const limit = toViewLimit(error);
      if (limit === undefined) throw error;
      throw new ViewLimitError(limit, path);
    }
  }
}

function toViewLimit(error: RootfsError): ViewLimit | undefined {
  switch (error.code) {
    case 'ERR_ROOTFS_LIMIT':
      if (error.syscall === 'clock_gettime') return 'time';
      return error.syscall === 'getdents64' ? 'entries' : 'fileBytes';
    case 'ERR_ROOTFS_CHANGED':
    case 'ERR_ROOTFS_TYPE':
      return 'changedWhileRead';
    case 'ERR_ROOTFS_ESCAPE':
      return 'unsupported';
    default:
      return undefined;
  }
}
