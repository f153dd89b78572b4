import { pipeline, Readable } from 'node:stream';
import { constants, createZstdDecompress } from 'node:zlib';
import { EvidenceError } from '@holdfast/evidence';
import { ZstdFrameScanner } from './zstd-frames.ts';

/** Largest window that a frame may ask for, as a power of two: 128 MiB, zstd's own default limit. */
const WINDOW_LOG_MAX = 27;

/** Decompresses every frame of a zstd stream. Throws `EvidenceError` for a truncated one and for bytes between frames. */
export async function* decompressZstd(source: AsyncIterable<Buffer>, outputBytes: number): AsyncGenerator<Buffer> {
  const frames = new FrameReader(source);
  while (await frames.hasMore()) {
    const decompressor = createZstdDecompress({
      chunkSize: outputBytes,
      params: { [constants.ZSTD_d_windowLogMax]: WINDOW_LOG_MAX },
    });
    const output = pipeline(Readable.from(frames.readFrame()), decompressor, () => undefined);
    for await (const chunk of output) yield Buffer.from(chunk);
  }
}

/** Cuts a stream into frames; each must be read to its end before the next. */
class FrameReader {
  readonly #iterator: AsyncIterator<Buffer>;
  readonly #scanner = new ZstdFrameScanner();
  #rest: Buffer = Buffer.alloc(0);

  constructor(source: AsyncIterable<Buffer>) {
    this.#iterator = source[Symbol.asyncIterator]();
  }

  async hasMore(): Promise<boolean> {
    return (await this.#fill()) && this.#scanner.isBetweenFrames;
  }

  async *readFrame(): AsyncGenerator<Buffer> {
    for (;;) {
      if (!(await this.#fill())) throw new EvidenceError('ERR_EVIDENCE_MALFORMED', 'zstd: ends within a frame');
      const { taken, ended } = this.#scanner.scan(this.#rest);
      const piece = this.#rest.subarray(0, taken);
      this.#rest = this.#rest.subarray(taken);
      yield piece;
      if (ended) return;
    }
  }

  async #fill(): Promise<boolean> {
    while (this.#rest.length === 0) {
      const next = await this.#iterator.next();
      if (next.done === true) return false;
      this.#rest = next.value;
    }
    return true;
  }
}
