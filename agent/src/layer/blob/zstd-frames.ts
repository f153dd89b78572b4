import { EvidenceError } from '@holdfast/evidence';

const FRAME_MAGIC = 0xfd2fb528;
const CONTENT_SIZE_BYTES = [0, 2, 4, 8];
const DICTIONARY_BYTES = [0, 1, 2, 4];

/** Whether four bytes, little endian, begin a zstd frame or a skippable one. */
export function isZstdMagic(magic: number): boolean {
  return magic === FRAME_MAGIC || isSkippableMagic(magic);
}

function isSkippableMagic(magic: number): boolean {
  return magic >= 0x184d2a50 && magic <= 0x184d2a5f;
}

/** What the next bytes of a frame are: how many, and what to do when they are there. */
type Step = 'magic' | 'descriptor' | 'headerRest' | 'blockHeader' | 'blockBody' | 'checksum' | 'skipSize' | 'skipBody';

/**
 * Finds where the frames of a zstd stream end, from frame and block headers alone (RFC 8878, 3.1.1).
 *
 * Node's decompressor stops silently after the first frame and does not miss the end of a truncated one; layers may
 * hold many frames and skippable ones among them.
 */
export class ZstdFrameScanner {
  #step: Step = 'magic';
  #need = 4;
  #held = Buffer.alloc(0);
  #hasChecksum = false;
  #isLastBlock = false;

  /** True between frames: the stream may end here. */
  get isBetweenFrames(): boolean {
    return this.#step === 'magic' && this.#held.length === 0 && this.#need === 4;
  }

  /**
   * Looks through `chunk` up to the end of the frame at most. Returns how many bytes belong to this frame and whether it
   * ends there. Throws `EvidenceError` ERR_EVIDENCE_MALFORMED where no frame begins.
   */
  scan(chunk: Buffer): { taken: number; ended: boolean } {
    let at = 0;
    while (at < chunk.length) {
      at += this.#take(chunk.subarray(at));
      if (this.#need > 0) continue;
      this.#advance();
      while (this.#need === 0 && this.#step !== 'magic') this.#advance();
      if (this.#step === 'magic') return { taken: at, ended: true };
    }
    return { taken: at, ended: false };
  }

  #take(rest: Buffer): number {
    const taken = Math.min(this.#need, rest.length);
    this.#need -= taken;
    const isBody = this.#step === 'blockBody' || this.#step === 'skipBody' || this.#step === 'checksum';
    if (!isBody) this.#held = Buffer.concat([this.#held, rest.subarray(0, taken)]);
    return taken;
  }

  #go(step: Step, need: number): void {
    this.#step = step;
    this.#need = need;
    this.#held = Buffer.alloc(0);
  }

  #advance(): void {
    const held = this.#held;
    switch (this.#step) {
      case 'magic':
        this.#startFrame(held.readUInt32LE(0));
        break;
      case 'descriptor':
        this.#readDescriptor(held[0] ?? 0);
        break;
      case 'headerRest':
        this.#go('blockHeader', 3);
        break;
      case 'blockHeader':
        this.#readBlockHeader(held.readUIntLE(0, 3));
        break;
      case 'blockBody':
        this.#endBlock();
        break;
      case 'skipSize':
        this.#go('skipBody', held.readUInt32LE(0));
        break;
      case 'checksum':
      case 'skipBody':
        this.#go('magic', 4);
        break;
    }
  }

  #startFrame(magic: number): void {
    if (magic === FRAME_MAGIC) this.#go('descriptor', 1);
    else if (isSkippableMagic(magic)) this.#go('skipSize', 4);
    else throw new EvidenceError('ERR_EVIDENCE_MALFORMED', 'zstd: no frame where one should begin');
  }

  #readDescriptor(descriptor: number): void {
    const isSingleSegment = (descriptor & 0x20) !== 0;
    const sizeFlag = descriptor >> 6;
    const sizeBytes = sizeFlag === 0 && isSingleSegment ? 1 : (CONTENT_SIZE_BYTES[sizeFlag] ?? 0);
    const windowBytes = isSingleSegment ? 0 : 1;
    this.#hasChecksum = (descriptor & 0x04) !== 0;
    this.#go('headerRest', windowBytes + (DICTIONARY_BYTES[descriptor & 3] ?? 0) + sizeBytes);
  }

  #readBlockHeader(header: number): void {
    const type = (header >> 1) & 3;
    if (type === 3) throw new EvidenceError('ERR_EVIDENCE_MALFORMED', 'zstd: reserved block type');
    this.#isLastBlock = (header & 1) !== 0;
    this.#go('blockBody', type === 1 ? 1 : header >> 3);
  }

  #endBlock(): void {
    if (!this.#isLastBlock) this.#go('blockHeader', 3);
    else if (this.#hasChecksum) this.#go('checksum', 4);
    else this.#go('magic', 4);
  }
}
