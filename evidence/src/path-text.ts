import { type BytePath, formatBytePath, toBytePath } from './byte-path.ts';
import { EvidenceError } from './evidence-error.ts';

const MAX_CHARS = 64 * 1024;
const PERCENT = 0x25;

/**
 * Reads a path from the text that `formatBytePath` gives it, and accepts no other text for the same path.
 *
 * Throws `EvidenceError` ERR_EVIDENCE_LIMIT or ERR_EVIDENCE_ENCODING.
 */
export function parseBytePath(text: string): BytePath {
  if (text.length > MAX_CHARS) throw new EvidenceError('ERR_EVIDENCE_LIMIT', 'path is too long');
  const path = readPath(decodePercent(text));
  if (formatBytePath(path) !== text) throw new EvidenceError('ERR_EVIDENCE_ENCODING', 'path text is not canonical');
  return path;
}

function readPath(bytes: Buffer): BytePath {
  try {
    return toBytePath(bytes);
  } catch (cause) {
    throw new EvidenceError('ERR_EVIDENCE_ENCODING', 'path is not absolute and normal', { cause });
  }
}

function decodePercent(text: string): Buffer {
  const bytes = Buffer.from(text, 'utf8');
  if (!text.includes('%')) return bytes;
  let end = 0;
  for (let at = 0; at < bytes.length; at += 1) {
    const byte = readEscape(bytes, at);
    bytes[end] = byte ?? bytes[at] ?? 0;
    if (byte !== undefined) at += 2;
    end += 1;
  }
  return bytes.subarray(0, end);
}

/** The byte that `%XX` stands for, where that stands here. */
function readEscape(bytes: Buffer, at: number): number | undefined {
  if (bytes[at] !== PERCENT) return undefined;
  const high = readDigit(bytes[at + 1]);
  const low = readDigit(bytes[at + 2]);
  return high === undefined || low === undefined ? undefined : high * 16 + low;
}

/** A hexadecimal digit, upper case only. */
function readDigit(code = 0): number | undefined {
  if (code >= 0x30 && code <= 0x39) return code - 0x30;
  return code >= 0x41 && code <= 0x46 ? code - 0x37 : undefined;
}
