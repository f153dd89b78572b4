import { constants } from 'node:fs';
import { open } from 'node:fs/promises';
import { EvidenceError } from '@holdfast/evidence';

const READ_BYTES = 256 * 1024;

/** Where the blob of a layer comes from: a file, or a stream that can be opened once. */
export type LayerBlob = { readonly path: string } | { open(): AsyncIterable<Uint8Array> };

/** Opens a blob for reading once. A path must lead to a regular file: a FIFO is refused, not waited for. */
export async function* openBlob(blob: LayerBlob): AsyncGenerator<Buffer> {
  if ('path' in blob) {
    yield* readBlobFile(blob.path);
    return;
  }
  for await (const chunk of blob.open()) yield Buffer.from(chunk.buffer, chunk.byteOffset, chunk.byteLength);
}

async function* readBlobFile(path: string): AsyncGenerator<Buffer> {
  const file = await open(path, constants.O_RDONLY | constants.O_NONBLOCK);
  try {
    if (!(await file.stat()).isFile()) throw new EvidenceError('ERR_EVIDENCE_MALFORMED', 'a blob is no regular file');
    for (;;) {
      const { buffer, bytesRead } = await file.read(Buffer.allocUnsafe(READ_BYTES), 0, READ_BYTES, null);
      if (bytesRead === 0) return;
      yield buffer.subarray(0, bytesRead);
    }
  } finally {
    await file.close();
  }
}
