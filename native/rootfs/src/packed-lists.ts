import { decodeStat, type RootStat, STAT_BYTES } from './root-stat.ts';
import { RootfsError, type RootfsErrorCode } from './rootfs-error.ts';

/** Digest and stat of one file, or why there is none. */
export type HashOutcome = { readonly sha256: Buffer; readonly stat: RootStat } | { readonly error: RootfsError };

/** The native part's error numbers, in the order of native/status.h. */
const NATIVE_CODES: readonly RootfsErrorCode[] = [
  'ERR_ROOTFS_SYSTEM',
  'ERR_ROOTFS_LIMIT',
  'ERR_ROOTFS_CHANGED',
  'ERR_ROOTFS_ESCAPE',
  'ERR_ROOTFS_NOT_FOUND',
  'ERR_ROOTFS_TYPE',
  'ERR_ROOTFS_UNSUPPORTED',
  'ERR_ROOTFS_CLOSED',
];
const HASH_BYTES = 8 + STAT_BYTES + 32;

/** Decodes names packed as length (u16) and bytes. They share the packed memory. */
export function decodeNames(packed: Buffer): Buffer[] {
  const names: Buffer[] = [];
  let at = 0;
  while (at < packed.length) {
    const end = at + 2 + packed.readUInt16LE(at);
    if (end > packed.length) throw new TypeError('a name list has a wrong length');
    names.push(packed.subarray(at + 2, end));
    at = end;
  }
  return names;
}

/** Decodes the outcomes of `hashFilesAsync`: status (u8, 0 = good, else code + 1), errno (u32 at 4), stat, digest. */
export function decodeHashes(packed: Buffer): HashOutcome[] {
  const outcomes: HashOutcome[] = [];
  for (let at = 0; at < packed.length; at += HASH_BYTES) {
    const status = packed.readUInt8(at);
    if (status === 0) {
      const digestAt = at + 8 + STAT_BYTES;
      outcomes.push({ sha256: packed.subarray(digestAt, digestAt + 32), stat: decodeStat(packed, at + 8) });
      continue;
    }
    const code = NATIVE_CODES[status - 1] ?? 'ERR_ROOTFS_SYSTEM';
    const errno = packed.readUInt32LE(at + 4);
    const error = new RootfsError(code, 'file not hashed', { errno: errno === 0 ? undefined : errno });
    outcomes.push({ error });
  }
  return outcomes;
}
