import { decodeStat, type RootStat, STAT_BYTES } from './root-stat.ts';

/** Limits and wishes of a walk. Every limit that is hit throws ERR_ROOTFS_LIMIT: a shortened walk never looks whole. */
export interface WalkOptions {
  /** Entries in all, 1 or more. Counted while directories are read, so that memory stays bounded. */
  readonly maxEntries: number;
  /** Deepest entry allowed; entries of the start directory have depth 1. Paths beyond 64 KiB are a limit too. */
  readonly maxDepth: number;
  /** Extended attributes to read: names, or prefixes with a final `*`. A trusted.* name needs CAP_SYS_ADMIN or throws ERR_ROOTFS_UNSUPPORTED. */
  readonly xattrs?: readonly string[];
  /** Hash the content of regular files; needs `maxFileBytes`. */
  readonly hashFiles?: boolean;
  /** Files above this size are not hashed and say `limit`. */
  readonly maxFileBytes?: number;
}

/**
 * Why a part of an entry is missing. `changed`: the entry moved under each of several tries. `limit`: the file is larger
 * than `maxFileBytes`. `mount`: another file system is mounted there; `stat` is that of the mount and nothing in it was
 * read. `unreadable`: the kernel refused.
 */
export type WalkProblem = 'changed' | 'limit' | 'mount' | 'unreadable';

/** One entry of a tree, as found. Foreign data. */
export interface WalkEntry {
  /** Bytes relative to the root of the handle, no leading slash. */
  readonly path: Buffer;
  readonly stat: RootStat;
  /** Of a symbolic link. */
  readonly target?: Buffer;
  /** Those asked for that are set. Present, if empty, whenever attributes were asked for and could be read. */
  readonly xattrs?: Readonly<Record<string, Buffer>>;
  /** Of a regular file's content, when asked for; `stat` was the same before and after. */
  readonly sha256?: Buffer;
  readonly problem?: WalkProblem;
}

const PROBLEMS: readonly (WalkProblem | undefined)[] = [undefined, 'changed', 'limit', 'mount', 'unreadable'];
const HAS_TARGET = 1;
const HAS_SHA256 = 2;
const HAS_XATTRS = 4;
const HEAD_BYTES = STAT_BYTES + 12;

/** The problem that a number of the native part stands for; none for 0. */
export function decodeProblem(number: number): WalkProblem | undefined {
  return PROBLEMS[number];
}

/** Decodes a batch of packed entries. All buffers of an entry share the batch's memory. */
export function decodeWalkBatch(batch: Buffer): WalkEntry[] {
  const entries: WalkEntry[] = [];
  let at = 0;
  while (at < batch.length) {
    const end = at + batch.readUInt32LE(at);
    if (end <= at || end > batch.length) throw new TypeError('a walk batch has a wrong record length');
    entries.push(decodeEntry(batch, at + 4, end));
    at = end;
  }
  return entries;
}

function decodeEntry(batch: Buffer, start: number, end: number): WalkEntry {
  const stat = decodeStat(batch, start);
  const problem = decodeProblem(batch.readUInt8(start + STAT_BYTES));
  const flags = batch.readUInt8(start + STAT_BYTES + 1);
  let at = start + HEAD_BYTES;
  const take = (bytes: number): Buffer => {
    if (at + bytes > end) throw new TypeError('a walk batch has a wrong field length');
    at += bytes;
    return batch.subarray(at - bytes, at);
  };
  const entry: { -readonly [K in keyof WalkEntry]: WalkEntry[K] } = {
    path: take(batch.readUInt32LE(start + STAT_BYTES + 4)),
    stat,
  };
  const target = take(batch.readUInt32LE(start + STAT_BYTES + 8));
  if ((flags & HAS_TARGET) !== 0) entry.target = target;
  if ((flags & HAS_SHA256) !== 0) entry.sha256 = take(32);
  if ((flags & HAS_XATTRS) !== 0) entry.xattrs = decodeXattrs(take, batch.readUInt16LE(start + STAT_BYTES + 2));
  if (problem !== undefined) entry.problem = problem;
  return entry;
}

function decodeXattrs(take: (bytes: number) => Buffer, count: number): Record<string, Buffer> {
  const xattrs: Record<string, Buffer> = Object.create(null);
  for (let index = 0; index < count; index += 1) {
    const nameBytes = take(2).readUInt16LE(0);
    const valueBytes = take(4).readUInt32LE(0);
    const name = take(nameBytes).toString('latin1');
    xattrs[name] = take(valueBytes);
  }
  return xattrs;
}
