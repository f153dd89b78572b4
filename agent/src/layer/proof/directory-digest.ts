import { createHash, type Hash } from 'node:crypto';
import { openRoot, type WalkEntry } from '@holdfast/rootfs';
import { WALKED_XATTRS } from './compared-xattrs.ts';
import { Fingerprint, LAYER_WALK_LIMITS } from './fingerprint-directory.ts';

/** Largest file of a layer that is hashed. */
export const MAX_LAYER_FILE_BYTES = 64 * 1024 ** 3;

/** What a walk over a directory is held against later. */
export interface DirectoryDigest {
  /** As of `fingerprintDirectory`. */
  readonly fingerprint: string;
  /** Hex digest over path, type, mode, owner, size, target, device, compared attributes and SHA-256 of every entry. */
  readonly content: string;
}

/**
 * Reads an unpacked layer again, file content too, without its blob: equal to the digest that `proveLayer` gave for the
 * directory, it is still what was proven, whatever happened to clock and times.
 *
 * An entry that changes meanwhile gives another digest. Throws `RootfsError` when the directory cannot be read or passes
 * a limit.
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
