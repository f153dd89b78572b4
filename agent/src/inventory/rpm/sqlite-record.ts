import { malformedDatabase } from './page-budget.ts';

export type SqliteValue = Buffer | string | number | bigint | null;

const MAX_COLUMNS = 64;

/** A variable-length integer (section 1.6): up to nine bytes, seven bits each, all eight of the ninth. */
export function readVarint(bytes: Buffer, at: number): { value: number; next: number } {
  let value = 0n;
  for (let index = 0; index < 9; index += 1) {
    const byte = bytes[at + index];
    if (byte === undefined) throw malformedDatabase('a number beyond the end');
    if (index === 8) return toSafe((value << 8n) | BigInt(byte), at + 9);
    value = (value << 7n) | BigInt(byte & 0x7f);
    if (byte < 0x80) return toSafe(value, at + index + 1);
  }
  throw malformedDatabase('a number without end');
}

function toSafe(value: bigint, next: number): { value: number; next: number } {
  const signed = BigInt.asIntN(64, value);
  const limit = BigInt(Number.MAX_SAFE_INTEGER);
  if (signed > limit || signed < -limit) throw malformedDatabase('a number that is too large');
  return { value: Number(signed), next };
}

/**
 * Splits a record into its columns (section 2.1): sizes and types first, values after. Throws `EvidenceError` where they
 * do not fit into the record.
 */
export function parseSqliteRecord(record: Buffer): SqliteValue[] {
  const head = readVarint(record, 0);
  if (head.value < head.next || head.value > record.length) throw malformedDatabase('a record header beyond the end');
  const values: SqliteValue[] = [];
  let at = head.value;
  for (let next = head.next; next < head.value; ) {
    const serial = readVarint(record, next);
    next = serial.next;
    const size = sizeOf(serial.value);
    if (values.length >= MAX_COLUMNS || at + size > record.length) throw malformedDatabase('a column beyond the end');
    values.push(readColumn(serial.value, record.subarray(at, at + size)));
    at += size;
  }
  return values;
}

const INTEGER_SIZES = [0, 1, 2, 3, 4, 6, 8, 8, 0, 0];

function sizeOf(serial: number): number {
  const size = serial >= 12 ? Math.floor((serial - 12) / 2) : INTEGER_SIZES[serial];
  if (size === undefined) throw malformedDatabase('a column type that is none');
  return size;
}

function readColumn(serial: number, bytes: Buffer): SqliteValue {
  if (serial >= 12) return serial % 2 === 0 ? bytes : bytes.toString('utf8');
  if (serial === 0) return null;
  if (serial === 7) return bytes.readDoubleBE(0);
  if (serial === 8 || serial === 9) return serial - 8;
  return bytes.length === 8 ? bytes.readBigInt64BE(0) : bytes.readIntBE(0, bytes.length);
}
