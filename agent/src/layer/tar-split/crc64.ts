const POLYNOMIAL_HIGH = 0xd8000000;
const HIGH = new Uint32Array(256);
const LOW = new Uint32Array(256);

for (let index = 0; index < 256; index += 1) {
  let [high, low] = [0, index];
  for (let bit = 0; bit < 8; bit += 1) {
    const isOdd = (low & 1) === 1;
    low = (low >>> 1) | ((high & 1) << 31);
    high = (high >>> 1) ^ (isOdd ? POLYNOMIAL_HIGH : 0);
  }
  HIGH[index] = high;
  LOW[index] = low;
}

/** CRC-64 of ISO 3309 as Go's hash/crc64 counts it: what tar-split keeps of each file. Guards against accidents only. */
export class Crc64 {
  #high = 0xffffffff;
  #low = 0xffffffff;

  update(bytes: Uint8Array): void {
    let [high, low] = [this.#high, this.#low];
    for (const byte of bytes) {
      const row = (low ^ byte) & 0xff;
      low = ((low >>> 8) | (high << 24)) ^ (LOW[row] ?? 0);
      high = (high >>> 8) ^ (HIGH[row] ?? 0);
    }
    this.#high = high >>> 0;
    this.#low = low >>> 0;
  }

  /** Eight bytes, the highest first. */
  digest(): Buffer {
    const bytes = Buffer.alloc(8);
    bytes.writeUInt32BE(~this.#high >>> 0, 0);
    bytes.writeUInt32BE(~this.#low >>> 0, 4);
    return bytes;
  }
}
