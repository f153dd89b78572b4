import { EvidenceError } from '@holdfast/evidence';
import type { PaxRecords } from './pax-records.ts';
import { parseDecimal, parseTarNumber } from './tar-numbers.ts';

/** A stretch of a sparse file that holds data; everything between is zeros. */
export interface SparseSegment {
  readonly offset: number;
  readonly length: number;
}

/** Most stretches of one file. */
const MAX_SPARSE_SEGMENTS = 100_000;

/** `map`: segments known from the header; `inData`: a text map stands at the start of the data (GNU sparse 1.0). */
export type PaxSparse = { kind: 'map'; segments: SparseSegment[] } | { kind: 'inData' };

/** Says whether pax records describe a sparse file, and how. Unknown versions are ordinary files, as Go's reader has it. */
export function parsePaxSparse(records: PaxRecords): PaxSparse | undefined {
  const major = records.get('GNU.sparse.major')?.toString('latin1') ?? '';
  const minor = records.get('GNU.sparse.minor')?.toString('latin1') ?? '';
  const map = records.get('GNU.sparse.map')?.toString('latin1') ?? '';
  if (major === '1' && minor === '0') return { kind: 'inData' };
  const isOld = major === '0' && (minor === '0' || minor === '1');
  if (!isOld && (major !== '' || minor !== '' || map === '')) return undefined;
  const numbers = map === '' ? [] : map.split(',');
  return { kind: 'map', segments: pairUp(numbers) };
}

function pairUp(numbers: readonly string[]): SparseSegment[] {
  if (numbers.length % 2 !== 0) throw malformedMap();
  if (numbers.length / 2 > MAX_SPARSE_SEGMENTS) throw tooManySegments();
  const segments: SparseSegment[] = [];
  for (let at = 0; at < numbers.length; at += 2) {
    segments.push({
      offset: parseDecimal(numbers[at] ?? '', 'sparse offset'),
      length: parseDecimal(numbers[at + 1] ?? '', 'sparse length'),
    });
  }
  return segments;
}

/** Reads the segments of an old GNU sparse header: 24 bytes each, up to the first whose offset field is empty. */
export function parseGnuSegments(field: Buffer, into: SparseSegment[]): void {
  for (let at = 0; at + 24 <= field.length; at += 24) {
    if (field[at] === 0) return;
    if (into.length >= MAX_SPARSE_SEGMENTS) throw tooManySegments();
    into.push({
      offset: parseTarNumber(field.subarray(at, at + 12), 'sparse offset'),
      length: parseTarNumber(field.subarray(at + 12, at + 24), 'sparse length'),
    });
  }
}

/**
 * Reads the text map of GNU sparse 1.0, block by block, from the start of the data: a count, then offset and length of
 * each segment, one decimal number a line.
 */
export class SparseTextMap {
  #numbers: string[] = [];
  #rest = '';
  #expected = 1;

  /** Returns the segments once the map is complete. Throws `EvidenceError` for anything but decimal lines. */
  push(block: Buffer): SparseSegment[] | undefined {
    const lines = (this.#rest + block.toString('latin1')).split('\n');
    this.#rest = lines.pop() ?? '';
    for (const line of lines) {
      if (this.#numbers.length < this.#expected) this.#add(line);
    }
    if (this.#numbers.length === this.#expected) return pairUp(this.#numbers.slice(1));
    if (this.#rest.length > 32) throw malformedMap();
    return undefined;
  }

  #add(line: string): void {
    const value = parseDecimal(line, 'sparse map');
    if (this.#numbers.length === 0) {
      if (value > MAX_SPARSE_SEGMENTS) throw tooManySegments();
      this.#expected = 1 + value * 2;
    }
    this.#numbers.push(line);
  }
}

/** Checks that segments are in order, do not overlap, end within the file and add up to the stored data. */
export function checkSegments(segments: readonly SparseSegment[], size: number, dataBytes: number): void {
  let end = 0;
  let sum = 0;
  for (const { offset, length } of segments) {
    if (offset < end || offset + length > size) throw malformedMap();
    end = offset + length;
    sum += length;
  }
  if (sum !== dataBytes) throw malformedMap();
}

function malformedMap(): EvidenceError {
  return new EvidenceError('ERR_EVIDENCE_MALFORMED', 'tar: sparse map is malformed');
}

function tooManySegments(): EvidenceError {
  return new EvidenceError('ERR_EVIDENCE_LIMIT', `tar: more than ${MAX_SPARSE_SEGMENTS} sparse segments`);
}
