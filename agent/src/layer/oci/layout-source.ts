import { createHash } from 'node:crypto';
import { closeSync, constants, fstatSync, openSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import { EvidenceError } from '@holdfast/evidence';
import { type Descriptor, MAX_DOCUMENT_BYTES } from './oci-documents.ts';

/** Files of an OCI image layout. */
export interface LayoutSource {
  /** `index.json` as it stands. */
  readIndex(): Buffer;
  /** A manifest, index or config, after its size and digest were checked. */
  readDocument(descriptor: Pick<Descriptor, 'digest' | 'size'>): Buffer;
  /** Where a blob lies; nothing of it was checked. */
  blobPath(digest: string): string;
}

/** Opens an OCI image layout directory. OCI image spec 1.1, image-layout.md. */
export function createLayoutSource(directory: string): LayoutSource {
  const blobPath = (digest: string): string => join(directory, 'blobs', 'sha256', digest.slice('sha256:'.length));
  return {
    readIndex: () => readRegularFile(join(directory, 'index.json')),
    blobPath,
    readDocument: ({ digest, size }) => {
      const bytes = readRegularFile(blobPath(digest));
      const actual = `sha256:${createHash('sha256').update(bytes).digest('hex')}`;
      if (bytes.length !== size || actual !== digest) {
        throw new EvidenceError('ERR_EVIDENCE_DIGEST', `image: ${digest} holds ${actual}`);
      }
      return bytes;
    },
  };
}

function readRegularFile(path: string): Buffer {
  const file = openSync(path, constants.O_RDONLY | constants.O_NONBLOCK);
  try {
    const stat = fstatSync(file);
    if (!stat.isFile()) throw new EvidenceError('ERR_EVIDENCE_MALFORMED', 'image: a document is no regular file');
    if (stat.size > MAX_DOCUMENT_BYTES) throw new EvidenceError('ERR_EVIDENCE_LIMIT', 'image: a document is too large');
    return readFileSync(file);
  } finally {
    closeSync(file);
  }
}
