import type { JsonValue } from '@holdfast/evidence';

/** Readers of JSON that somebody else wrote: what is missing or of another type is undefined or empty. */

export function readMember(value: JsonValue | undefined, ...names: readonly string[]): JsonValue | undefined {
  let at = value;
  for (const name of names) {
    if (typeof at !== 'object' || at === null || Array.isArray(at) || !Object.hasOwn(at, name)) return undefined;
    at = at[name];
  }
  return at;
}

export function readString(value: JsonValue | undefined): string | undefined {
  return typeof value === 'string' ? value : undefined;
}

export function readInteger(value: JsonValue | undefined): number | undefined {
  return typeof value === 'number' && Number.isSafeInteger(value) ? value : undefined;
}

export function readList(value: JsonValue | undefined): readonly JsonValue[] {
  return Array.isArray(value) ? value : [];
}

/** The strings of a list; others are left out. */
export function readStrings(value: JsonValue | undefined): string[] {
  return readList(value).filter((item) => typeof item === 'string');
}
