import { createHash, type Hash } from 'node:crypto';
import type { LayerNode } from '../tree/layer-node.ts';
import type { SpoolFile } from './spool-file.ts';

const PIECE_BYTES = 1024 * 1024;
const ZEROS = Buffer.alloc(64 * 1024);

/** Reads `length` bytes of a file of a layer from `offset` on, holes as zeros. */
export function readContent(spool: SpoolFile, node: LayerNode, offset: number, length: number): Buffer {
  const content = Buffer.alloc(length);
  let stored = node.dataOffset;
  for (const segment of node.segments ?? [{ offset: 0, length: node.size }]) {
    const start = Math.max(segment.offset, offset);
    const end = Math.min(segment.offset + segment.length, offset + length);
    if (start < end) spool.read(content.subarray(start - offset, end - offset), stored + start - segment.offset);
    stored += segment.length;
  }
  return content;
}

/** SHA-256 (hex) of a file of a layer. */
export function hashContent(spool: SpoolFile, node: LayerNode): string {
  const hash = createHash('sha256');
  const piece = Buffer.allocUnsafe(PIECE_BYTES);
  let stored = node.dataOffset;
  let at = 0;
  for (const segment of node.segments ?? [{ offset: 0, length: node.size }]) {
    hashZeros(hash, segment.offset - at);
    for (let done = 0; done < segment.length; ) {
      const part = piece.subarray(0, Math.min(PIECE_BYTES, segment.length - done));
      spool.read(part, stored + done);
      hash.update(part);
      done += part.length;
    }
    stored += segment.length;
    at = segment.offset + segment.length;
  }
  hashZeros(hash, node.size - at);
  return hash.digest('hex');
}

function hashZeros(hash: Hash, length: number): void {
  for (let left = length; left > 0; left -= ZEROS.length) hash.update(ZEROS.subarray(0, Math.min(ZEROS.length, left)));
}
