/** What an entry of a file system is. */
export type EntryType = 'file' | 'directory' | 'symlink' | 'char' | 'block' | 'fifo' | 'socket';

/** The answer of statx for the entry itself; a symbolic link is never followed. */
export interface RootStat {
  readonly type: EntryType;
  /** Permission bits, setuid, setgid and sticky among them: 0 to 0o7777. */
  readonly mode: number;
  readonly uid: number;
  readonly gid: number;
  /** Bytes. Above 2^53 only the order of magnitude is right. */
  readonly size: number;
  readonly nlink: number;
  readonly ino: bigint;
  readonly devMajor: number;
  readonly devMinor: number;
  readonly rdevMajor: number;
  readonly rdevMinor: number;
  /** Nanoseconds since 1970. Set by whoever owns the file: no evidence of anything. */
  readonly mtimeNs: bigint;
  /** Nanoseconds since 1970 by the host's clock at the last change of content or attributes. */
  readonly ctimeNs: bigint;
  /** Allocated units of 512 bytes. */
  readonly blocks: bigint;
  /** Nanoseconds since 1970 when the file system made the inode; 0 where it does not say. Tells a number that is used again. */
  readonly birthNs: bigint;
}

/** Bytes of one packed stat record, as native/stat-record.h lays it out. */
export const STAT_BYTES = 80;

const TYPES: readonly EntryType[] = ['file', 'directory', 'symlink', 'char', 'block', 'fifo', 'socket'];

/** Decodes one packed stat record of the native part at `at`. Throws `TypeError` for bytes that it cannot have made. */
export function decodeStat(bytes: Buffer, at: number): RootStat {
  const type = TYPES[bytes.readUInt8(at)];
  if (type === undefined) throw new TypeError('unknown entry type in a stat record');
  return {
    type,
    mode: bytes.readUInt16LE(at + 2),
    uid: bytes.readUInt32LE(at + 4),
    gid: bytes.readUInt32LE(at + 8),
    nlink: bytes.readUInt32LE(at + 12),
    size: bytes.readUInt32LE(at + 16) + bytes.readUInt32LE(at + 20) * 2 ** 32,
    ino: bytes.readBigUInt64LE(at + 24),
    devMajor: bytes.readUInt32LE(at + 32),
    devMinor: bytes.readUInt32LE(at + 36),
    rdevMajor: bytes.readUInt32LE(at + 40),
    rdevMinor: bytes.readUInt32LE(at + 44),
    mtimeNs: bytes.readBigInt64LE(at + 48),
    ctimeNs: bytes.readBigInt64LE(at + 56),
    blocks: bytes.readBigUInt64LE(at + 64),
    birthNs: bytes.readBigInt64LE(at + 72),
  };
}
