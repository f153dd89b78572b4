import { BinaryReader } from '@holdfast/evidence';

const SEQUENCE = 0x30;
const INTEGER = 0x02;
/** Longest number of P-384 with the zero in front that keeps it positive. */
const MAX_NUMBER_BYTES = 49;

/**
 * Parses an ECDSA signature in DER (RFC 3279, 2.2.3): two positive numbers, each in its shortest form, and nothing else.
 *
 * Throws `EvidenceError` ERR_EVIDENCE_MALFORMED.
 */
export function parseDerSignature(bytes: Buffer): { r: Buffer; s: Buffer } {
  const reader = new BinaryReader(bytes, 'big', 'DER signature');
  if (reader.u8() !== SEQUENCE || reader.u8() !== reader.remaining) throw reader.malformed('not one sequence');
  const r = readNumber(reader);
  const s = readNumber(reader);
  reader.end();
  return { r, s };
}

function readNumber(reader: BinaryReader): Buffer {
  if (reader.u8() !== INTEGER) throw reader.malformed('not a number');
  const length = reader.u8();
  if (length === 0 || length > MAX_NUMBER_BYTES) throw reader.malformed('number of no possible length');
  const number = reader.take(length);
  const [first = 0, second = 0x80] = number;
  if (first >= 0x80 || (first === 0 && second < 0x80)) throw reader.malformed('number is negative or padded');
  return first === 0 ? number.subarray(1) : number;
}
