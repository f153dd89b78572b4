import { EvidenceError, type JsonValue, parseStrictJson } from '@holdfast/evidence';
import { undecided } from './cli-error.ts';
import { nameForeignText } from './foreign-format.ts';
import { readInputFile } from './input-file.ts';

/** Twenty members for each of as many packages as an inventory may have. */
const MAX_MEMBERS = 4_000_000;
const MAX_DEPTH = 64;
const BYTE_ORDER_MARK = Buffer.from('\ufeff');

/**
 * Reads a JSON file that a person named, once and whole, at most `maxBytes`; a byte order mark is passed over, as editors
 * put one there. Throws a sentence for everything else, which names the format where it is a known one.
 */
export async function readJsonDocument(path: string, maxBytes: number): Promise<JsonValue> {
  const bytes = await readInputFile(path, maxBytes);
  const isMarked = bytes.subarray(0, BYTE_ORDER_MARK.length).equals(BYTE_ORDER_MARK);
  return parseJsonDocument(isMarked ? bytes.subarray(BYTE_ORDER_MARK.length) : bytes, path, maxBytes);
}

/** Parses JSON that came out of a file; throws a sentence that names the file. */
export function parseJsonDocument(bytes: Uint8Array, path: string, maxBytes: number): JsonValue {
  const foreign = nameForeignText(bytes);
  if (foreign !== undefined) throw undecided(`${path} ${foreign}`);
  try {
    return parseStrictJson(bytes, { maxBytes, maxDepth: MAX_DEPTH, maxKeys: MAX_MEMBERS });
  } catch (error) {
    if (error instanceof EvidenceError) throw undecided(`${path}: ${error.message}`, error);
    throw error;
  }
}
