import { EvidenceError } from '../evidence-error.ts';
import { checkBase64url } from './base64url.ts';
import type { JsonValue } from './strict-json.ts';

/** Says whether a parsed JSON value is exactly a `T`: type, bounds, and no member that `T` does not have. */
export interface Shape<T> {
  /**
   * The first thing that is wrong with a value, behind the path that leads to it from there (`.name[0]: reason`);
   * undefined for a `T`. The path is put together on the way out, since nearly every value is as it should be.
   */
  readonly findFault: (value: unknown) => string | undefined;
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
    return { name, isOptional, findFault: (isOptional ? field.optional : field).findFault };
  });
  const names = new Set(entries.map(({ name }) => name));
  return createShape((value) => {
    if (!isJsonObject(value)) return ': object expected';
    for (const name of Object.keys(value)) {
      if (!names.has(name)) return ': unknown member';
    }
    for (const { name, isOptional, findFault } of entries) {
      if (Object.hasOwn(value, name)) {
        const fault = findFault(value[name]);
        if (fault !== undefined) return `.${name}${fault}`;
      } else if (!isOptional) return `.${name}: missing`;
    }
    return undefined;
  });
}

/** Marks a member that may be absent. */
export function optional<T>(shape: Shape<T>): OptionalShape<T> {
  return { optional: shape };
}

export function nullable<T>({ findFault }: Shape<T>): Shape<T | null> {
  return createShape((value) => (value === null ? undefined : findFault(value)));
}

export interface ArrayBounds {
  readonly min?: number;
  readonly max: number;
}

export function array<T>({ findFault }: Shape<T>, { min = 0, max }: ArrayBounds): Shape<T[]> {
  return createShape((value) => {
    if (!Array.isArray(value)) return ': array expected';
    if (value.length < min || value.length > max) return `: ${min} to ${max} elements expected`;
    for (let index = 0; index < value.length; index += 1) {
      const fault = findFault(value[index]);
      if (fault !== undefined) return `[${index}]${fault}`;
    }
    return undefined;
  });
}

/** An object whose member names match a pattern. */
export function record<T>(name: RegExp, { findFault }: Shape<T>, { max }: ArrayBounds): Shape<Record<string, T>> {
  return createShape((value) => {
    if (!isJsonObject(value)) return ': object expected';
    const names = Object.keys(value);
    if (names.length > max) return `: more than ${max} members`;
    for (const key of names) {
      if (!name.test(key)) return ': forbidden member name';
      const fault = findFault(value[key]);
      if (fault !== undefined) return `.*${fault}`;
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
  return createShape((value) => {
    if (typeof value !== 'string') return ': string expected';
    if (value.length > max || value.length < min) return `: ${min} to ${max} characters expected`;
    // Text out of strict JSON is well-formed already; what is yet to be written may not be.
    const isForm = value.isWellFormed() && (pattern === undefined || pattern.test(value));
    return isForm ? undefined : ': not in its form';
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
  return createShape((value) => {
    if (typeof value !== 'number' || !Number.isSafeInteger(value)) return ': whole number expected';
    return value < min || value > max ? ': number out of range' : undefined;
  });
}

export const boolean: Shape<boolean> = createShape((value) =>
  typeof value === 'boolean' ? undefined : ': boolean expected',
);

/** One of a closed list of strings or numbers. */
export function oneOf<const T extends readonly (string | number)[]>(...values: T): Shape<T[number]> {
  const known = new Set<unknown>(values);
  return createShape((value) => (known.has(value) ? undefined : ': unknown value'));
}

/** A pair, such as `[name, number]`. */
export function pair<A, B>(first: Shape<A>, second: Shape<B>): Shape<[A, B]> {
  return createShape((value) => {
    if (!Array.isArray(value) || value.length !== 2) return ': pair expected';
    const fault = first.findFault(value[0]);
    if (fault !== undefined) return `[0]${fault}`;
    const other = second.findFault(value[1]);
    return other === undefined ? undefined : `[1]${other}`;
  });
}

/** An array of one element. */
export function single<T>(element: Shape<T>): Shape<[T]> {
  return createShape((value) => {
    if (!Array.isArray(value) || value.length !== 1) return ': one element expected';
    const fault = element.findFault(value[0]);
    return fault === undefined ? undefined : `[0]${fault}`;
  });
}

/** One thing when it is a string, another when it is not. */
export function stringOr<T>(text: Shape<string>, other: Shape<T>): Shape<string | T> {
  return createShape((value) => (typeof value === 'string' ? text.findFault(value) : other.findFault(value)));
}

/** Canonical base64url of so many bytes; other text of that length is ERR_EVIDENCE_ENCODING. */
export function base64url(minBytes: number, maxBytes = minBytes): Shape<string> {
  const min = Math.ceil((minBytes * 4) / 3);
  const max = Math.ceil((maxBytes * 4) / 3);
  return refine(string({ min, max }), (text) => {
    checkBase64url(text);
    return undefined;
  });
}

/** Any string of at most so many characters. */
export function text(max: number): Shape<string> {
  return string({ max });
}

/** A shape with one more condition, which says what is wrong or nothing. */
export function refine<T>(shape: Shape<T>, findFault: (value: T) => string | undefined): Shape<T> {
  return createShape((value) => {
    const fault = shape.findFault(value);
    if (fault !== undefined) return fault;
    assumeShape(shape, value);
    const other = findFault(value);
    return other === undefined ? undefined : `: ${other}`;
  });
}

/** Lower-case hex of so many bytes. */
export function hex(bytes: number): Shape<string> {
  return string({ min: bytes * 2, max: bytes * 2, pattern: /^[0-9a-f]*$/ });
}

/** `sha256:` and 64 hex digits, as OCI names content. */
export const ociDigest: Shape<string> = string({ max: 71, pattern: /^sha256:[0-9a-f]{64}$/ });

function createShape<T>(findFault: (value: unknown) => string | undefined): Shape<T> {
  return {
    findFault,
    check(value: unknown, path: string): asserts value is T {
      const fault = findFault(value);
      if (fault !== undefined) throw new EvidenceError('ERR_EVIDENCE_CLAIMS', `${path}${fault}`);
    },
  };
}

/** Tells the compiler what a shape has just said. */
function assumeShape<T>(_shape: Shape<T>, _value: unknown): asserts _value is T {}

function isJsonObject(value: unknown): value is Record<string, unknown> {
  return typeof value === 'object' && value !== null && !Array.isArray(value);
}
