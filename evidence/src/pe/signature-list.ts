import { toBuffer } from '../encoding/base64url.ts';
import { BinaryReader } from '../encoding/binary-reader.ts';
import { EvidenceError } from '../evidence-error.ts';

/** One entry of a Secure Boot database (UEFI 2.10, 32.4.1). */
export interface EfiSignature {
  /** GUID of the list's type, as UEFI writes it, lower case. */
  readonly type: string;
  /** The EFI_SIGNATURE_DATA, owner included: what firmware measures as authority. */
  readonly entry: Buffer;
  /** What the entry holds behind its owner: a certificate in DER, or a digest. */
  readonly data: Buffer;
}

export const EFI_SIGNATURE_TYPE = {
  x509: 'a5c059a1-94e4-4aa7-87b5-ab155c2bf072',
  sha256: 'c1c41626-504c-4092-aca9-41f936934328',
} as const;

const MAX_BYTES = 4 * 1024 * 1024;
const MAX_SIGNATURES = 65_536;
const OWNER_BYTES = 16;
const ATTRIBUTE_BYTES = 4;
/** EFI_VARIABLE_NON_VOLATILE and the others (UEFI 2.10, 8.2). */
const KNOWN_ATTRIBUTES = 0xff;

/**
 * Parses a chain of EFI_SIGNATURE_LISTs, such as the content of db, entry by entry. Empty bytes are an empty variable.
 *
 * Throws `EvidenceError` ERR_EVIDENCE_LIMIT or ERR_EVIDENCE_MALFORMED.
 */
export function parseSignatureLists(bytes: Uint8Array): EfiSignature[] {
  if (bytes.length > MAX_BYTES) throw new EvidenceError('ERR_EVIDENCE_LIMIT', 'EFI signature list is too long');
  const reader = new BinaryReader(bytes, 'little', 'EFI signature list');
  const signatures: EfiSignature[] = [];
  while (reader.remaining > 0) readList(reader, signatures);
  return signatures;
}

/**
 * The content of a Secure Boot variable out of a file: bare signature lists, or as efivarfs gives it, with four bytes of
 * attributes in front. Throws `EvidenceError` ERR_EVIDENCE_MALFORMED where it is neither.
 */
export function readVariableFile(file: Uint8Array): Buffer {
  const bytes = toBuffer(file);
  if (isSignatureLists(bytes)) return bytes;
  const isDump = bytes.length >= ATTRIBUTE_BYTES && bytes.readUInt32LE() <= KNOWN_ATTRIBUTES;
  const content = bytes.subarray(ATTRIBUTE_BYTES);
  if (isDump && isSignatureLists(content)) return content;
  const reason = 'neither signature lists nor such a variable of efivarfs';
  throw new EvidenceError('ERR_EVIDENCE_MALFORMED', `EFI signature list: ${reason}`);
}

function isSignatureLists(bytes: Buffer): boolean {
  try {
    parseSignatureLists(bytes);
    return true;
  } catch (error) {
    if (error instanceof EvidenceError) return false;
    throw error;
  }
}

function readList(reader: BinaryReader, signatures: EfiSignature[]): void {
  const type = formatGuid(reader.take(16));
  const listBytes = reader.u32();
  const headerBytes = reader.u32();
  const entryBytes = reader.u32();
  const body = listBytes - 28 - headerBytes;
  if (body < 0 || entryBytes <= OWNER_BYTES || body % entryBytes !== 0) throw reader.malformed('sizes do not fit');
  if (signatures.length + body / entryBytes > MAX_SIGNATURES) {
    throw new EvidenceError('ERR_EVIDENCE_LIMIT', 'EFI signature list has too many entries');
  }
  reader.take(headerBytes);
  for (let left = body; left > 0; left -= entryBytes) {
    const entry = reader.take(entryBytes);
    signatures.push({ type, entry, data: entry.subarray(OWNER_BYTES) });
  }
}

function formatGuid(bytes: Buffer): string {
  const head = [bytes.readUInt32LE(0).toString(16).padStart(8, '0'), hex16(bytes, 4), hex16(bytes, 6)];
  return [...head, bytes.toString('hex', 8, 10), bytes.toString('hex', 10, 16)].join('-');
}

function hex16(bytes: Buffer, at: number): string {
  return bytes.readUInt16LE(at).toString(16).padStart(4, '0');
}
