import { EvidenceError, parseStrictJson } from '@holdfast/evidence';
import { readInteger, readMember, readString } from '../../container/json-value.ts';

/** A piece of the tar itself (headers, padding), or a file whose content stands between two such pieces. */
export type TarSplitEntry =
  | { readonly kind: 'bytes'; readonly bytes: Buffer }
  | {
      readonly kind: 'file';
      /** As the tar names it, latin1. */
      readonly path: string;
      readonly size: number;
      /** CRC-64 of the content; undefined where the file is empty. */
      readonly crc: Buffer | undefined;
    };

/** One line, in bytes: headers and padding between two files. */
const MAX_LINE_BYTES = 16 << 20;
const MAX_ENTRIES = 6_000_000;
const FILE = 1;
const SEGMENT = 2;

/**
 * Parses what tar-split keeps of a layer's tar beside its files: JSON, one entry a line, numbered from 0
 * (github.com/vbatts/tar-split, tar/storage). Throws `EvidenceError` ERR_EVIDENCE_MALFORMED or ERR_EVIDENCE_LIMIT.
 */
export class TarSplitParser {
  readonly #onEntry: (entry: TarSplitEntry) => void;
  #rest: Buffer[] = [];
  #restBytes = 0;
  #position = 0;

  constructor(onEntry: (entry: TarSplitEntry) => void) {
    this.#onEntry = onEntry;
  }

  push(chunk: Buffer): void {
    let from = 0;
    for (let end = chunk.indexOf(0x0a); end !== -1; end = chunk.indexOf(0x0a, from)) {
      this.#keep(chunk.subarray(from, end));
      this.#finishLine();
      from = end + 1;
    }
    this.#keep(chunk.subarray(from));
  }

  /** After the last piece. */
  end(): void {
    this.#finishLine();
  }

  #keep(part: Buffer): void {
    if (part.length === 0) return;
    this.#restBytes += part.length;
    if (this.#restBytes > MAX_LINE_BYTES)
      throw new EvidenceError('ERR_EVIDENCE_LIMIT', 'tar-split: a line is too long');
    this.#rest.push(part);
  }

  #finishLine(): void {
    if (this.#restBytes === 0) return;
    const line = this.#rest.length === 1 ? this.#rest[0] : undefined;
    const bytes = line ?? Buffer.concat(this.#rest);
    this.#rest = [];
    this.#restBytes = 0;
    if (this.#position >= MAX_ENTRIES) throw new EvidenceError('ERR_EVIDENCE_LIMIT', 'tar-split: too many entries');
    const entry = parseLine(bytes, this.#position);
    this.#position += 1;
    this.#onEntry(entry);
  }
}

function parseLine(line: Buffer, position: number): TarSplitEntry {
  const value = parseStrictJson(line, { maxBytes: MAX_LINE_BYTES, maxDepth: 2, maxKeys: 16 });
  if (readInteger(readMember(value, 'position')) !== position) throw malformed('entries are not in order');
  const payload = readMember(value, 'payload');
  if (payload !== null && typeof payload !== 'string') throw malformed('an entry has no payload');
  const bytes = Buffer.from(payload ?? '', 'base64');
  const type = readInteger(readMember(value, 'type'));
  if (type === SEGMENT) return { kind: 'bytes', bytes };
  if (type !== FILE) throw malformed('an entry is of no known type');
  const size = readMember(value, 'size') === undefined ? 0 : readInteger(readMember(value, 'size'));
  if (size === undefined || size < 0) throw malformed('a size is no number');
  if (size > 0 && bytes.length !== 8) throw malformed('a file has no checksum');
  const name = readString(readMember(value, 'name'));
  const raw = readString(readMember(value, 'name_raw'));
  if (name === undefined && raw === undefined) throw malformed('a file has no name');
  // Names that are no UTF-8 come as bytes.
  const path =
    raw === undefined ? Buffer.from(name ?? '').toString('latin1') : Buffer.from(raw, 'base64').toString('latin1');
  return { kind: 'file', path, size, crc: size > 0 ? bytes : undefined };
}

function malformed(what: string): EvidenceError {
  return new EvidenceError('ERR_EVIDENCE_MALFORMED', `tar-split: ${what}`);
}
