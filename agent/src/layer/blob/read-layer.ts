import { createHash } from 'node:crypto';
import { EvidenceError } from '@holdfast/evidence';

import { decompressLayer } from './decompress-layer.ts';
import { type LayerBlob, openBlob } from './open-blob.ts';

export interface LayerSource {
  readonly blob: LayerBlob;
  /** OCI or Docker media type of the layer; unknown ones are refused. */
  readonly mediaType: string;
  /** `sha256:…` of the blob, from the manifest. */
  readonly digest: string;
  /** `sha256:…` of the uncompressed tar, from the config. */
  readonly diffId: string;
}

/**
 * Reads a layer once: hashes the blob, decompresses it, hashes the tar and hands its pieces to `onTar`; after the last
 * piece compares both digests. What was handed out must not be used before the promise is fulfilled.
 *
 * Returns the bytes of the tar. Throws `EvidenceError` ERR_EVIDENCE_DIGEST for another blob or tar than named,
 * ERR_EVIDENCE_LIMIT for more than `maxBytes`, ERR_EVIDENCE_MALFORMED for broken compression.
 */
export async function readLayer(
  source: LayerSource,
  maxBytes: number,
  onTar: (piece: Buffer) => void,
): Promise<number> {
  const blobHash = createHash('sha256');
  const tarHash = createHash('sha256');
  let bytes = 0;
  for await (const piece of decompressLayer(tap(openBlob(source.blob), blobHash), source.mediaType)) {
    bytes += piece.length;
    if (bytes > maxBytes) throw new EvidenceError('ERR_EVIDENCE_LIMIT', `layer: more than ${maxBytes} bytes`);
    tarHash.update(piece);
    onTar(piece);
  }
  checkDigest('layer blob', source.digest, blobHash.digest('hex'));
  checkDigest('layer tar', source.diffId, tarHash.digest('hex'));
  return bytes;
}

async function* tap(blob: AsyncIterable<Buffer>, hash: { update(bytes: Buffer): unknown }): AsyncGenerator<Buffer> {
  for await (const chunk of blob) {
    hash.update(chunk);
    yield chunk;
  }
}

function checkDigest(what: string, expected: string, actual: string): void {
  if (expected !== `sha256:${actual}`) {
    throw new EvidenceError('ERR_EVIDENCE_DIGEST', `${what} is sha256:${actual}, not ${expected.slice(0, 80)}`);
  }
}
