import { EvidenceError } from '../evidence-error.ts';

export type JsonValue = null | boolean | number | string | JsonValue[] | { [name: string]: JsonValue };

/** Bounds on foreign JSON. */
export interface JsonLimits {
  /** Default 1 MiB. */
  readonly maxBytes?: number;
  /** Nesting of arrays and objects; default 16. */
  readonly maxDepth?: number;
  /** Object members and array elements in all; default 100,000. */
  readonly maxKeys?: number;
}

const numberAt = /-?(?:0|[1-9][0-9]*)(?:\.[0-9]+)?(?:[eE][+-]?[0-9]+)?/y;
const QUOTE = 0x22;
const BACKSLASH = 0x5c;
const FIRST_SURROGATE = 0xd800;
const utf8 = new TextDecoder('utf-8', { fatal: true, ignoreBOM: true });

/**
 * Parses one JSON document as RFC 8259 has it and refuses what parsers are known to read in different ways: duplicate
 * names, the name `__proto__`, text that is not UTF-8, a byte order mark, lone surrogates, numbers beyond a double.
 *
 * Throws `EvidenceError` ERR_EVIDENCE_LIMIT past a limit and ERR_EVIDENCE_MALFORMED for the rest.
 */
export function parseStrictJson(input: string | Uint8Array, limits: JsonLimits = {}): JsonValue {
  const maxBytes = limits.maxBytes ?? 1024 * 1024;
  const bytes = typeof input === 'string' ? Buffer.byteLength(input) : input.length;
  if (bytes > maxBytes) throw new EvidenceError('ERR_EVIDENCE_LIMIT', `JSON is longer than ${maxBytes} bytes`);
  const text = typeof input === 'string' ? input : decodeUtf8(input);
  return new JsonReader(text, limits.maxDepth ?? 16, limits.maxKeys ?? 100_000).document();
}

function decodeUtf8(bytes: Uint8Array): string {
  try {
    return utf8.decode(bytes);
  } catch (cause) {
    throw new EvidenceError('ERR_EVIDENCE_MALFORMED', 'JSON is not UTF-8', { cause });
  }
}

class JsonReader {
  readonly #text: string;
  readonly #maxDepth: number;
  readonly #maxKeys: number;
  #at = 0;
  #keys = 0;
  #depth = 0;

  constructor(text: string, maxDepth: number, maxKeys: number) {
    this.#text = text;
    this.#maxDepth = maxDepth;
    this.#maxKeys = maxKeys;
  }

  document(): JsonValue {
    this.#skipSpace();
    const value = this.#value();
    this.#skipSpace();
    if (this.#at !== this.#text.length) throw this.#malformed('text after the document');
    return value;
  }

  #value(): JsonValue {
    switch (this.#text[this.#at]) {
      case '{':
        return this.#object();
      case '[':
        return this.#array();
      case '"':
        return this.#string();
      case 't':
        return this.#word('true', true);
      case 'f':
        return this.#word('false', false);
      case 'n':
        return this.#word('null', null);
      default:
        return this.#number();
    }
  }

  #object(): JsonValue {
    const members: { [name: string]: JsonValue } = {};
    if (this.#opensEmpty('}')) return members;
    do {
      const name = this.#string();
      if (name === '__proto__') throw this.#malformed('forbidden member name');
      if (Object.hasOwn(members, name)) throw this.#malformed('duplicate member name');
      this.#skipSpace();
      if (this.#text[this.#at] !== ':') throw this.#malformed('colon expected');
      this.#at += 1;
      this.#skipSpace();
      members[name] = this.#value();
    } while (this.#continues('}'));
    return members;
  }

  #array(): JsonValue {
    const elements: JsonValue[] = [];
    if (this.#opensEmpty(']')) return elements;
    do {
      elements.push(this.#value());
    } while (this.#continues(']'));
    return elements;
  }

  #opensEmpty(close: string): boolean {
    this.#at += 1;
    this.#depth += 1;
    if (this.#depth > this.#maxDepth) {
      throw new EvidenceError('ERR_EVIDENCE_LIMIT', `JSON is nested deeper than ${this.#maxDepth}`);
    }
    this.#skipSpace();
    if (this.#text[this.#at] !== close) {
      this.#countMember();
      return false;
    }
    this.#close();
    return true;
  }

  #continues(close: string): boolean {
    this.#skipSpace();
    const next = this.#text[this.#at];
    if (next === close) {
      this.#close();
      return false;
    }
    if (next !== ',') throw this.#malformed('comma or bracket expected');
    this.#countMember();
    this.#at += 1;
    this.#skipSpace();
    return true;
  }

  #close(): void {
    this.#at += 1;
    this.#depth -= 1;
  }

  #countMember(): void {
    this.#keys += 1;
    if (this.#keys > this.#maxKeys) {
      throw new EvidenceError('ERR_EVIDENCE_LIMIT', `JSON has more than ${this.#maxKeys} members`);
    }
  }

  #string(): string {
    const text = this.#text;
    const start = this.#at;
    if (text.charCodeAt(start) !== QUOTE) throw this.#malformed('string expected');
    let at = start + 1;
    let isEscaped = false;
    let isWide = false;
    for (let code = text.charCodeAt(at); code !== QUOTE; code = text.charCodeAt(at)) {
      if (!(code >= 0x20)) throw this.#malformed('control character or end in a string');
      if (code === BACKSLASH) isEscaped = true;
      if (code >= FIRST_SURROGATE) isWide = true;
      at += code === BACKSLASH ? 2 : 1;
    }
    this.#at = at + 1;
    if (isEscaped) return this.#wellFormed(this.#unescape(text.slice(start, at + 1)));
    return isWide ? this.#wellFormed(text.slice(start + 1, at)) : text.slice(start + 1, at);
  }

  #unescape(literal: string): string {
    try {
      return String(JSON.parse(literal));
    } catch (cause) {
      throw new EvidenceError('ERR_EVIDENCE_MALFORMED', `JSON: bad escape before ${this.#at}`, { cause });
    }
  }

  #wellFormed(text: string): string {
    if (!text.isWellFormed()) throw this.#malformed('lone surrogate');
    return text;
  }

  #number(): number {
    const digits = this.#match(numberAt);
    if (digits === undefined) throw this.#malformed('value expected');
    const value = Number(digits);
    if (!Number.isFinite(value)) throw this.#malformed('number out of range');
    return value;
  }

  #word<T extends JsonValue>(word: string, value: T): T {
    if (!this.#text.startsWith(word, this.#at)) throw this.#malformed('value expected');
    this.#at += word.length;
    return value;
  }

  #skipSpace(): void {
    while (isSpace(this.#text.charCodeAt(this.#at))) this.#at += 1;
  }

  #match(pattern: RegExp): string | undefined {
    pattern.lastIndex = this.#at;
    const found = pattern.exec(this.#text)?.[0];
    if (found !== undefined) this.#at += found.length;
    return found;
  }

  #malformed(reason: string): EvidenceError {
    return new EvidenceError('ERR_EVIDENCE_MALFORMED', `JSON: ${reason} at ${this.#at}`);
  }
}

function isSpace(code: number): boolean {
  return code === 0x20 || code === 0x0a || code === 0x0d || code === 0x09;
}
