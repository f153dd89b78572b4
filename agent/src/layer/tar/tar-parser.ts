import { EvidenceError } from '@holdfast/evidence';
import { buildBasis, buildEntry, type EntryBasis, type PendingRecords } from './build-entry.ts';
import { type PaxRecords, parsePaxRecords } from './pax-records.ts';
import { checkSegments, parseGnuSegments, parsePaxSparse, type SparseSegment, SparseTextMap } from './sparse-map.ts';
import type { TarHandler } from './tar-entry.ts';
import { BLOCK_BYTES, isZeroBlock, parseTarHeader, type RawHeader } from './tar-header.ts';
import { parseTarNumber } from './tar-numbers.ts';

export interface TarLimits {
  readonly maxEntries: number;
  /** Bytes of one pax header or GNU long name. */
  readonly maxMetaBytes: number;
  /** Bytes of one file as a reader sees it. */
  readonly maxFileBytes: number;
}

export const DEFAULT_TAR_LIMITS: TarLimits = {
  maxEntries: 2_000_000,
  maxMetaBytes: 1024 * 1024,
  maxFileBytes: 64 * 1024 ** 3,
};

type BlockState = 'header' | 'gnuSparse' | 'textMap';

/** A file whose data are being read. */
interface OpenFile {
  readonly header: RawHeader;
  readonly pax: PaxRecords | undefined;
  readonly basis: EntryBasis;
  readonly segments: SparseSegment[];
  readonly textMap: SparseTextMap;
}

/**
 * Reads the tar of a layer piece by piece and tells a handler what stands in it; holds no more than one meta record.
 *
 * Understands v7, ustar, pax (values as bytes), old GNU and star headers, GNU long names and links, base-256 numbers and
 * all four sparse formats, each as Go's archive/tar does, since that is what unpacked the layer. Global pax headers are
 * passed over, as container runtimes do. Throws `EvidenceError` ERR_EVIDENCE_MALFORMED or ERR_EVIDENCE_LIMIT.
 */
export class TarParser {
  readonly #handler: TarHandler;
  readonly #limits: TarLimits;
  readonly #block = Buffer.alloc(BLOCK_BYTES);
  #blockFill = 0;
  #state: BlockState = 'header';
  #offset = 0;
  #entries = 0;
  #zeroBlocks = 0;
  #pending: PendingRecords = { pax: undefined, longName: undefined, longLink: undefined };
  #metaFlag = '';
  #meta: Buffer | undefined;
  #metaFill = 0;
  #file: OpenFile | undefined;
  #dataLeft = 0;
  #padding = 0;
  #segments: readonly SparseSegment[] = [];
  #segmentAt = 0;
  #segmentDone = 0;

  constructor(handler: TarHandler, limits: TarLimits = DEFAULT_TAR_LIMITS) {
    this.#handler = handler;
    this.#limits = limits;
  }

  /** Takes the next bytes of the uncompressed tar. */
  push(chunk: Buffer): void {
    let at = 0;
    while (at < chunk.length && this.#zeroBlocks < 2) {
      const taken = this.#consume(chunk.subarray(at));
      at += taken;
      this.#offset += taken;
      this.#settle();
    }
  }

