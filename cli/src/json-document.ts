import { EvidenceError, type JsonValue, parseStrictJson } from '@holdfast/evidence';
import { undecided } from './cli-error.ts';
import { readInputFile } from './input-file.ts';

/** An inventory of as many packages as there may be has two members of each in ten. */
const MAX_MEMBERS = 4_000_000;
const MAX_DEPTH = 64;

/** Reads a JSON file that a person named, once and whole, at most `maxBytes`. Throws a sentence for everything else. */
export async function readJsonDocument(path: string, maxBytes: number): Promise<JsonValue> {
  return parseJsonDocument(await readInputFile(path, maxBytes), path, maxBytes);
}

/** Parses JSON out of a file; throws a sentence that names the file. */
export function parseJsonDocument(bytes: Uint8Array, path: string, maxBytes: number): JsonValue {
  try {
    return parseStrictJson(bytes, { maxBytes, maxDepth: MAX_DEPTH, maxKeys: MAX_MEMBERS });
  } catch (error) {
    if (error instanceof EvidenceError) throw undecided(`${path}: ${error.message}`, error);
    throw error;
  }
}
