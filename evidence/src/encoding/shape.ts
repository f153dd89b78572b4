import { EvidenceError } from '../evidence-error.ts';
import { decodeBase64url } from './base64url.ts';
import type { JsonValue } from './strict-json.ts';

/** Says whether a parsed JSON value is exactly a `T`: type, bounds, and no member that `T` does not have. */
export interface Shape<T> {
  /** Throws `EvidenceError` ERR_EVIDENCE_CLAIMS; `path` leads to the value in its message. */
  check(value: unknown, path: string): asserts value is T;
}

interface OptionalShape<T> {
  readonly optional: Shape<T>;
}

type FieldShapes<T> = {
  readonly [K in keyof T]-?: Record<never, never> extends Pick<T, K>
    ? OptionalShape<Exclude<T[K], undefined>>
    : Shape<T[K]>;
};

/** Checks a parsed JSON value and gives it back as what it was found to be. */
export function readShape<T>(shape: Shape<T>, value: JsonValue, what: string): T {
  const checked: unknown = value;
  shape.check(checked, what);
  return checked;
}

/** An object with these members and no other. */
export function object<T extends object>(fields: FieldShapes<T>): Shape<T> {
  const entries = Object.entries<Shape<unknown> | OptionalShape<unknown>>(fields).map(([name, field]) => {
    const isOptional = 'optional' in field;
    return { name, isOptional, check: createCheck(isOptional ? field.optional : field) };
  });
  const names = new Set(entries.map(({ name }) => name));
  return createShape((value, path) => {
    if (!isJsonObject(value)) return `${path}: object expected`;
    for (const name of Object.keys(value)) {
      if (!names.has(name)) return `${path}: unknown member`;
    }
    for (const { name, isOptional, check } of entries) {
      if (Object.hasOwn(value, name)) check(value[name], `${path}.${name}`);
      else if (!isOptional) return `${path}.${name}: missing`;
    }
    return undefined;
  });
}

/** Marks a member that may be absent. */
export function optional<T>(shape: Shape<T>): OptionalShape<T> {
  return { optional: shape };
}

export function nullable<T>(shape: Shape<T>): Shape<T | null> {
  const check = createCheck(shape);
  return createShape((value, path) => {
    if (value !== null) check(value, path);
    return undefined;
  });
}

export interface ArrayBounds {
  readonly min?: number;
  readonly max: number;
}

export function array<T>(element: Shape<T>, { min = 0, max }: ArrayBounds): Shape<T[]> {
  const check = createCheck(element);
  return createShape((value, path) => {
    if (!Array.isArray(value)) return `${path}: array expected`;
    if (value.length < min || value.length > max) return `${path}: ${min} to ${max} elements expected`;
    for (const [index, item] of value.entries()) check(item, `${path}[${index}]`);
    return undefined;
  });
}

/** An object whose member names match a pattern. */
export function record<T>(name: RegExp, member: Shape<T>, { max }: ArrayBounds): Shape<Record<string, T>> {
  const check = createCheck(member);
  return createShape((value, path) => {
    if (!isJsonObject(value)) return `${path}: object expected`;
    const names = Object.keys(value);
    if (names.length > max) return `${path}: more than ${max} members`;
    for (const key of names) {
      if (!name.test(key)) return `${path}: forbidden member name`;
      check(value[key], `${path}.*`);
    }
    return undefined;
  });
}

export interface StringBounds {
  /** Characters (UTF-16 units). */
  readonly max: number;
  readonly min?: number;
  readonly pattern?: RegExp;
}

export function string({ max, min = 0, pattern }: StringBounds): Shape<string> {
  return createShape((value, path) => {
    if (typeof value !== 'string') return `${path}: string expected`;
    if (value.length > max || value.length < min) return `${path}: ${min} to ${max} characters expected`;
    if (pattern !== undefined && !pattern.test(value)) return `${path}: not in its form`;
    return undefined;
  });
}