  /** Says that no more bytes come. Throws when the tar ends within a member. */
  end(): void {
    if (this.#zeroBlocks >= 2) return;
    const isBetween = this.#state === 'header' && this.#blockFill === 0 && this.#dataLeft === 0 && this.#padding === 0;
    const { pax, longName, longLink } = this.#pending;
    const hasPending = pax !== undefined || longName !== undefined || longLink !== undefined;
    if (!isBetween || this.#meta !== undefined || this.#file !== undefined || hasPending) {
      throw malformed('ends within a member');
    }
  }

  #consume(chunk: Buffer): number {
    if (this.#meta !== undefined && this.#metaFill < this.#meta.length) return this.#consumeMeta(this.#meta, chunk);
    if (this.#state === 'header' && this.#dataLeft > 0) return this.#consumeData(chunk);
    if (this.#state === 'header' && this.#padding > 0) return this.#consumePadding(chunk);
    const taken = chunk.copy(this.#block, this.#blockFill);
    this.#blockFill += taken;
    return taken;
  }

  #consumeMeta(meta: Buffer, chunk: Buffer): number {
    const taken = chunk.copy(meta, this.#metaFill);
    this.#metaFill += taken;
    return taken;
  }

  #consumePadding(chunk: Buffer): number {
    const taken = Math.min(this.#padding, chunk.length);
    this.#padding -= taken;
    return taken;
  }

  #consumeData(chunk: Buffer): number {
    while (this.#segments[this.#segmentAt]?.length === this.#segmentDone) this.#nextSegment();
    const segment = this.#segments[this.#segmentAt] ?? { offset: 0, length: this.#dataLeft };
    const taken = Math.min(segment.length - this.#segmentDone, this.#dataLeft, chunk.length);
    this.#handler.onData(chunk.subarray(0, taken), segment.offset + this.#segmentDone);
    this.#segmentDone += taken;
    this.#dataLeft -= taken;
    return taken;
  }

  #nextSegment(): void {
    this.#segmentAt += 1;
    this.#segmentDone = 0;
  }

  /** Acts on whatever is complete after some bytes were taken. */
  #settle(): void {
    if (this.#blockFill === BLOCK_BYTES) {
      this.#blockFill = 0;
      this.#acceptBlock();
    }
    if (this.#meta !== undefined && this.#metaFill === this.#meta.length) this.#acceptMeta(this.#meta);
    if (this.#file !== undefined && this.#state === 'header' && this.#dataLeft === 0) this.#finishFile();
  }

  #acceptBlock(): void {
    if (this.#state === 'gnuSparse') this.#acceptGnuSparse();
    else if (this.#state === 'textMap') this.#acceptTextMap();
    else if (isZeroBlock(this.#block)) this.#zeroBlocks += 1;
    else if (this.#zeroBlocks > 0) throw malformed('a member after the end mark');
    else this.#acceptHeader(parseTarHeader(this.#block));
  }

  #acceptHeader(header: RawHeader): void {
    const flag = header.typeFlag;
    if (flag === 'x' || flag === 'g' || flag === 'L' || flag === 'K') {
      if (header.size > this.#limits.maxMetaBytes) throw limit('a pax header or long name is too long');
      this.#metaFlag = flag;
      this.#meta = Buffer.alloc(header.size);
      this.#metaFill = 0;
      return;
    }
    const pending = this.#pending;
    this.#pending = { pax: undefined, longName: undefined, longLink: undefined };
    this.#acceptMember(header, pending);
  }

  #acceptMeta(meta: Buffer): void {
    this.#meta = undefined;
    this.#padding = paddingAfter(meta.length);
    if (this.#metaFlag === 'x') this.#pending.pax = parsePaxRecords(meta);
    else if (this.#metaFlag === 'g') parsePaxRecords(meta);
    else if (this.#metaFlag === 'L') this.#pending.longName = cutAtNul(meta);
    else this.#pending.longLink = cutAtNul(meta);
  }

  #acceptMember(header: RawHeader, pending: PendingRecords): void {
    this.#entries += 1;
    if (this.#entries > this.#limits.maxEntries) throw limit('too many entries');
    const basis = buildBasis(header, pending);
    const file: OpenFile = { header, pax: pending.pax, basis, segments: [], textMap: new SparseTextMap() };
    this.#dataLeft = basis.storedBytes;
    this.#padding = paddingAfter(basis.storedBytes);
    const sparse = pending.pax === undefined ? undefined : parsePaxSparse(pending.pax);
    if (header.typeFlag === 'S') this.#startGnuSparse(file);
    else if (sparse === undefined) this.#openFile(file, basis.storedBytes, undefined);
    else if (basis.type !== 'file') throw malformed('sparse records of what is no file');
    else if (sparse.kind === 'map') this.#openFile(file, basis.realSize ?? basis.storedBytes, sparse.segments);
    else this.#wait(file, 'textMap');
  }

  #startGnuSparse(file: OpenFile): void {
    if (!file.header.isGnu) throw malformed('a sparse member in a header that is not GNU');
    parseGnuSegments(this.#block.subarray(386, 482), file.segments);
    const realSize = parseTarNumber(this.#block.subarray(483, 495), 'sparse size');
    if (this.#block[482] === 0) this.#openFile(file, realSize, file.segments);
    else this.#wait({ ...file, basis: { ...file.basis, realSize } }, 'gnuSparse');
  }

  #wait(file: OpenFile, state: BlockState): void {
    this.#file = file;
    this.#state = state;
  }

  #acceptGnuSparse(): void {
    const file = this.#file;
    if (file === undefined) throw malformed('a sparse header without member');
    parseGnuSegments(this.#block.subarray(0, 504), file.segments);
    if (this.#block[504] === 0) this.#openFile(file, file.basis.realSize ?? 0, file.segments);
  }

  #acceptTextMap(): void {
    const file = this.#file;
    this.#dataLeft -= BLOCK_BYTES;
    if (file === undefined || this.#dataLeft < 0) throw malformed('sparse map passes the end of the data');
    const segments = file.textMap.push(this.#block);
    if (segments !== undefined) this.#openFile(file, file.basis.realSize ?? this.#dataLeft, segments);
  }

  /** Tells the entry; its data begin with the next byte. */
  #openFile(file: OpenFile, size: number, segments: SparseSegment[] | undefined): void {
    if (size > this.#limits.maxFileBytes) throw limit('a file is too large');
    if (segments !== undefined) checkSegments(segments, size, this.#dataLeft);
    this.#state = 'header';
    this.#segments = segments ?? [{ offset: 0, length: size }];
    this.#segmentAt = 0;
    this.#segmentDone = 0;
    this.#file = file.basis.type === 'file' ? file : undefined;
    const offset = this.#offset;
    this.#handler.onEntry(buildEntry(file.header, file.pax, file.basis, { size, offset, segments }));
  }

  #finishFile(): void {
    this.#file = undefined;
    this.#handler.onEnd();
  }
}

function paddingAfter(bytes: number): number {
  return (BLOCK_BYTES - (bytes % BLOCK_BYTES)) % BLOCK_BYTES;
}

function cutAtNul(bytes: Buffer): string {
  const end = bytes.indexOf(0);
  return bytes.toString('latin1', 0, end === -1 ? bytes.length : end);
}

function malformed(what: string): EvidenceError {
  return new EvidenceError('ERR_EVIDENCE_MALFORMED', `tar: ${what}`);
}

function limit(what: string): EvidenceError {
  return new EvidenceError('ERR_EVIDENCE_LIMIT', `tar: ${what}`);
}
