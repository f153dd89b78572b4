import { type BytePath, formatBytePath, toBytePath } from './byte-path.ts';
import { EvidenceError } from './evidence-error.ts';

const MAX_CHARS = 64 * 1024;

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
  if (!text.includes('%')) return Buffer.from(text, 'utf8');
  // Split keeps the captured hex digits: every second part is one.
  const parts = text.split(/%([0-9A-F]{2})/);
  return Buffer.concat(parts.map((part, index) => Buffer.from(part, index % 2 === 1 ? 'hex' : 'utf8')));
}
