import { EvidenceError } from '@holdfast/evidence';

/**
 * Reads a number of a tar header: base-256 (GNU, high bit set) or octal text between spaces and NULs; empty is 0.
 *
 * Throws `EvidenceError` ERR_EVIDENCE_MALFORMED for anything else, negative numbers among them, and for numbers that
 * a JavaScript number cannot hold.
 */
export function parseTarNumber(field: Buffer, what: string): number {
  const first = field[0] ?? 0;
  return (first & 0x80) === 0 ? parseOctal(field, what) : parseBase256(field, what);
}

function parseOctal(field: Buffer, what: string): number {
  let start = 0;
  let end = field.length;
  while (start < end && isFiller(field[start])) start += 1;
  while (end > start && isFiller(field[end - 1])) end -= 1;
  let value = 0;
  for (let at = start; at < end && field[at] !== 0; at += 1) {
    const digit = (field[at] ?? 0) - 0x30;
    if (digit < 0 || digit > 7) throw malformedNumber(what);
    value = value * 8 + digit;
  }
  return value;
}

function parseBase256(field: Buffer, what: string): number {
  if (((field[0] ?? 0) & 0x40) !== 0) throw malformedNumber(what);
  let value = (field[0] ?? 0) & 0x3f;
  for (const byte of field.subarray(1)) {
    value = value * 256 + byte;
    if (value > Number.MAX_SAFE_INTEGER) throw malformedNumber(what);
  }
  return value;
}

/** Reads a decimal number of a pax record: digits only. Throws as `parseTarNumber` does. */
export function parseDecimal(text: string, what: string): number {
  if (!/^[0-9]{1,16}$/.test(text)) throw malformedNumber(what);
  const value = Number(text);
  if (!Number.isSafeInteger(value)) throw malformedNumber(what);
  return value;
}

function isFiller(byte: number | undefined): boolean {
  return byte === 0x20 || byte === 0;
}

function malformedNumber(what: string): EvidenceError {
  return new EvidenceError('ERR_EVIDENCE_MALFORMED', `tar: ${what} is no number that can be held`);
}
