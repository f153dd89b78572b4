import { copyText, readLines } from '../text-lines.ts';

/** One package of an apk database; text is latin1. */
export interface ApkRecord {
  readonly fields: ReadonlyMap<string, string>;
  /** Paths relative to the root, with the SHA-1 (hex) where the database has one. */
  readonly files: readonly { readonly path: string; readonly sha1: string | undefined }[];
}

export interface ApkDatabase {
  readonly records: readonly ApkRecord[];
  /** It holds more than was wanted; what comes behind that was not read. */
  readonly isCut: boolean;
}

export interface ApkLimits {
  readonly maxRecords: number;
  /** Characters of all values that are kept. */
  readonly maxChars: number;
}

const MAX_FILES = 500_000;

/**
 * Reads an installed database of apk-tools: lines `X:value`, a package up to an empty line. `F:` names a directory, `R:`
 * a file in it, `Z:` the checksum of the file before it (`Q1` and base64 is SHA-1). apk-tools, "apk v2 installed db".
 *
 * A second `P:` in one paragraph starts a new package, so that a missing empty line hides nothing.
 */
export function parseApk(bytes: Buffer, limits: ApkLimits): ApkDatabase {
  const reader = new ApkReader(limits);
  readLines(bytes, (line) => {
    reader.push(line.endsWith('\r') ? line.slice(0, -1) : line);
    return !reader.isFull;
  });
  return { records: reader.finish(), isCut: reader.isFull };
}

class ApkReader {
  readonly #records: ApkRecord[] = [];
  #fields = new Map<string, string>();
  #files: { path: string; sha1: string | undefined }[] = [];
  #directory = '';
  #fileCount = 0;
  #chars = 0;
  readonly #limits: ApkLimits;

  constructor(limits: ApkLimits) {
    this.#limits = limits;
  }

  get isFull(): boolean {
    const isTooMuch = this.#chars > this.#limits.maxChars || this.#fileCount > MAX_FILES;
    return isTooMuch || this.#records.length > this.#limits.maxRecords;
  }

  push(line: string): void {
    if (line.trim() === '') {
      this.#endRecord();
      return;
    }
    if (line[1] !== ':') return;
    const key = line.slice(0, 1);
    const value = line.slice(2);
    if (key === 'F') this.#directory = this.#copy(value);
    else if (key === 'R') this.#addFile(value);
    else if (key === 'Z') this.#setChecksum(value);
    else this.#setField(key, value);
  }

  finish(): ApkRecord[] {
    this.#endRecord();
    return this.#records;
  }

  #addFile(name: string): void {
    this.#fileCount += 1;
    const own = this.#copy(name);
    this.#files.push({ path: this.#directory === '' ? own : `${this.#directory}/${own}`, sha1: undefined });
  }

  #copy(value: string): string {
    this.#chars += value.length;
    return copyText(value);
  }

  #setChecksum(value: string): void {
    const file = this.#files.at(-1);
    if (file === undefined || !value.startsWith('Q1')) return;
    const sha1 = Buffer.from(value.slice(2), 'base64');
    if (sha1.length === 20) file.sha1 = sha1.toString('hex');
  }

  #setField(key: string, value: string): void {
    if (key === 'P' && this.#fields.has('P')) this.#endRecord();
    if (!this.#fields.has(key)) this.#fields.set(key, this.#copy(value.trim()));
  }

  #endRecord(): void {
    if (this.#fields.size > 0) this.#records.push({ fields: this.#fields, files: this.#files });
    this.#fields = new Map();
    this.#files = [];
    this.#directory = '';
  }
}
