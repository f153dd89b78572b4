import { EvidenceError } from '../evidence-error.ts';
import type { ImaEntry } from './ima-entry.ts';
import { encodeHashed, listTemplateFields } from './ima-template.ts';

const DIGEST_CHARS = new Set([40, 64, 96, 128]);
const HEX = /^(?:[0-9a-f]{2})*$/;
const NUMBER = /^(?:0|[1-9][0-9]{0,9})$/;
/** Of users, groups and modes, as the kernel measures them (Linux, ima_template_lib.c). */
const ID_BYTES = 4;
const MODE_BYTES = 2;

/**
 * Parses the ASCII form of an IMA list and rebuilds what the kernel hashed for each entry.
 *
 * Throws `EvidenceError` ERR_EVIDENCE_LIMIT or ERR_EVIDENCE_MALFORMED, which includes templates whose fields are not
 * known.
 */
export function parseImaAscii(bytes: Uint8Array, maxEntries: number): ImaEntry[] {
  const lines = Buffer.from(bytes).toString('latin1').split('\n');
  if (lines.at(-1) === '') lines.pop();
  if (lines.length > maxEntries) throw new EvidenceError('ERR_EVIDENCE_LIMIT', 'IMA list has too many entries');
  return lines.map(parseLine);
}

function parseLine(line: string, index: number): ImaEntry {
  // The kernel fills a PCR of one digit up with a space.
  const [pcrText = '', digestText = '', template = '', ...texts] = line.replace(/^ (?=[0-9] )/, '').split(' ');
  const pcr = Number(pcrText);
  if (!/^[0-9]{1,2}$/.test(pcrText) || pcr > 23) throw malformed(index, 'no such PCR');
  if (!DIGEST_CHARS.has(digestText.length)) throw malformed(index, 'template digest of no known length');
  const templateDigest = decodeHex(digestText, index);
  const names = listTemplateFields(template);
  if (names === undefined || texts.length !== names.length)
    throw malformed(index, 'not the fields of a known template');
  const fields = names.map((name, place) => encodeField(name, texts[place] ?? '', index));
  return { pcr, templateDigest, template, hashed: encodeHashed(template, fields), fields };
}

function encodeField(name: string, text: string, index: number): Buffer {
  switch (name) {
    case 'd':
      return decodeHex(text, index);
    case 'n':
      return Buffer.from(text, 'latin1');
    case 'n-ng':
      return Buffer.from(`${text}\0`, 'latin1');
    case 'd-ng':
    case 'd-ngv2':
    case 'd-modsig':
      return encodeDigest(text, index);
    case 'xattrnames':
      return Buffer.from(text === '' ? '' : `${text}\0`, 'latin1');
    case 'iuid':
    case 'igid':
      return encodeNumber(text, ID_BYTES, index);
    case 'imode':
      return encodeNumber(text, MODE_BYTES, index);
    default:
      return decodeHex(text, index);
  }
}

/** A field that the kernel fills in for files alone: without one it is empty. */
function encodeNumber(text: string, bytes: number, index: number): Buffer {
  if (text === '') return Buffer.alloc(0);
  const value = Number(text);
  if (!NUMBER.test(text) || value >= 2 ** (8 * bytes)) throw malformed(index, 'no number of its field');
  const field = Buffer.alloc(bytes);
  field.writeUIntLE(value, 0, bytes);
  return field;
}

function encodeDigest(text: string, index: number): Buffer {
  if (text === '') return Buffer.alloc(0);
  const colon = text.lastIndexOf(':');
  if (colon < 1) throw malformed(index, 'digest without algorithm');
  return Buffer.concat([
    Buffer.from(`${text.slice(0, colon + 1)}\0`, 'latin1'),
    decodeHex(text.slice(colon + 1), index),
  ]);
}

function decodeHex(text: string, index: number): Buffer {
  if (!HEX.test(text)) throw malformed(index, 'not hexadecimal');
  return Buffer.from(text, 'hex');
}

function malformed(index: number, reason: string): EvidenceError {
  return new EvidenceError('ERR_EVIDENCE_MALFORMED', `IMA list: ${reason} (entry ${index})`);
}
