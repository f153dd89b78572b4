import { createHash, type Hash } from 'node:crypto';
import { openRoot, type WalkEntry } from '@holdfast/rootfs';

/** Limits of a walk over an unpacked layer; PATH_MAX bounds the depth that can be unpacked at all. */
export const LAYER_WALK_LIMITS = { maxEntries: 2_000_000, maxDepth: 2048 } as const;

/**
 * Digest (hex) of a walk over path, inode, ctime, size, mode, owner and device of every entry. Reads no file content.
 * Equal fingerprints mean that the kernel saw no change in between: ctime cannot be set back without changing the clock.
 *
 * Throws `RootfsError` when the directory cannot be read or passes a limit.
 */
export function fingerprintDirectory(directory: string): string {
  const fingerprint = new Fingerprint();
  using root = openRoot(directory, { parentLinks: 'refuse' });
  root.walk(Buffer.alloc(0), LAYER_WALK_LIMITS, (entries) => {
    for (const entry of entries) fingerprint.add(entry);
  });
  return fingerprint.finish();
}

/** The same digest, made beside a walk that somebody else does. */
export class Fingerprint {
  readonly #hash: Hash = createHash('sha256').update('holdfast-layer-fingerprint-v1\0');

  /** A path holds no NUL, so that it ends the record's only part of free length. */
  add(entry: WalkEntry): void {
    const { stat } = entry;
    const { devMajor, devMinor, rdevMajor, rdevMinor, ino, ctimeNs, size, mode, uid, gid, type } = stat;
    this.#hash.update(entry.path);
    this.#hash.update(
      `\0${type} ${devMajor}:${devMinor} ${ino} ${ctimeNs} ${size} ${mode} ${uid} ${gid} ${rdevMajor}:${rdevMinor}\0`,
    );
  }

  finish(): string {
    return this.#hash.digest('hex');
  }
}
