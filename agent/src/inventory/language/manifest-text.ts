import { isOverstructured } from './json-structure.ts';

/** No name or version of a package is longer. */
export const MAX_TEXT_BYTES = 512;

/** Printable text without blanks, as names and versions of packages are. Undefined for anything else. */
export function asPackageText(value: unknown): string | undefined {
  if (typeof value !== 'string' || value.length > MAX_TEXT_BYTES) return undefined;
  return /^[^\p{C}\p{Z}]+$/u.test(value) && Buffer.byteLength(value) <= MAX_TEXT_BYTES ? value : undefined;
}

/** Parses a manifest as a JSON object; what is no JSON is no manifest, and trees are full of broken test files. */
export function parseJsonObject(bytes: Buffer): Readonly<Record<string, unknown>> | undefined {
  return asObject(parseJson(bytes));
}

/** Parses JSON; undefined for what is none, and for what would take many times its size in memory. */
export function parseJson(bytes: Buffer): unknown {
  if (isOverstructured(bytes)) return undefined;
  const text = bytes.toString('utf8');
  try {
    return JSON.parse(text.startsWith('\uFEFF') ? text.slice(1) : text);
  } catch {
    return undefined;
  }
}

export function asObject(value: unknown): Readonly<Record<string, unknown>> | undefined {
  return isObject(value) ? value : undefined;
}

/** What JSON.parse made has own properties alone; `__proto__` is one of them and no prototype. */
function isObject(value: unknown): value is Readonly<Record<string, unknown>> {
  return typeof value === 'object' && value !== null && !Array.isArray(value);
}
