import { createHash } from 'node:crypto';
import { closeSync, constants, fstatSync, openSync, readSync } from 'node:fs';

const MAX_KNOWN = 16_384;
const CHUNK_BYTES = 512 * 1024;
const NS_PER_MS = 1_000_000n;
const UNSETTLED_NS = 1_000n * NS_PER_MS;

/** What an answer is remembered by. */
export interface HashedFile {
  readonly key: string;
  readonly ctimeNs: bigint;
  readonly isRestless: boolean;
}

/**
 * Hashes files and remembers the answers by what names their content: device, inode number, ctime and size. A file that
 * changed a moment ago may change once more without any of them moving: of it nothing is remembered. The oldest are
 * forgotten. For use in a worker thread.
 */
export class FileHasher {
  readonly #nowMs: () => number;
  readonly #known = new Map<string, string>();
  readonly #chunk = Buffer.allocUnsafeSlow(CHUNK_BYTES);

  /** `nowMs`: the clock that file systems go by. */
  constructor(nowMs: () => number) {
    this.#nowMs = nowMs;
  }

  /**
   * SHA-256, hex, of a regular file that a descriptor of this process holds. Undefined where it is none, cannot be read, is
   * larger than `maxBytes` or grows beyond. A restless one is read whatever its times say.
   */
  hashHeld(path: string, maxBytes: number, isRestless: boolean): string | undefined {
    return attempt(() => {
      const fd = openSync(path, constants.O_RDONLY | constants.O_NONBLOCK | constants.O_NOCTTY);
      try {
        const stat = fstatSync(fd, { bigint: true });
        if (!stat.isFile() || stat.size > BigInt(maxBytes)) return undefined;
        const key = `${stat.dev} ${stat.ino} ${stat.ctimeNs} ${stat.size}`;
        return this.recall({ key, ctimeNs: stat.ctimeNs, isRestless }, () => this.#hashAll(fd, maxBytes));
      } finally {
        closeSync(fd);
      }
    });
  }

  /** The answer that is known for a key, else the one that `hash` gives. */
  recall({ key, ctimeNs, isRestless }: HashedFile, hash: () => string | undefined): string | undefined {
    const known = isRestless ? undefined : this.#known.get(key);
    if (known !== undefined) return known;
    const isSettled = BigInt(Math.trunc(this.#nowMs())) * NS_PER_MS - ctimeNs > UNSETTLED_NS;
    const sha256 = hash();
    if (sha256 === undefined || isRestless || !isSettled) return sha256;
    const oldest = this.#known.size < MAX_KNOWN ? undefined : this.#known.keys().next().value;
    if (oldest !== undefined) this.#known.delete(oldest);
    this.#known.set(key, sha256);
    return sha256;
  }

  #hashAll(fd: number, maxBytes: number): string | undefined {
    const hash = createHash('sha256');
    for (let at = 0; at <= maxBytes; ) {
      const got = readSync(fd, this.#chunk, 0, CHUNK_BYTES, at);
      if (got === 0) return hash.digest('hex');
      hash.update(this.#chunk.subarray(0, got));
      at += got;
    }
    return undefined;
  }
}

/** The answer, or undefined where the operating system refuses: a process or file may go at any time. */
export function attempt<T>(read: () => T): T | undefined {
  try {
    return read();
  } catch (error) {
    if (error instanceof Error && 'syscall' in error) return undefined;
    throw error;
  }
}
