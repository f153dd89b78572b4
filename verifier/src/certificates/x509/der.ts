/** One value of a DER encoding: its tag byte, what it holds, and both with the length between them. */
export interface DerValue {
  readonly tag: number;
  readonly content: Buffer;
  readonly encoded: Buffer;
}

export const DER = {
  boolean: 0x01,
  integer: 0x02,
  bitString: 0x03,
  octetString: 0x04,
  oid: 0x06,
  sequence: 0x30,
  set: 0x31,
} as const;

/** Bytes that are no such encoding. Caught where a certificate is parsed. */
export class DerError extends Error {
  override readonly name = 'DerError';
}

const MAX_LENGTH_BYTES = 4;

/**
 * Reads the value at the start; what follows is left. Lengths longer than they need be are taken, since TPM makers write
 * them; those without an end, and tags of several bytes, are not. Throws `DerError`.
 */
export function readDer(bytes: Buffer): DerValue {
  const [tag, first] = bytes;
  if (tag === undefined || first === undefined) throw new DerError('a value is cut off');
  if ((tag & 0x1f) === 0x1f) throw new DerError('a tag has several bytes');
  const { start, size } = readLength(bytes, first);
  if (size > bytes.length - start) throw new DerError('a value is cut off');
  return { tag, content: bytes.subarray(start, start + size), encoded: bytes.subarray(0, start + size) };
}

function readLength(bytes: Buffer, first: number): { start: number; size: number } {
  if (first < 0x80) return { start: 2, size: first };
  const count = first & 0x7f;
  if (count === 0 || count > MAX_LENGTH_BYTES || bytes.length < 2 + count) throw new DerError('a length is no length');
  return { start: 2 + count, size: bytes.readUIntBE(2, count) };
}

/** Reads values one after another up to the end; at most `max`. Throws `DerError`. */
export function listDer(bytes: Buffer, max = 256): DerValue[] {
  const values: DerValue[] = [];
  for (let rest = bytes; rest.length > 0; ) {
    if (values.length === max) throw new DerError('there are too many values');
    const value = readDer(rest);
    values.push(value);
    rest = rest.subarray(value.encoded.length);
  }
  return values;
}

/** The values of a constructed one with this tag. Throws `DerError` where it has another. */
export function openDer(value: DerValue | undefined, tag: number = DER.sequence): DerValue[] {
  return listDer(expectDer(value, tag));
}

/** What a value with this tag holds. Throws `DerError` where it has another. */
export function expectDer(value: DerValue | undefined, tag: number): Buffer {
  if (value?.tag !== tag) throw new DerError(`a value with the tag ${tag} is missing`);
  return value.content;
}

/** An object identifier in dots. Throws `DerError`. */
export function readOid(value: DerValue | undefined): string {
  const content = expectDer(value, DER.oid);
  if (content.length === 0 || content.length > 64) throw new DerError('an object identifier is too long or empty');
  const arcs: bigint[] = [];
  let arc = 0n;
  for (const byte of content) {
    arc = (arc << 7n) | BigInt(byte & 0x7f);
    if ((byte & 0x80) !== 0) continue;
    arcs.push(arc);
    arc = 0n;
  }
  const [first = 0n, ...rest] = arcs;
  const root = first < 80n ? first / 40n : 2n;
  return [root, first - root * 40n, ...rest].join('.');
}

/** Bits of a named bit list, the first one highest: bit `n` is set when `isSet(n)`. Throws `DerError`. */
export function readBits(value: DerValue | undefined): (bit: number) => boolean {
  const content = expectDer(value, DER.bitString).subarray(1);
  return (bit) => ((content[bit >> 3] ?? 0) & (0x80 >> (bit & 7))) !== 0;
}

/** Content of a bit string of whole bytes. Throws `DerError`. */
export function readBitBytes(value: DerValue | undefined): Buffer {
  const content = expectDer(value, DER.bitString);
  if (content[0] !== 0) throw new DerError('a bit string does not end with a byte');
  return content.subarray(1);
}

/** Encodes a value; for what has to be built anew. */
export function encodeDer(tag: number, ...parts: readonly Buffer[]): Buffer {
  const content = Buffer.concat(parts);
  const size = content.length;
  if (size < 0x80) return Buffer.concat([Buffer.of(tag, size), content]);
  const length = Buffer.alloc(4);
  length.writeUInt32BE(size);
  const minimal = length.subarray(length.findIndex((byte) => byte !== 0));
  return Buffer.concat([Buffer.of(tag, 0x80 | minimal.length), minimal, content]);
}
