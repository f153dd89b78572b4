import { createHash, type Hash } from 'node:crypto';
import { RootfsError, type RootHandle } from '@holdfast/rootfs';

const WINDOW_BYTES = 1024 * 1024;
const ZEROS = Buffer.alloc(64 * 1024);

/** Which version of a file on disk was looked at. */
export interface FileVersion {
  readonly ino: bigint;
  readonly ctimeNs: bigint;
}

/** What the comparison of one file found. */
export interface FileVerdict {
  /** Path on disk that was compared. */
  readonly path: Buffer;
  readonly matches: boolean;
  /** SHA-256 (hex) of the file in the tar; only known where it does not match. */
  readonly expectedSha256: string | undefined;
  /** Undefined where no regular file lay at the path. */
  readonly version: FileVersion | undefined;
  /** The file on disk moved under the comparison. */
  readonly changed: boolean;
}

/**
 * Compares a file of the tar with the one on disk while the tar streams by, byte for byte: no hash of either is needed
 * as long as they agree. From the first piece that differs on, hashes the tar's side, seeded with what agreed before.
 */
export class FileComparer {
  readonly #root: RootHandle;
  readonly #path: Buffer;
  readonly #size: number;
  #at = 0;
  #window: Buffer = Buffer.alloc(0);
  #windowStart = 0;
  #version: FileVersion | undefined;
  #changed = false;
  #hash: Hash | undefined;

  constructor(root: RootHandle, path: Buffer, size: number) {
    this.#root = root;
    this.#path = path;
    this.#size = size;
  }

  /** Takes the next stored piece; what lies between the pieces are zeros. */
  push(chunk: Buffer, offset: number): void {
    this.#pushZeros(offset);
    this.#pushBytes(chunk);
  }

  finish(): FileVerdict {
    this.#pushZeros(this.#size);
    return {
      path: this.#path,
      matches: this.#hash === undefined && !this.#changed,
      expectedSha256: this.#changed ? undefined : this.#hash?.digest('hex'),
      version: this.#version,
      changed: this.#changed,
    };
  }

  #pushZeros(until: number): void {
    while (this.#at < until && !this.#changed) {
      this.#pushBytes(ZEROS.subarray(0, Math.min(ZEROS.length, until - this.#at)));
    }
  }

  #pushBytes(bytes: Buffer): void {
    if (this.#changed) return;
    if (this.#hash === undefined && !this.#equalsDisk(bytes)) this.#hash = this.#startHash();
    this.#hash?.update(bytes);
    this.#at += bytes.length;
  }

  #equalsDisk(bytes: Buffer): boolean {
    let done = 0;
    while (done < bytes.length) {
      const at = this.#at + done;
      if (!this.#loadWindow(at)) return false;
      const start = at - this.#windowStart;
      const length = Math.min(this.#window.length - start, bytes.length - done);
      if (this.#window.compare(bytes, done, done + length, start, start + length) !== 0) return false;
      done += length;
    }
    return true;
  }

  /** Makes sure that the window holds the byte at `at`; false where the file on disk has none. */
  #loadWindow(at: number): boolean {
    if (at >= this.#windowStart && at < this.#windowStart + this.#window.length) return true;
    const read = this.#readDisk(at);
    if (read === undefined || read.length === 0) return false;
    this.#window = read;
    this.#windowStart = at;
    return true;
  }

  #readDisk(offset: number): Buffer | undefined {
    try {
      const part = { maxBytes: WINDOW_BYTES, offset, length: WINDOW_BYTES };
      const { content, stat } = this.#root.readFile(this.#path, part);
      const known = this.#version;
      if (known !== undefined && (known.ino !== stat.ino || known.ctimeNs !== stat.ctimeNs)) this.#changed = true;
      this.#version = { ino: stat.ino, ctimeNs: stat.ctimeNs };
      return stat.size === this.#size ? content : undefined;
    } catch (error) {
      if (!(error instanceof RootfsError)) throw error;
      if (error.code === 'ERR_ROOTFS_CHANGED') this.#changed = true;
      else if (error.code !== 'ERR_ROOTFS_NOT_FOUND' && error.code !== 'ERR_ROOTFS_TYPE') throw error;
      else if (this.#version !== undefined) this.#changed = true;
      return undefined;
    }
  }

  /** All pieces before this one agreed with the disk, so its bytes stand for the tar's. */
  #startHash(): Hash {
    const hash = createHash('sha256');
    for (let at = 0; at < this.#at && !this.#changed; ) {
      const read = this.#readDisk(at)?.subarray(0, this.#at - at);
      if (read === undefined || read.length === 0) {
        this.#changed = true;
        break;
      }
      hash.update(read);
      at += read.length;
    }
    return hash;
  }
}
