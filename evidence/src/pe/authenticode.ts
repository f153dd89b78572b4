import { createHash } from 'node:crypto';
import { BinaryReader } from '../encoding/binary-reader.ts';
import { EvidenceError } from '../evidence-error.ts';
import type { PeImage } from './pe-image.ts';

const PKCS_SIGNED_DATA = 0x0002;
const MAX_CERTIFICATES = 16;

/**
 * Computes the SHA-256 Authenticode digest of an image, which firmware measures into PCR 4 and looks for in db and dbx
 * (Windows Authenticode Portable Executable Signature Format; as EDK II does it): headers without checksum and
 * certificate entry, sections in the order of the file, then what lies behind them without the certificate table.
 *
 * Throws `EvidenceError` ERR_EVIDENCE_MALFORMED where the image has no such digest.
 */
export function computeAuthenticodeDigest(image: PeImage): Buffer {
  const { bytes, headerBytes, checksumAt, certificateEntryAt, certificates } = image;
  const hash = createHash('sha256');
  const gaps = [{ at: checksumAt, size: 4 }];
  if (certificateEntryAt !== null) gaps.push({ at: certificateEntryAt, size: 8 });
  let at = 0;
  for (const gap of gaps) {
    if (gap.at + gap.size > headerBytes) throw malformed('headers are cut short');
    hash.update(bytes.subarray(at, gap.at));
    at = gap.at + gap.size;
  }
  hash.update(bytes.subarray(at, headerBytes));
  let hashed = headerBytes;
  const sections = image.sections.filter(({ fileSize }) => fileSize > 0);
  for (const { fileOffset, fileSize } of sections.toSorted((a, b) => a.fileOffset - b.fileOffset)) {
    hash.update(bytes.subarray(fileOffset, fileOffset + fileSize));
    hashed += fileSize;
  }
  const end = bytes.length - certificates.size;
  if (hashed < end) hash.update(bytes.subarray(hashed, end));
  return hash.digest();
}

/**
 * Lists the PKCS #7 signatures of an image, in order; other kinds of certificates are left out. Nothing is verified.
 *
 * Throws `EvidenceError` ERR_EVIDENCE_LIMIT or ERR_EVIDENCE_MALFORMED.
 */
export function listImageSignatures({ bytes, certificates }: PeImage): Buffer[] {
  const table = bytes.subarray(certificates.offset, certificates.offset + certificates.size);
  const reader = new BinaryReader(table, 'little', 'certificate table of the PE image');
  const signatures: Buffer[] = [];
  for (let count = 0; reader.remaining > 0; count += 1) {
    if (count === MAX_CERTIFICATES) {
      throw new EvidenceError('ERR_EVIDENCE_LIMIT', 'certificate table of the PE image has too many entries');
    }
    const length = reader.u32();
    reader.take(2);
    const type = reader.u16();
    const body = reader.take(length - 8);
    if (type === PKCS_SIGNED_DATA) signatures.push(body);
    // Entries begin at multiples of eight bytes.
    reader.take(Math.min((8 - (length % 8)) % 8, reader.remaining));
  }
  return signatures;
}

function malformed(reason: string): EvidenceError {
  return new EvidenceError('ERR_EVIDENCE_MALFORMED', `PE image: ${reason}`);
}
