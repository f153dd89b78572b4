import { EvidenceError } from '../evidence-error.ts';
import { toBuffer } from './base64url.ts';

export type Endianness = 'big' | 'little';

/**
 * Reads foreign binary structures from front to back and never past the end.
 *
 * Every method throws `EvidenceError` ERR_EVIDENCE_MALFORMED when too few bytes are left. Slices share memory with the
 * input.
 */
export class BinaryReader {
  readonly #bytes: Buffer;
  readonly #isBig: boolean;
  readonly #what: string;
  #at = 0;

  /** `what` names the structure in error messages. */
  constructor(bytes: Uint8Array, endianness: Endianness, what: string) {
    this.#bytes = toBuffer(bytes);
    this.#isBig = endianness === 'big';
    this.#what = what;
  }

  get offset(): number {
    return this.#at;
  }

  get remaining(): number {
    return this.#bytes.length - this.#at;
  }

  u8(): number {
    return this.#bytes.readUInt8(this.#advance(1));
  }

  u16(): number {
    const at = this.#advance(2);
    return this.#isBig ? this.#bytes.readUInt16BE(at) : this.#bytes.readUInt16LE(at);
  }

  u32(): number {
    const at = this.#advance(4);
    return this.#isBig ? this.#bytes.readUInt32BE(at) : this.#bytes.readUInt32LE(at);
  }

  u64(): bigint {
    const at = this.#advance(8);
    return this.#isBig ? this.#bytes.readBigUInt64BE(at) : this.#bytes.readBigUInt64LE(at);
  }

  take(length: number): Buffer {
    const at = this.#advance(length);
    return this.#bytes.subarray(at, at + length);
  }

  /** A 16-bit length and that many bytes, at most `maxBytes`: a TPM2B. */
  sized16(maxBytes: number): Buffer {
    const length = this.u16();
    if (length > maxBytes) throw this.malformed(`field of ${length} bytes is longer than ${maxBytes}`);
    return this.take(length);
  }

  /** Whether nothing but zero bytes is left. */
  isZeroFilled(): boolean {
    return this.#bytes[this.#at] === 0 && this.#bytes.subarray(this.#at).every((byte) => byte === 0);
  }

  /** Refuses bytes that are left over. */
  end(): void {
    if (this.remaining !== 0) throw this.malformed(`${this.remaining} bytes left over`);
  }

  /** The error for a value that this structure must not hold; the caller throws it. */
  malformed(reason: string): EvidenceError {
    return new EvidenceError('ERR_EVIDENCE_MALFORMED', `${this.#what}: ${reason} (offset ${this.#at})`);
  }

  #advance(length: number): number {
    const at = this.#at;
    if (length < 0 || length > this.#bytes.length - at) {
      throw this.malformed(`needs ${length} bytes, ${this.#bytes.length - at} are left`);
    }
    this.#at = at + length;
    return at;
  }
}
