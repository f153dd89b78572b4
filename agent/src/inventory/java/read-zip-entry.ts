import { inflateRawSync } from 'node:zlib';
import { EvidenceError } from '@holdfast/evidence/inventory';
import type { FileBytes } from '../file-bytes.ts';
import { malformedZip, type ZipEntry } from './zip-directory.ts';

const LOCAL_SIGNATURE = 0x04034b50;
const LOCAL_BYTES = 30;
const STORED = 0;
const DEFLATED = 8;

/**
 * Reads the content of one file of an archive, unpacked, of at most `maxBytes`: what the sizes say is not believed, so that
 * a bomb ends at the limit.
 *
 * Throws `EvidenceError` ERR_EVIDENCE_LIMIT beyond it, ERR_EVIDENCE_MALFORMED for what cannot be unpacked.
 */
export function readZipEntry(file: FileBytes, entry: ZipEntry, maxBytes: number): Buffer {
  if (entry.bytes > maxBytes || entry.packedBytes > maxBytes) throw tooLarge(maxBytes);
  if (entry.isEncrypted || entry.offset > file.size) throw malformedZip('an entry that cannot be read');
  const local = file.read(entry.offset, LOCAL_BYTES);
  if (local.length < LOCAL_BYTES || local.readUInt32LE(0) !== LOCAL_SIGNATURE) throw malformedZip('no local header');
  const start = entry.offset + LOCAL_BYTES + local.readUInt16LE(26) + local.readUInt16LE(28);
  const packed = file.read(start, entry.packedBytes);
  if (packed.length < entry.packedBytes) throw malformedZip('an entry that is cut');
  if (entry.method === STORED) return packed;
  if (entry.method !== DEFLATED) throw malformedZip('an entry packed in an unknown way');
  return inflate(packed, maxBytes);
}

function inflate(packed: Buffer, maxBytes: number): Buffer {
  try {
    return inflateRawSync(packed, { maxOutputLength: maxBytes });
  } catch (cause) {
    const isLimit = cause instanceof Error && 'code' in cause && cause.code === 'ERR_BUFFER_TOO_LARGE';
    throw isLimit
      ? tooLarge(maxBytes, cause)
      : new EvidenceError('ERR_EVIDENCE_MALFORMED', 'zip: no deflate', { cause });
  }
}

function tooLarge(maxBytes: number, cause?: unknown): EvidenceError {
  return new EvidenceError('ERR_EVIDENCE_LIMIT', `zip: an entry of more than ${maxBytes} bytes`, { cause });
}
