import { type BytePath, bytePathToBuffer, toBytePath } from '@holdfast/evidence/documents';
import {
  type FileRange,
  openRoot,
  RootfsError,
  type RootHandle,
  type RootStat,
  type WalkProblem,
} from '@holdfast/rootfs';
import { ViewLimitError } from '../root-view/root-view.ts';
import { CONTENT_HEAD_BYTES } from './classify-content.ts';
import { isLog } from './classify-name.ts';
import { isSameObject, type ObjectId } from './find-again.ts';

/** One entry of an upper directory, as it lies on disk. */
export interface UpperEntry {
  readonly path: BytePath;
  readonly stat: Pick<
    RootStat,
    'type' | 'mode' | 'uid' | 'gid' | 'size' | 'rdevMajor' | 'rdevMinor' | 'ino' | 'birthNs' | 'nlink' | 'ctimeNs'
  >;
  /** Of a symbolic link, latin1. */
  readonly target: string | undefined;
  /** Extended attributes that overlayfs or a container gives a meaning. */
  readonly xattrs: Readonly<Record<string, Buffer>>;
  /** Why a part of the entry is missing. */
  readonly problem: WalkProblem | undefined;
  /** First and last bytes of a regular file in this state, as `listEnds` names them, where they were read along. */
  readonly ends?: { readonly head: Buffer; readonly tail: Buffer | undefined };
}

/** Reads an upper directory. Calls throw `RootfsError`. */
export interface UpperSource {
  /** Tells the root, then every entry, each directory before its content, names in byte order. */
  walk(onEntry: (entry: UpperEntry) => void): void;
  /** Tells every entry below a directory in the same way. */
  walkBelow(directory: BytePath, onEntry: (entry: UpperEntry) => void): void;
  /** One entry; undefined where nothing is there. */
  look(path: BytePath): UpperEntry | undefined;
  /** The same with the ends of its content, where they can be read. */
  lookInside(path: BytePath): UpperEntry | undefined;
  /** Names in a directory that stand for one of these inode numbers, latin1; none where it is no directory. */
  findNames(directory: BytePath, inodes: readonly bigint[]): string[];
  /** SHA-256 of a regular file, hex. ERR_ROOTFS_NOT_FOUND where another object has the place of the one that was seen. */
  hashFile(entry: UpperEntry): string;
  /** Parts of a regular file in one state of it, each shorter where the file ends; tried again where it changes meanwhile. Fails as `hashFile` does. */
  readParts(entry: UpperEntry, ranges: readonly FileRange[]): Buffer[];
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
const TAIL_OVERLAP_BYTES = 128;
/** Of the ends of a file that changes each time while it is read. */
const MAX_READS = 4;

/**
 * Which parts of a file are looked at: its first bytes, and its last ones where these are not all and it is no log. With an
 * overlap: what lies across the border is seen too.
 */
export function listEnds({ path, stat }: UpperEntry): FileRange[] {
  const head = { offset: 0, length: CONTENT_HEAD_BYTES };
  if (stat.size <= CONTENT_HEAD_BYTES || isLog(path)) return [head];
  const offset = Math.max(stat.size - CONTENT_HEAD_BYTES, CONTENT_HEAD_BYTES - TAIL_OVERLAP_BYTES);
  return [head, { offset, length: CONTENT_HEAD_BYTES }];
}

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
    this.walkBelow(ROOT, onEntry);
  }

  walkBelow(directory: BytePath, onEntry: (entry: UpperEntry) => void): void {
    const { maxEntries, maxDepth, maxPathBytes } = this.#limits;
    let pathBytes = 0;
    this.#root.walk(bytePathToBuffer(directory), { maxEntries, maxDepth, xattrs: XATTRS }, (batch) => {
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
    const found = this.#root.look(bytePathToBuffer(path), XATTRS);
    if (found === undefined) return undefined;
    const { stat, target, xattrs = {}, problem } = found;
    return { path, stat, target: target?.toString('latin1'), xattrs, problem };
  }

  lookInside(path: BytePath): UpperEntry | undefined {
    const wish = { bytes: CONTENT_HEAD_BYTES, overlap: TAIL_OVERLAP_BYTES, wantsTail: !isLog(path) };
    const found = this.#root.lookInside(bytePathToBuffer(path), XATTRS, wish);
    if (found === undefined) return undefined;
    const { stat, target, xattrs = {}, problem, head, tail } = found;
    const entry = { path, stat, target: target?.toString('latin1'), xattrs, problem };
    return head === undefined ? entry : { ...entry, ends: { head, tail } };
  }

  findNames(directory: BytePath, inodes: readonly bigint[]): string[] {
    try {
      const names = this.#root.listInodes(bytePathToBuffer(directory), inodes, this.#limits.maxEntries);
      return names.map((name) => name.toString('latin1'));
    } catch (error) {
      if (isMoved(error)) return [];
      throw error;
    }
  }

  hashFile({ path, stat }: UpperEntry): string {
    const hashed = this.#root.hashFile(bytePathToBuffer(path), { maxBytes: this.#limits.maxFileBytes });
    checkSame(stat, hashed.stat);
    return hashed.sha256.toString('hex');
  }

  readParts({ path, stat }: UpperEntry, ranges: readonly FileRange[]): Buffer[] {
    const bytes = ranges.reduce((sum, { length }) => sum + length, 0);
    for (let tries = 1; ; tries += 1) {
      try {
        const read = this.#root.readRanges(bytePathToBuffer(path), ranges, bytes);
        checkSame(stat, read.stat);
        return read.contents;
      } catch (error) {
        // A log that grows all the time stands still for long enough soon.
        if (!isChanged(error) || tries >= MAX_READS) throw error;
      }
    }
  }

  close(): void {
    this.#root.close();
  }
}

/** What was told of one object must not be decided by the content of another that has taken its path. */
function checkSame(seen: ObjectId, read: ObjectId): void {
  if (!isSameObject(seen, read)) throw new RootfsError('ERR_ROOTFS_NOT_FOUND', 'another entry has its place');
}

function isChanged(error: unknown): boolean {
  return error instanceof RootfsError && error.code === 'ERR_ROOTFS_CHANGED';
}

function isMoved(error: unknown): boolean {
  return error instanceof RootfsError && (error.code === 'ERR_ROOTFS_NOT_FOUND' || error.code === 'ERR_ROOTFS_TYPE');
}
