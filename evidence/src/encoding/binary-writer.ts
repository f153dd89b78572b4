import { toBuffer } from './base64url.ts';

/** Builds big-endian structures, as TPM 2.0 has them. Values out of range are the caller's `RangeError`. */
export class BinaryWriter {
  readonly #parts: Buffer[] = [];

  u8(value: number): this {
    return this.bytes(Buffer.of(value));
  }

  u16(value: number): this {
    const part = Buffer.alloc(2);
    part.writeUInt16BE(value);
    return this.bytes(part);
  }

  u32(value: number): this {
    const part = Buffer.alloc(4);
    part.writeUInt32BE(value);
    return this.bytes(part);
  }

  bytes(value: Uint8Array): this {
    this.#parts.push(toBuffer(value));
    return this;
  }

  /** A 16-bit length and the bytes: a TPM2B. */
  sized16(value: Uint8Array): this {
    return this.u16(value.length).bytes(value);
  }

  /** A 32-bit length and the bytes. */
  sized32(value: Uint8Array): this {
    return this.u32(value.length).bytes(value);
  }

  finish(): Buffer {
    return Buffer.concat(this.#parts);
  }
}
