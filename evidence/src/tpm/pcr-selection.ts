import type { BinaryReader } from '../encoding/binary-reader.ts';
import { BinaryWriter } from '../encoding/binary-writer.ts';
import { type HashAlgorithm, hashById, hashByName } from './algorithm.ts';

/** PCRs of one bank. */
export interface PcrSelection {
  readonly bank: HashAlgorithm;
  /** Ascending. */
  readonly pcrs: readonly number[];
}

const MAX_BANKS = 16;
const PCR_BYTES = 3;

/** TPML_PCR_SELECTION (TPM 2.0 part 2, 10.9.7) with the usual three bytes a bank. Throws `TypeError` for a PCR above 23. */
export function encodePcrSelection(selections: readonly PcrSelection[]): Buffer {
  const writer = new BinaryWriter().u32(selections.length);
  for (const { bank, pcrs } of selections) {
    const bitmap = Buffer.alloc(PCR_BYTES);
    for (const pcr of pcrs) {
      if (!Number.isInteger(pcr) || pcr < 0 || pcr >= PCR_BYTES * 8) throw new TypeError('PCR out of range');
      bitmap.writeUInt8(bitmap.readUInt8(pcr >> 3) | (1 << (pcr & 7)), pcr >> 3);
    }
    writer.u16(hashByName(bank).id).u8(PCR_BYTES).bytes(bitmap);
  }
  return writer.finish();
}

/**
 * Reads a TPML_PCR_SELECTION at the reader's place. Banks that select nothing are kept.
 *
 * Throws `EvidenceError` ERR_EVIDENCE_MALFORMED for an unknown bank, a bank named twice, or too many.
 */
export function readPcrSelection(reader: BinaryReader): PcrSelection[] {
  const count = reader.u32();
  if (count > MAX_BANKS) throw reader.malformed('too many PCR banks');
  const selections: PcrSelection[] = [];
  for (let index = 0; index < count; index += 1) {
    const bank = hashById(reader.u16());
    if (bank === undefined) throw reader.malformed('unknown PCR bank');
    if (selections.some((known) => known.bank === bank.name)) throw reader.malformed('PCR bank named twice');
    const size = reader.u8();
    if (size > 4) throw reader.malformed('PCR bitmap too long');
    selections.push({ bank: bank.name, pcrs: listBits(reader.take(size)) });
  }
  return selections;
}

/** Same banks in the same order and the same PCRs in each, whatever the length of the bitmaps. */
export function isSameSelection(a: readonly PcrSelection[], b: readonly PcrSelection[]): boolean {
  return (
    a.length === b.length &&
    a.every((selection, index) => {
      const other = b[index];
      return other?.bank === selection.bank && isSameList(other.pcrs, selection.pcrs);
    })
  );
}

function isSameList(a: readonly number[], b: readonly number[]): boolean {
  return a.length === b.length && a.every((pcr, at) => pcr === b[at]);
}

function listBits(bitmap: Buffer): number[] {
  const bits: number[] = [];
  for (let bit = 0; bit < bitmap.length * 8; bit += 1) {
    if (((bitmap[bit >> 3] ?? 0) & (1 << (bit & 7))) !== 0) bits.push(bit);
  }
  return bits;
}
