import { pipeline, Readable } from 'node:stream';
import { createGunzip } from 'node:zlib';
import { EvidenceError } from '@holdfast/evidence';
import { decompressZstd } from './decompress-zstd.ts';
import { isZstdMagic } from './zstd-frames.ts';

/** Output pieces: large enough that the work per piece does not count, small enough to keep ten layers in memory. */
const OUTPUT_BYTES = 256 * 1024;

type Compression = 'none' | 'gzip' | 'zstd';

/** Whether a media type says that the blob is a plain tar, or leaves the compression to the blob's first bytes. */
const LAYER_MEDIA_TYPES: Readonly<Record<string, 'plain' | 'byMagic'>> = {
  'application/vnd.oci.image.layer.v1.tar': 'plain',
  'application/vnd.oci.image.layer.v1.tar+gzip': 'byMagic',
  'application/vnd.oci.image.layer.v1.tar+zstd': 'byMagic',
  'application/vnd.oci.image.layer.nondistributable.v1.tar': 'plain',
  'application/vnd.oci.image.layer.nondistributable.v1.tar+gzip': 'byMagic',
  'application/vnd.oci.image.layer.nondistributable.v1.tar+zstd': 'byMagic',
  'application/vnd.docker.image.rootfs.diff.tar': 'byMagic',
  'application/vnd.docker.image.rootfs.diff.tar.gzip': 'byMagic',
  'application/vnd.docker.image.rootfs.diff.tar.zstd': 'byMagic',
  'application/vnd.docker.image.rootfs.foreign.diff.tar.gzip': 'byMagic',
};

/**
 * Gives the uncompressed tar of a layer. A media type of a plain tar is believed; under any other layer type the first
 * bytes decide, as container runtimes do (images say gzip and hold plain tars). Every gzip member and zstd frame counts.
 *
 * Throws `EvidenceError` ERR_EVIDENCE_MALFORMED for media types that are no layers and for broken compression.
 */
export async function* decompressLayer(source: AsyncIterable<Buffer>, mediaType: string): AsyncGenerator<Buffer> {
  const kind = Object.hasOwn(LAYER_MEDIA_TYPES, mediaType) ? LAYER_MEDIA_TYPES[mediaType] : undefined;
  if (kind === undefined) throw malformed('media type is no known layer type');
  const { head, rest } = await peek(source);
  const compression = kind === 'plain' ? 'none' : detectCompression(head);
  if (compression === 'none') yield* rest;
  else if (compression === 'zstd') yield* asMalformed(decompressZstd(rest, OUTPUT_BYTES));
  else {
    const gunzip = createGunzip({ chunkSize: OUTPUT_BYTES });
    yield* asMalformed(pipeline(Readable.from(rest, { objectMode: true }), gunzip, () => undefined));
  }
}

function detectCompression(head: Buffer): Compression {
  if (head.length >= 3 && head[0] === 0x1f && head[1] === 0x8b && head[2] === 8) return 'gzip';
  return head.length >= 4 && isZstdMagic(head.readUInt32LE(0)) ? 'zstd' : 'none';
}

/** Reads up to the first four bytes without losing them. */
async function peek(source: AsyncIterable<Buffer>): Promise<{ head: Buffer; rest: AsyncGenerator<Buffer> }> {
  const iterator = source[Symbol.asyncIterator]();
  let head: Buffer = Buffer.alloc(0);
  while (head.length < 4) {
    const next = await iterator.next();
    if (next.done === true) break;
    head = head.length === 0 ? next.value : Buffer.concat([head, next.value]);
  }
  const first = head;
  async function* rest(): AsyncGenerator<Buffer> {
    if (first.length > 0) yield first;
    for (;;) {
      const next = await iterator.next();
      if (next.done === true) return;
      yield next.value;
    }
  }
  return { head, rest: rest() };
}

/** zlib's errors name what is wrong with the foreign bytes; those of the source pass through. */
async function* asMalformed(output: AsyncIterable<unknown>): AsyncGenerator<Buffer> {
  try {
    for await (const chunk of output) if (Buffer.isBuffer(chunk)) yield chunk;
  } catch (error) {
    if (isZlibError(error)) throw malformed('compressed data are broken', error);
    throw error;
  }
}

function isZlibError(error: unknown): boolean {
  if (!(error instanceof Error) || !('code' in error) || typeof error.code !== 'string') return false;
  return error.code.startsWith('Z_') || error.code.startsWith('ZSTD_') || error.code.startsWith('ERR_ZLIB_');
}

function malformed(what: string, cause?: unknown): EvidenceError {
  return new EvidenceError('ERR_EVIDENCE_MALFORMED', `layer: ${what}`, cause === undefined ? {} : { cause });
}
