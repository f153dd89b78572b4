/** Makes the error that says which field was refused and why. */
export type FieldFailure = (message: string, cause?: unknown) => Error;

interface StringRule {
  /** Defaults to 4,096 characters. */
  maxLength?: number;
  pattern?: RegExp;
}

const DEFAULT_MAX_LENGTH = 4096;

/**
 * Reads typed fields out of one parsed JSON object and refuses whatever is not as asked.
 *
 * Only own properties count. Trust status: none; the caller decides what the values mean. Throws what `failure` makes.
 */
export class FieldReader {
  readonly path: string;
  readonly #fields: ReadonlyMap<string, unknown>;
  readonly #failure: FieldFailure;

  constructor(value: unknown, path: string, failure: FieldFailure) {
    if (typeof value !== 'object' || value === null || Array.isArray(value)) throw failure(`${path} is not an object`);
    this.path = path;
    this.#fields = new Map(Object.entries(value));
    this.#failure = failure;
  }

  /** Refuses fields that are not named. */
  only(names: readonly string[]): this {
    for (const name of this.#fields.keys()) {
      if (!names.includes(name)) throw this.#failure(`${this.path} has a field that is not known`);
    }
    return this;
  }

  has(name: string): boolean {
    return this.#fields.has(name);
  }

  /** The value as parsed; undefined where it is missing. */
  raw(name: string): unknown {
    return this.#fields.get(name);
  }

  string(name: string, rule: StringRule = {}): string {
    return this.#checkString(this.#fields.get(name), `${this.path}.${name}`, rule);
  }

  optionalString(name: string, rule: StringRule = {}): string | undefined {
    return this.#fields.has(name) ? this.string(name, rule) : undefined;
  }

  oneOf<T extends string>(name: string, values: readonly T[]): T {
    const value = this.#fields.get(name);
    const found = values.find((candidate) => candidate === value);
    if (found === undefined) throw this.#failure(`${this.path}.${name} is none of ${values.join(', ')}`);
    return found;
  }

  /** A whole number from `min` (default 0) up to what a double holds exactly. */
  integer(name: string, min = 0): number {
    const value = this.#fields.get(name);
    if (typeof value !== 'number' || !Number.isSafeInteger(value) || value < min) {
      throw this.#failure(`${this.path}.${name} is not a whole number of at least ${min}`);
    }
    return value;
  }

  object(name: string): FieldReader {
    return new FieldReader(this.#fields.get(name), `${this.path}.${name}`, this.#failure);
  }

  optionalObject(name: string): FieldReader | undefined {
    return this.#fields.has(name) ? this.object(name) : undefined;
  }

  /** Elements of an array of at most `max`; a missing array is refused. */
  array(name: string, max: number): readonly unknown[] {
    const value: unknown = this.#fields.get(name);
    if (!Array.isArray(value)) throw this.#failure(`${this.path}.${name} is not a list`);
    if (value.length > max) throw this.#failure(`${this.path}.${name} has more than ${max} entries`);
    return value;
  }

  objects(name: string, max: number): FieldReader[] {
    return this.array(name, max).map((value, i) => new FieldReader(value, `${this.path}.${name}[${i}]`, this.#failure));
  }

  /** As `objects`; a missing array is empty. */
  optionalObjects(name: string, max: number): FieldReader[] {
    return this.#fields.has(name) ? this.objects(name, max) : [];
  }

  strings(name: string, max: number, rule: StringRule = {}): string[] {
    return this.array(name, max).map((value, i) => this.#checkString(value, `${this.path}.${name}[${i}]`, rule));
  }

  /** Every field as a string, at most `max` of them. */
  entries(max: number, rule: StringRule = {}): [string, string][] {
    if (this.#fields.size > max) throw this.#failure(`${this.path} has more than ${max} fields`);
    return [...this.#fields].map(([name, value]) => [name, this.#checkString(value, `a field of ${this.path}`, rule)]);
  }

  /** Names of all fields. */
  names(): string[] {
    return [...this.#fields.keys()];
  }

  /** An RFC 3339 time as milliseconds since 1970. */
  time(name: string): number {
    const time = parseRfc3339(this.string(name, { maxLength: 40 }));
    if (time === undefined) throw this.#failure(`${this.path}.${name} is not a time as in RFC 3339`);
    return time;
  }

  #checkString(value: unknown, path: string, rule: StringRule): string {
    if (typeof value !== 'string') throw this.#failure(`${path} is not a string`);
    if (value.length > (rule.maxLength ?? DEFAULT_MAX_LENGTH)) throw this.#failure(`${path} is too long`);
    if (rule.pattern !== undefined && !rule.pattern.test(value))
      throw this.#failure(`${path} has not the form it needs`);
    return value;
  }
}

const RFC_3339 = /^(\d{4})-(\d\d)-(\d\d)T(\d\d):(\d\d):(\d\d)(?:\.\d{1,9})?(?:Z|[+-]\d\d:\d\d)$/;

/** Milliseconds since 1970, undefined when the text is no RFC 3339 time. A day that does not exist is refused. */
function parseRfc3339(text: string): number | undefined {
  const match = RFC_3339.exec(text);
  if (match === null) return undefined;
  const [, year, month, day] = match;
  const daysInMonth = new Date(Date.UTC(Number(year), Number(month), 0)).getUTCDate();
  const ms = Date.parse(text);
  // Date.parse lets 30 February roll over into March.
  return Number.isNaN(ms) || Number(day) > daysInMonth ? undefined : ms;
}
