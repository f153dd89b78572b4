import { createHash, type Hash, hash } from 'node:crypto';

const ZEROS = Buffer.alloc(64 * 1024);
const EMPTY = hash('sha256', '', 'buffer').toString('latin1');

/** SHA-256 of one file of a tar as its data stream by; what no piece covers are zeros. */
export class FileHasher {
  readonly #size: number;
  #at = 0;
  #hash: Hash | undefined;
  #whole: string | undefined;

  constructor(size: number) {
    this.#size = size;
  }

  push(chunk: Buffer, offset: number): void {
    // Most files come in one piece, and hashing that at once costs half.
    if (offset === 0 && chunk.length === this.#size) {
      this.#whole = hash('sha256', chunk, 'buffer').toString('latin1');
      return;
    }
    this.#hash ??= createHash('sha256');
    this.#pushZeros(this.#hash, offset);
    this.#hash.update(chunk);
    this.#at = offset + chunk.length;
  }

  /** The digest's bytes as latin1. */
  finish(): string {
    if (this.#whole !== undefined) return this.#whole;
    if (this.#size === 0) return EMPTY;
    const hasher = this.#hash ?? createHash('sha256');
    this.#pushZeros(hasher, this.#size);
    return hasher.digest().toString('latin1');
  }

  #pushZeros(into: Hash, until: number): void {
    for (; this.#at < until; this.#at += Math.min(ZEROS.length, until - this.#at)) {
      into.update(ZEROS.subarray(0, Math.min(ZEROS.length, until - this.#at)));
    }
  }
}
