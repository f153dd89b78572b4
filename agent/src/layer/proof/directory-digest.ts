import { createHash, type Hash } from 'node:crypto';
import { openRoot, type WalkEntry } from '@holdfast/rootfs';
import { WALKED_XATTRS } from './compare-attributes.ts';

/** Limits of a walk over an unpacked layer; PATH_MAX bounds the depth that can be unpacked at all. */
export const LAYER_WALK_LIMITS = { maxEntries: 2_000_000, maxDepth: 2048 } as const;

/** Largest file of a layer that is hashed. */
export const MAX_LAYER_FILE_BYTES = 64 * 1024 ** 3;

export interface DirectoryDigest {
  /** As of `fingerprintDirectory`. */
  readonly fingerprint: string;
  /** Hex digest over path, type, mode, owner, size, target, device, compared attributes and SHA-256 of every entry. */
  readonly content: string;
}

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

/**
 * Reads an unpacked layer again, file content too, without its blob: equal to the digest that `proveLayer` gave for the
 * directory, it is still what was proven, whatever happened to clock and times.
 *
 * Throws `RootfsError` when the directory cannot be read, passes a limit or changes meanwhile.
 */
export function digestDirectory(directory: string): DirectoryDigest {
  const digest = new DirectoryDigester();
  using root = openRoot(directory, { parentLinks: 'refuse' });
  const options = { ...LAYER_WALK_LIMITS, xattrs: WALKED_XATTRS, hashFiles: true, maxFileBytes: MAX_LAYER_FILE_BYTES };
  root.walk(Buffer.alloc(0), options, (entries) => {
    for (const entry of entries) digest.add(entry);
  });
  return digest.finish();
}

/** Both digests of a directory, made beside a walk. */
export class DirectoryDigester {
  readonly #fingerprint = new Fingerprint();
  readonly #content: Hash = createHash('sha256').update('holdfast-layer-content-v1\0');

  /** Every part of free length ends with NUL, holds none, or has its length before it. */
  add(entry: WalkEntry): void {
    this.#fingerprint.add(entry);
    const { type, mode, uid, gid, size, rdevMajor, rdevMinor } = entry.stat;
    const xattrs = Object.entries(entry.xattrs ?? {}).map(([name, value]) => `${name}\0${value.toString('hex')}\0`);
    const length = type === 'file' ? size : 0;
    this.#content.update(entry.path);
    this.#content.update(
      `\0${type} ${mode} ${uid} ${gid} ${length} ${rdevMajor}:${rdevMinor} ${entry.problem ?? ''} ${xattrs.length}\0${xattrs.sort().join('')}`,
    );
    if (entry.target !== undefined) this.#content.update(entry.target).update('\0');
    if (entry.sha256 !== undefined) this.#content.update(entry.sha256);
  }

  finish(): DirectoryDigest {
    return { fingerprint: this.#fingerprint.finish(), content: this.#content.digest('hex') };
  }
}

class Fingerprint {
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
