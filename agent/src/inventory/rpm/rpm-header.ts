import { malformedDatabase } from './page-budget.ts';

/** Tags of rpm's headers (rpm, include/rpm/rpmtag.h) that an inventory asks for. */
export const RPM_TAG = {
  name: 1000,
  version: 1001,
  release: 1002,
  epoch: 1003,
  arch: 1022,
  fileDigests: 1035,
  fileFlags: 1037,
  sourceRpm: 1044,
  directoryIndexes: 1116,
  baseNames: 1117,
  directoryNames: 1118,
  fileDigestAlgorithm: 5011,
} as const;

const INT32 = 4;
const STRING = 6;
const STRING_ARRAY = 8;
const I18N_STRING = 9;
const INTRO_BYTES = 8;
const ENTRY_BYTES = 16;
/** rpm's own bounds of a header. */
const MAX_ENTRIES = 0xffff;
const MAX_STORE_BYTES = 0x0fffffff;
/** Longest list of a tag: the largest packages have some hundred thousand files. */
const MAX_LIST = 1_000_000;

interface Entry {
  readonly type: number;
  readonly offset: number;
  readonly count: number;
}

/** The tags of one installed package; each is decoded when it is asked for. */
export class RpmHeader {
  readonly #entries: ReadonlyMap<number, Entry>;
  readonly #store: Buffer;

  constructor(entries: ReadonlyMap<number, Entry>, store: Buffer) {
    this.#entries = entries;
    this.#store = store;
  }

  /** Text of a single tag, as latin1. Undefined where the tag is missing. */
  text(tag: number): string | undefined {
    const entry = this.#entries.get(tag);
    if (entry === undefined) return undefined;
    if (entry.type !== STRING && entry.type !== I18N_STRING) throw malformedDatabase('a tag of another type');
    return this.#readTexts(entry, 1)[0];
  }

  /** Texts of a list, as latin1; empty where the tag is missing. */
  texts(tag: number): string[] {
    const entry = this.#entries.get(tag);
    if (entry === undefined) return [];
    if (entry.type !== STRING_ARRAY) throw malformedDatabase('a tag of another type');
    return this.#readTexts(entry, entry.count);
  }

  /** Unsigned numbers; empty where the tag is missing. */
  numbers(tag: number): number[] {
    const entry = this.#entries.get(tag);
    if (entry === undefined) return [];
    const { type, offset, count } = entry;
    if (type !== INT32 || offset + count * 4 > this.#store.length) throw malformedDatabase('a tag of another type');
    return Array.from({ length: count }, (_, at) => this.#store.readUInt32BE(offset + at * 4));
  }

  #readTexts({ offset }: Entry, count: number): string[] {
    const texts: string[] = [];
    for (let at = offset; texts.length < count; ) {
      const end = at < this.#store.length ? this.#store.indexOf(0, at) : -1;
      if (end === -1) throw malformedDatabase('a text without end');
      texts.push(this.#store.toString('latin1', at, end));
      at = end + 1;
    }
    return texts;
  }
}

/**
 * Parses a header as it lies in a package database: counts of entries and bytes, the index, the store. A tag that stands
 * twice is refused where an inventory asks for it, since readers would differ in which one counts.
 *
 * Throws `EvidenceError` ERR_EVIDENCE_MALFORMED. rpm, docs/manual/format_v4.md.
 */
export function parseRpmHeader(blob: Buffer): RpmHeader {
  if (blob.length < INTRO_BYTES) throw malformedDatabase('a header that is cut');
  const count = blob.readUInt32BE(0);
  const storeBytes = blob.readUInt32BE(4);
  const storeStart = INTRO_BYTES + count * ENTRY_BYTES;
  const isTooLarge = count > MAX_ENTRIES || storeBytes > MAX_STORE_BYTES;
  if (isTooLarge || count === 0 || storeStart + storeBytes > blob.length)
    throw malformedDatabase('a header that is cut');
  const entries = new Map<number, Entry>();
  for (let at = INTRO_BYTES; at < storeStart; at += ENTRY_BYTES) {
    const tag = blob.readUInt32BE(at);
    if (!WANTED.has(tag)) continue;
    if (entries.has(tag)) throw malformedDatabase('a tag that stands twice');
    const entry = {
      type: blob.readUInt32BE(at + 4),
      offset: blob.readUInt32BE(at + 8),
      count: blob.readUInt32BE(at + 12),
    };
    if (entry.count > MAX_LIST) throw malformedDatabase('a list that is too long');
    entries.set(tag, entry);
  }
  return new RpmHeader(entries, blob.subarray(storeStart, storeStart + storeBytes));
}

const WANTED: ReadonlySet<number> = new Set(Object.values(RPM_TAG));
