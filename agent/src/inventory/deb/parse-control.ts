import { copyText, readLines } from '../text-lines.ts';

/** One paragraph of a control file: field names in lower case, values with continuation lines joined by line feeds. */
export type Stanza = ReadonlyMap<string, string>;

export interface ControlFile {
  readonly stanzas: readonly Stanza[];
  /** Lines that begin a package, counted without regard to paragraphs. */
  readonly packageLines: number;
  /** It holds more than was wanted; what comes behind that was not read. */
  readonly isCut: boolean;
}

export interface ControlLimits {
  readonly maxStanzas: number;
  /** Characters of all values that are kept. */
  readonly maxChars: number;
}

/** Longest value kept; only package lists and conffiles come near it. */
const MAX_VALUE_CHARS = 1024 * 1024;

/**
 * Reads the paragraphs of a Debian control file (deb822(5)) for the fields asked for, as latin1.
 *
 * Made to miss nothing that dpkg would see: any number of empty or blank lines between paragraphs, carriage returns, no
 * final line feed, blanks before the colon, any case; a second `Package` line starts a new paragraph. `packageLines` is
 * counted on its own, so that a caller can tell when the two ways of reading disagree.
 */
export function parseControl(bytes: Buffer, fields: ReadonlySet<string>, limits: ControlLimits): ControlFile {
  const reader = new ControlReader(fields, limits);
  let packageLines = 0;
  readLines(bytes, (given) => {
    const line = given.endsWith('\r') ? given.slice(0, -1) : given;
    if (isPackageLine(line)) packageLines += 1;
    reader.push(line);
    return !reader.isFull;
  });
  return { stanzas: reader.finish(), packageLines, isCut: reader.isFull };
}

function isPackageLine(line: string): boolean {
  const first = line[0];
  return (first === 'P' || first === 'p') && /^package[ \t]*:/i.test(line);
}

/** In ASCII. */
function isVisible(code: number): boolean {
  return code > 0x20 && code < 0x7f;
}

class ControlReader {
  readonly #fields: ReadonlySet<string>;
  readonly #firstLetters: ReadonlySet<number>;
  readonly #limits: ControlLimits;
  readonly #stanzas: Stanza[] = [];
  #chars = 0;
  #stanza = new Map<string, string>();
  #field: string | undefined;

  constructor(fields: ReadonlySet<string>, limits: ControlLimits) {
    this.#fields = fields;
    const forms = [...fields].flatMap((field) => [field, field.toUpperCase()]);
    this.#firstLetters = new Set(forms.map((field) => field.charCodeAt(0)));
    this.#limits = limits;
  }

  get isFull(): boolean {
    return this.#stanzas.length > this.#limits.maxStanzas || this.#chars > this.#limits.maxChars;
  }

  push(line: string): void {
    const first = line[0];
    const isContinued = first === ' ' || first === '\t';
    // Most lines are of fields that nobody asked for, and no blank ones.
    if (isContinued && this.#field === undefined && isVisible(line.charCodeAt(1))) return;
    if (line.trim() === '') this.#endStanza();
    else if (isContinued) this.#continue(line.trim());
    else this.#start(line);
  }

  finish(): Stanza[] {
    this.#endStanza();
    return this.#stanzas;
  }

  #continue(line: string): void {
    if (this.#field === undefined) return;
    const value = this.#stanza.get(this.#field) ?? '';
    if (value.length + line.length < MAX_VALUE_CHARS) this.#keep(this.#field, `${value}\n`, line);
  }

  #start(line: string): void {
    this.#field = undefined;
    if (!this.#firstLetters.has(line.charCodeAt(0))) return;
    const colon = line.indexOf(':');
    const name = line.slice(0, Math.max(colon, 0)).trimEnd().toLowerCase();
    this.#field = this.#fields.has(name) ? name : undefined;
    if (this.#field === undefined) return;
    if (name === 'package' && this.#stanza.has(name)) {
      this.#endStanza();
      this.#field = name;
    }
    if (!this.#stanza.has(name)) this.#keep(name, '', line.slice(colon + 1).trim());
  }

  #keep(field: string, before: string, value: string): void {
    this.#chars += value.length;
    this.#stanza.set(field, before + copyText(value));
  }

  #endStanza(): void {
    if (this.#stanza.size > 0) this.#stanzas.push(this.#stanza);
    this.#stanza = new Map();
    this.#field = undefined;
  }
}
