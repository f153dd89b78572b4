import { existsSync, readFileSync } from 'node:fs';
import { createRequire } from 'node:module';
import { dirname, join } from 'node:path';
import { RootfsError } from './rootfs-error.ts';

/** The native object behind a root. Arguments must have been checked; results are packed bytes. */
export interface NativeRoot {
  close(): void;
  lstat(path: Buffer): Buffer | undefined;
  /** One packed entry as a walk gives it, without a path. */
  look(path: Buffer, xattrs: readonly string[]): Buffer | undefined;
  /** Lengths of record, head and tail (u32 each, the largest for none), then these. */
  lookInside(
    path: Buffer,
    xattrs: readonly string[],
    bytes: number,
    overlap: number,
    wantsTail: boolean,
  ): Buffer | undefined;
  /** Of these inode numbers alone (u64 each) where they are given. */
  list(path: Buffer, maxEntries: number, inodes?: Buffer): Buffer;
  readLink(path: Buffer): Buffer;
  readFile(path: Buffer, maxBytes: number, offset: number, length: number): { content: Buffer; stat: Buffer };
  /** Offsets and lengths in turn. */
  readRanges(path: Buffer, ranges: readonly number[], maxBytes: number): { contents: Buffer[]; stat: Buffer };
  hashFile(path: Buffer, maxBytes: number): { sha256: Buffer; stat: Buffer };
  getXattr(path: Buffer, name: string): Buffer | undefined;
  listXattrs(path: Buffer): Buffer;
  measureVerity(path: Buffer): { algorithm: number; digest: Buffer } | undefined;
  startWalk(path: Buffer, options: NativeWalkOptions): NativeWalker;
  startSurvey(maxEntries: number, maxDepth: number, helpers: number): NativeSurvey;
  /** Suffixes and extensions each ended by NUL; without claims everything stays. */
  startSift(
    claims: NativeClaims | undefined,
    suffixes: Buffer,
    quiet: Buffer,
    minProgramBytes: number,
    magic: Buffer,
    minBytes: number,
    helpers: number,
  ): NativeSift;
  /** Paths each ended by NUL. */
  startReads(
    paths: Buffer,
    maxBytes: number,
    maxAllBytes: number,
    heads: boolean,
    helpers: number,
    endBytes: number,
  ): NativeReads;
  typesOf(paths: Buffer, helpers: number): Buffer;
  hashFilesAsync(paths: Buffer[], maxBytes: number): Promise<Buffer>;
}

export interface NativeWalkOptions {
  readonly maxEntries: number;
  readonly maxDepth: number;
  readonly xattrs: readonly string[];
  readonly hashFiles: boolean;
  readonly maxFileBytes: number;
}

export interface NativeWalker {
  /** The next batch of packed entries; undefined at the end. */
  next(): Buffer | undefined;
  nextAsync(): Promise<Buffer | undefined>;
  close(): void;
}

export interface NativeReads {
  /** Once. */
  take(): Buffer;
}

export interface NativeSurvey {
  /** The next packed directories; undefined at the end. */
  next(): Buffer | undefined;
  /** Paths each ended by NUL; undefined before the end, and where there are too many. */
  links(): Buffer | undefined;
  close(): void;
}

export interface NativeClaims {
  rename(from: string, to: string, exceptFor: string): void;
  addLines(list: Buffer, owner: number, listName: string): void;
  add(path: string, owner: number): void;
  isFull(): boolean;
  /** Paths each ended by NUL. */
  directories(): Buffer;
  /** Paths each ended by NUL, empty for none. */
  settle(real: Buffer): void;
  /** Paths each ended by NUL, as those of `settleLinked`, which takes one for each that this gives. */
  findLinked(links: Buffer): Buffer;
  settleLinked(real: Buffer): void;
  /** The directory without its leading slash. */
  find(directory: string, name: string): number | undefined;
  listedIn(directory: string, name: string): Buffer | undefined;
}

export interface NativeSift {
  take(batch: Buffer): Buffer;
  rest(): Buffer;
  heads(): Buffer;
}

export interface NativeWatch {
  add(directory: Buffer, id: number): void;
  remove(id: number): void;
  /** Paths each ended by NUL. */
  mute(id: number, paths: Buffer): void;
  unmute(id: number): void;
  close(): void;
}

/** Packed events of one batch; `errno` is set when the watch ended by itself. */
export type NativeBatchCallback = (events: Buffer, overflow: boolean, errno: number, syscall: string) => void;

export interface NativeCapability {
  readonly works: boolean;
  readonly detail: string;
}

interface Native {
  openRoot(path: Buffer, followParents: boolean): NativeRoot;
  watch(batchMs: number, onBatch: NativeBatchCallback): NativeWatch;
  createClaims(maxBytes: number): NativeClaims;
  hashBytes(bytes: Buffer): Buffer;
  /** Paths each ended by NUL. */
  readFiles(paths: Buffer, maxBytes: number): Buffer;
  setDeadline(milliseconds: number): void;
  lowerPriority(idle: boolean): void;
  capabilities(path: Buffer): Record<string, NativeCapability>;
}

const PACKAGE_NAME = '@holdfast/rootfs';
let loaded: Native | undefined;

/** Loads the native part at its first use. Throws `RootfsError` ERR_ROOTFS_NATIVE with what to do. */
export function loadNative(): Native {
  loaded ??= requireNative();
  return loaded;
}

function requireNative(): Native {
  if (process.platform !== 'linux') throw new RootfsError('ERR_ROOTFS_NATIVE', 'the native part works on Linux only');
  const file = join(findPackage(import.meta.dirname), 'build/Release/rootfs.node');
  if (!existsSync(file)) {
    throw new RootfsError('ERR_ROOTFS_NATIVE', `${file} is not built: run native/rootfs/scripts/build`);
  }
  try {
    const native: Native = createRequire(import.meta.url)(file);
    return native;
  } catch (cause) {
    throw new RootfsError(
      'ERR_ROOTFS_NATIVE',
      `${file} does not load (${String(cause)}): run native/rootfs/scripts/build`,
      { cause },
    );
  }
}

/** The compiled copy of this file lies elsewhere, beside another or no package.json: walk up until the name fits. */
function findPackage(start: string): string {
  for (let directory = start; ; directory = dirname(directory)) {
    for (const candidate of [
      directory,
      join(directory, 'native/rootfs'),
      join(directory, 'node_modules', PACKAGE_NAME),
    ]) {
      if (isPackage(join(candidate, 'package.json'))) return candidate;
    }
    if (directory === dirname(directory)) break;
  }
  throw new RootfsError('ERR_ROOTFS_NATIVE', `no package ${PACKAGE_NAME} is found above ${start}`);
}

function isPackage(file: string): boolean {
  if (!existsSync(file)) return false;
  const manifest: unknown = JSON.parse(readFileSync(file, 'utf8'));
  return typeof manifest === 'object' && manifest !== null && 'name' in manifest && manifest.name === PACKAGE_NAME;
}