/** A whole number within bounds; the upper one is 2^53 - 1 unless given. */
export function integer({
  min = 0,
  max = Number.MAX_SAFE_INTEGER,
}: {
  min?: number;
  max?: number;
} = {}): Shape<number> {
  return createShape((value, path) => {
    if (typeof value !== 'number' || !Number.isSafeInteger(value)) return `${path}: whole number expected`;
    return value < min || value > max ? `${path}: number out of range` : undefined;
  });
}

export const boolean: Shape<boolean> = createShape((value, path) =>
  typeof value === 'boolean' ? undefined : `${path}: boolean expected`,
);

/** One of a closed list of strings or numbers. */
export function oneOf<const T extends readonly (string | number)[]>(...values: T): Shape<T[number]> {
  const known = new Set<unknown>(values);
  return createShape((value, path) => (known.has(value) ? undefined : `${path}: unknown value`));
}

/** A pair, such as `[name, number]`. */
export function pair<A, B>(first: Shape<A>, second: Shape<B>): Shape<[A, B]> {
  const checkFirst = createCheck(first);
  const checkSecond = createCheck(second);
  return createShape((value, path) => {
    if (!Array.isArray(value) || value.length !== 2) return `${path}: pair expected`;
    checkFirst(value[0], `${path}[0]`);
    checkSecond(value[1], `${path}[1]`);
    return undefined;
  });
}

/** An array of one element. */
export function single<T>(element: Shape<T>): Shape<[T]> {
  const check = createCheck(element);
  return createShape((value, path) => {
    if (!Array.isArray(value) || value.length !== 1) return `${path}: one element expected`;
    check(value[0], `${path}[0]`);
    return undefined;
  });
}

/** One thing when it is a string, another when it is not. */
export function stringOr<T>(text: Shape<string>, other: Shape<T>): Shape<string | T> {
  const checkText = createCheck(text);
  const checkOther = createCheck(other);
  return createShape((value, path) => {
    (typeof value === 'string' ? checkText : checkOther)(value, path);
    return undefined;
  });
}

/** Canonical base64url of so many bytes. */
export function base64url(minBytes: number, maxBytes = minBytes): Shape<string> {
  const min = Math.ceil((minBytes * 4) / 3);
  const max = Math.ceil((maxBytes * 4) / 3);
  return refine(string({ min, max }), (text) => {
    decodeBase64url(text);
    return undefined;
  });
}

/** Any string of at most so many characters. */
export function text(max: number): Shape<string> {
  return string({ max });
}

/** A shape with one more condition, which says what is wrong or nothing. */
export function refine<T>(shape: Shape<T>, findFault: (value: T) => string | undefined): Shape<T> {
  return createShape((value, path) => {
    shape.check(value, path);
    const fault = findFault(value);
    return fault === undefined ? undefined : `${path}: ${fault}`;
  });
}

/** Lower-case hex of so many bytes. */
export function hex(bytes: number): Shape<string> {
  return string({ min: bytes * 2, max: bytes * 2, pattern: /^[0-9a-f]*$/ });
}

/** `sha256:` and 64 hex digits, as OCI names content. */
export const ociDigest: Shape<string> = string({ max: 71, pattern: /^sha256:[0-9a-f]{64}$/ });

function createShape<T>(findFault: (value: unknown, path: string) => string | undefined): Shape<T> {
  return {
    check(value: unknown, path: string): asserts value is T {
      const fault = findFault(value, path);
      if (fault !== undefined) throw new EvidenceError('ERR_EVIDENCE_CLAIMS', fault);
    },
  };
}

/** The check without its type assertion, for callers that pass the value on as it is. */
function createCheck(shape: Shape<unknown>): (value: unknown, path: string) => void {
  return (value, path) => shape.check(value, path);
}

function isJsonObject(value: unknown): value is Record<string, unknown> {
  return typeof value === 'object' && value !== null && !Array.isArray(value);
}
