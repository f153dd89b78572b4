/** Reads the fields of one JSON object; every refusal goes through the `fail` that the reader was made with. */
export interface FieldReader {
  /** A non-empty string without NUL of at most `maxLength` characters (4096 by default). */
  text(name: string, maxLength?: number): string;
  /** host:port, [IPv6]:port; the port may be 0. */
  address(name: string): string;
  integer(name: string, min: number, max: number): number;
  oneOf<const T extends string>(name: string, values: readonly T[]): T;
  object(name: string): FieldReader;
  /** An array of at most 1,024 objects. */
  list(name: string): FieldReader[];
  /** An array of at most `max` texts. */
  texts(name: string, max: number): string[];
  /** `read()` where the field is there and not null, else `fallback`. */
  optional<T, F>(name: string, read: () => T, fallback: F): T | F;
  /** Refuses every field that nobody asked for. */
  end(): void;
}

type Fail = (message: string) => never;

/** Makes a reader of `document`, called `where` in sentences. Fails at once when it is not an object. */
export function readFields(document: unknown, where: string, fail: Fail): FieldReader {
  const record = toRecord(document) ?? fail(`${where} must be a JSON object`);
  const asked = new Set<string>();
  const get = (name: string): unknown => {
    asked.add(name);
    return Object.hasOwn(record, name) ? record[name] : undefined;
  };
  const refuse = (name: string, what: string): never => fail(`"${name}" in ${where} must be ${what}`);
  return {
    text: (name, maxLength = 4096) => toText(get(name), maxLength) ?? refuse(name, 'a non-empty string'),
    address: (name) => toAddress(get(name)) ?? refuse(name, 'host:port, such as 127.0.0.1:7443'),
    integer: (name, min, max) =>
      toInteger(get(name), min, max) ?? refuse(name, `a whole number between ${min} and ${max}`),
    oneOf: (name, values) => {
      const value = get(name);
      return values.find((candidate) => candidate === value) ?? refuse(name, `one of ${values.join(', ')}`);
    },
    object: (name) => readFields(get(name), `"${name}" of ${where}`, fail),
    list: (name) => {
      const value = get(name);
      if (!Array.isArray(value) || value.length > 1024) return refuse(name, 'an array of at most 1024 objects');
      return value.map((item: unknown, index) => readFields(item, `"${name}"[${index}] of ${where}`, fail));
    },
    texts: (name, max) => toTexts(get(name), max) ?? refuse(name, `an array of at most ${max} non-empty strings`),
    optional: (name, read, fallback) => ((get(name) ?? null) === null ? fallback : read()),
    end: () => {
      const unknown = Object.keys(record).find((name) => !asked.has(name));
      if (unknown !== undefined) fail(`"${unknown}" is not a setting of ${where}`);
    },
  };
}

function toRecord(value: unknown): Record<string, unknown> | undefined {
  if (typeof value !== 'object' || value === null || Array.isArray(value)) return undefined;
  return Object.fromEntries(Object.entries(value));
}

function toText(value: unknown, maxLength: number): string | undefined {
  if (typeof value !== 'string' || value === '' || value.length > maxLength || value.includes('\0')) return undefined;
  return value;
}

function toTexts(value: unknown, max: number): string[] | undefined {
  if (!Array.isArray(value) || value.length > max) return undefined;
  const texts = value.flatMap((item: unknown) => toText(item, 4096) ?? []);
  return texts.length === value.length ? texts : undefined;
}

function toAddress(value: unknown): string | undefined {
  if (typeof value !== 'string') return undefined;
  const match = /^(?:\[[0-9a-fA-F:.]+\]|[A-Za-z0-9._-]+):(\d{1,5})$/.exec(value);
  return match !== null && Number(match[1]) <= 65_535 ? value : undefined;
}

function toInteger(value: unknown, min: number, max: number): number | undefined {
  return typeof value === 'number' && Number.isInteger(value) && value >= min && value <= max ? value : undefined;
}
