import { BinaryReader } from '../encoding/binary-reader.ts';
import { EvidenceError } from '../evidence-error.ts';
import type { ImaEntry } from './ima-entry.ts';
import { encodeHashed } from './ima-template.ts';
import { parseImaAscii } from './parse-ima-ascii.ts';

const MAX_LIST_BYTES = 256 * 1024 * 1024;
const MAX_ENTRIES = 4_000_000;
const MAX_NAME_BYTES = 256;
const MAX_TEMPLATE_BYTES = 16 * 1024 * 1024;
const MAX_FIELDS = 32;
const SHA1_BYTES = 20;
const ASCII_START = /^(?: [0-9]|[0-9]{1,2}) [0-9a-f]{40,128} /;

/**
 * Parses an IMA measurement list, the kernel's binary one (little-endian, SHA-1 template digests) or the ASCII one;
 * which it is shows in its first bytes. Every entry must be whole. Nothing is verified: see `matchImaPrefix`.
 *
 * Throws `EvidenceError` ERR_EVIDENCE_LIMIT or ERR_EVIDENCE_MALFORMED.
 */
export function parseImaList(bytes: Uint8Array): ImaEntry[] {
  if (bytes.length > MAX_LIST_BYTES) throw new EvidenceError('ERR_EVIDENCE_LIMIT', 'IMA list is too long');
  const start = Buffer.from(bytes.subarray(0, 140)).toString('latin1');
  return ASCII_START.test(start) ? parseImaAscii(bytes, MAX_ENTRIES) : parseImaBinary(bytes);
}

function parseImaBinary(bytes: Uint8Array): ImaEntry[] {
  const reader = new BinaryReader(bytes, 'little', 'IMA list');
  const entries: ImaEntry[] = [];
  while (reader.remaining > 0) {
    if (entries.length >= MAX_ENTRIES) throw new EvidenceError('ERR_EVIDENCE_LIMIT', 'IMA list has too many entries');
    entries.push(readEntry(reader));
  }
  return entries;
}

function readEntry(reader: BinaryReader): ImaEntry {
  const pcr = reader.u32();
  if (pcr > 23) throw reader.malformed('no such PCR');
  const templateDigest = reader.take(SHA1_BYTES);
  const nameBytes = reader.u32();
  if (nameBytes === 0 || nameBytes > MAX_NAME_BYTES) throw reader.malformed('template name of no known length');
  const template = reader.take(nameBytes).toString('latin1');
  if (!/^[\x21-\x7e]+$/.test(template)) throw reader.malformed('template name is not printable');
  const fields = template === 'ima' ? readOldFields(reader) : readFields(reader);
  return { pcr, templateDigest, template, hashed: encodeHashed(template, fields), fields };
}

function readOldFields(reader: BinaryReader): Buffer[] {
  const digest = reader.take(SHA1_BYTES);
  const length = reader.u32();
  if (length > MAX_NAME_BYTES) throw reader.malformed('name is too long for the template');
  return [digest, reader.take(length)];
}

function readFields(reader: BinaryReader): Buffer[] {
  const length = reader.u32();
  if (length > MAX_TEMPLATE_BYTES) throw reader.malformed('template data is too long');
  const data = new BinaryReader(reader.take(length), 'little', 'IMA entry');
  const fields: Buffer[] = [];
  while (data.remaining > 0) {
    if (fields.length >= MAX_FIELDS) throw data.malformed('too many fields');
    fields.push(data.take(data.u32()));
  }
  return fields;
}
