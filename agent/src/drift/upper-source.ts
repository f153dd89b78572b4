import { type BytePath, bytePathToBuffer, toBytePath } from '@holdfast/evidence';
import { openRoot, type RootHandle, type RootStat, type WalkProblem } from '@holdfast/rootfs';
import { ViewLimitError } from '../root-view/root-view.ts';

/** One entry of an upper directory, as it lies on disk. */
export interface UpperEntry {
  readonly path: BytePath;
  readonly stat: Pick<
    RootStat,
    'type' | 'mode' | 'uid' | 'gid' | 'size' | 'rdevMajor' | 'rdevMinor' | 'ino' | 'nlink' | 'ctimeNs'
  >;
  /** Of a symbolic link, latin1. */
  readonly target: string | undefined;
  /** Extended attributes that overlayfs or a container gives a meaning. */
  readonly xattrs: Readonly<Record<string, Buffer>>;
  /** Why a part of the entry is missing. */
  readonly problem: WalkProblem | undefined;
}

/** Reads an upper directory. Calls throw `RootfsError`. */
export interface UpperSource {
  /** Tells the root, then every entry, each directory before its content, names in byte order. */
  walk(onEntry: (entry: UpperEntry) => void): void;
  /** One entry; undefined where nothing is there. */
  look(path: BytePath): UpperEntry | undefined;
  /** SHA-256 of a regular file, hex. */
  hashFile(path: BytePath): string;
  /** Bytes of a regular file from `offset` on, fewer at its end. */
  readPart(path: BytePath, offset: number, length: number): Buffer;
  close(): void;
}

/** What bounds the reading of one upper directory. */
export interface UpperLimits {
  readonly maxEntries: number;
  readonly maxDepth: number;
  readonly maxFileBytes: number;
  /** Of all paths and link targets together. */
  readonly maxPathBytes: number;
}

const XATTRS = ['security.capability', 'trusted.*', 'user.*', 'system.posix_acl_access', 'system.posix_acl_default'];
const ROOT = toBytePath('/');

/** Opens an upper directory (absolute path, latin1). Throws `RootfsError` where it is gone or may not be opened. */
export function openUpperSource(directory: string, limits: UpperLimits): UpperSource {
  return new DirectoryUpperSource(openRoot(Buffer.from(directory, 'latin1'), { parentLinks: 'refuse' }), limits);
}

class DirectoryUpperSource implements UpperSource {
  readonly #root: RootHandle;
  readonly #limits: UpperLimits;

  constructor(root: RootHandle, limits: UpperLimits) {
    this.#root = root;
    this.#limits = limits;
  }

  walk(onEntry: (entry: UpperEntry) => void): void {
    const root = this.look(ROOT);
    if (root === undefined) throw new TypeError('an open root has attributes');
    onEntry(root);
    const { maxEntries, maxDepth, maxPathBytes } = this.#limits;
    let pathBytes = 0;
    this.#root.walk(Buffer.alloc(0), { maxEntries, maxDepth, xattrs: XATTRS }, (batch) => {
      for (const { path, stat, target, xattrs, problem } of batch) {
        pathBytes += path.length + (target?.length ?? 0);
        if (pathBytes > maxPathBytes) throw new ViewLimitError('pathBytes', '/');
        onEntry({
          path: toBytePath(Buffer.concat([Buffer.from('/'), path])),
          stat,
          target: target?.toString('latin1'),
          xattrs: xattrs ?? {},
          problem,
        });
      }
    });
  }

  look(path: BytePath): UpperEntry | undefined {
    const bytes = bytePathToBuffer(path);
    const stat = this.#root.lstat(bytes);
    if (stat === undefined) return undefined;
    const target = stat.type === 'symlink' ? this.#root.readLink(bytes).toString('latin1') : undefined;
    const xattrs: Record<string, Buffer> = {};
    for (const name of this.#root.listXattrs(bytes).filter(isWalkedXattr)) {
      const value = this.#root.getXattr(bytes, name);
      if (value !== undefined) xattrs[name] = value;
    }
    return { path, stat, target, xattrs, problem: undefined };
  }

  hashFile(path: BytePath): string {
    const { sha256 } = this.#root.hashFile(bytePathToBuffer(path), { maxBytes: this.#limits.maxFileBytes });
    return sha256.toString('hex');
  }

  readPart(path: BytePath, offset: number, length: number): Buffer {
    return this.#root.readFile(bytePathToBuffer(path), { maxBytes: length, offset, length }).content;
  }

  close(): void {
    this.#root.close();
  }
}

function isWalkedXattr(name: string): boolean {
  return XATTRS.some((pattern) => (pattern.endsWith('*') ? name.startsWith(pattern.slice(0, -1)) : name === pattern));
}
