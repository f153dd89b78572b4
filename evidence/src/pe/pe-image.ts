import { toBuffer } from '../encoding/base64url.ts';
import { BinaryReader } from '../encoding/binary-reader.ts';
import { trimEndOf } from '../encoding/trim-end.ts';
import { EvidenceError } from '../evidence-error.ts';

/** A section of a PE image. Offsets and sizes are bytes; the file part lies within the file. */
export interface PeSection {
  readonly name: string;
  /** Bytes in memory; what the file does not have is zero there. */
  readonly virtualSize: number;
  readonly fileOffset: number;
  readonly fileSize: number;
}

/** An EFI application as firmware reads it. Nothing of it is verified. */
export interface PeImage {
  readonly bytes: Buffer;
  /** SizeOfHeaders of the optional header. */
  readonly headerBytes: number;
  /** Where the checksum stands, which no digest covers. */
  readonly checksumAt: number;
  /** Where the entry of the certificate table stands in the data directories; null where there is none. */
  readonly certificateEntryAt: number | null;
  /** The certificate table, behind all sections; size 0 for an unsigned image. */
  readonly certificates: { readonly offset: number; readonly size: number };
  readonly sections: readonly PeSection[];
}

const MAX_IMAGE_BYTES = 1024 * 1024 * 1024;
const MAX_SECTIONS = 256;
const HEADER_POINTER_AT = 0x3c;
const COFF_BYTES = 20;
const SECTION_BYTES = 40;
const CERTIFICATE_ENTRY = 4;
const ENTRY_BYTES = 8;
/** Offsets in the optional header by its magic: how many data directories there are. */
const DIRECTORIES_AT = new Map([
  [0x10b, 92],
  [0x20b, 108],
]);

/**
 * Parses the headers of a PE32 or PE32+ image (Microsoft PE/COFF; UEFI 2.10, 2.1.1): every section and the certificate
 * table must lie in the file. Sections may be as the file likes otherwise: firmware does not judge them.
 *
 * Throws `EvidenceError` ERR_EVIDENCE_LIMIT or ERR_EVIDENCE_MALFORMED.
 */
export function parsePeImage(content: Uint8Array): PeImage {
  const bytes = toBuffer(content);
  if (bytes.length > MAX_IMAGE_BYTES) throw new EvidenceError('ERR_EVIDENCE_LIMIT', 'PE image is too long');
  const { reader, headersAt } = findHeaders(bytes);
  reader.take(2);
  const sectionCount = reader.u16();
  reader.take(12);
  const optionalBytes = reader.u16();
  reader.take(2);
  if (sectionCount > MAX_SECTIONS) throw new EvidenceError('ERR_EVIDENCE_LIMIT', 'PE image has too many sections');
  const optionalAt = headersAt + COFF_BYTES;
  const optional = parseOptional(reader.take(optionalBytes), optionalAt);
  const sections: PeSection[] = [];
  for (let each = 0; each < sectionCount; each += 1) sections.push(parseSection(reader.take(SECTION_BYTES), bytes));
  const tableEnd = optionalAt + optionalBytes + sectionCount * SECTION_BYTES;
  if (optional.headerBytes < tableEnd || optional.headerBytes > bytes.length) {
    throw reader.malformed('headers do not end where they say');
  }
  const { offset, size } = optional.certificates;
  if (offset + size > bytes.length) throw reader.malformed('certificate table is beyond the file');
  return { bytes, ...optional, sections };
}

/** The bytes of a section as they stand in memory. */
export function readSectionContent({ bytes }: PeImage, section: PeSection): Buffer {
  const { fileOffset, fileSize, virtualSize } = section;
  const content = bytes.subarray(fileOffset, fileOffset + Math.min(fileSize, virtualSize));
  if (content.length === virtualSize) return content;
  return Buffer.concat([content, Buffer.alloc(virtualSize - content.length)]);
}

function findHeaders(bytes: Buffer): { reader: BinaryReader; headersAt: number } {
  const start = new BinaryReader(bytes, 'little', 'PE image');
  if (start.take(2).toString('latin1') !== 'MZ') throw start.malformed('it is no EFI application');
  start.take(HEADER_POINTER_AT - 2);
  const signatureAt = start.u32();
  const reader = new BinaryReader(bytes, 'little', 'PE image');
  reader.take(signatureAt);
  if (reader.take(4).toString('latin1') !== 'PE\0\0') throw reader.malformed('it is no EFI application');
  return { reader, headersAt: signatureAt + 4 };
}

function parseOptional(header: Buffer, at: number): Omit<PeImage, 'bytes' | 'sections'> {
  const reader = new BinaryReader(header, 'little', 'optional header of the PE image');
  const magic = reader.u16();
  const directoriesAt = DIRECTORIES_AT.get(magic);
  if (directoriesAt === undefined) throw reader.malformed('it is neither PE32 nor PE32+');
  reader.take(58);
  const headerBytes = reader.u32();
  reader.take(directoriesAt - reader.offset);
  const directories = reader.u32();
  const common = { headerBytes, checksumAt: at + 64 };
  if (directories <= CERTIFICATE_ENTRY) {
    return { ...common, certificateEntryAt: null, certificates: { offset: 0, size: 0 } };
  }
  reader.take(CERTIFICATE_ENTRY * ENTRY_BYTES);
  const certificateEntryAt = at + reader.offset;
  return { ...common, certificateEntryAt, certificates: { offset: reader.u32(), size: reader.u32() } };
}

function parseSection(header: Buffer, file: Buffer): PeSection {
  const reader = new BinaryReader(header, 'little', 'section of the PE image');
  const name = trimEndOf(reader.take(8).toString('latin1'), '\0');
  const virtualSize = reader.u32();
  reader.take(4);
  const fileSize = reader.u32();
  const fileOffset = reader.u32();
  if (fileSize > 0 && fileOffset + fileSize > file.length) throw reader.malformed('it is beyond the file');
  if (virtualSize > MAX_IMAGE_BYTES) throw new EvidenceError('ERR_EVIDENCE_LIMIT', 'section of a PE image is too long');
  return { name, virtualSize, fileOffset, fileSize };
}
