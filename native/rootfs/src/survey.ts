import { checkInteger, checkOptions } from './arguments.ts';
import type { NativeSurvey } from './native.ts';
import type { EntryType } from './root-stat.ts';
import { guard, RootfsError } from './rootfs-error.ts';
import type { SurveySift } from './sift.ts';
import { decodeProblem, type WalkProblem } from './walk.ts';

/** Limits of a survey. Each that is hit throws ERR_ROOTFS_LIMIT, with `syscall` getdents64 (entries) or walk (depth). */
export interface SurveyOptions {
  /** Entries in all, 1 or more. */
  readonly maxEntries: number;
  /** Deepest entry allowed; those of the root have depth 1. Paths beyond 64 KiB are a limit too. */
  readonly maxDepth: number;
  /** Threads of the package that work ahead of the reader; none by default. */
  readonly helpers?: number;
}

/** What a survey tells of an entry. */
export type SurveyedEntry = QuietEntry | (Omit<QuietEntry, 'problem'> & { readonly problem: WalkProblem });

export interface QuietEntry {
  readonly type: EntryType;
  /** 0 to 0o7777. */
  readonly mode: number;
  readonly size: number;
  readonly problem?: undefined;
}

/** Paths and names are exact bytes as latin1, without a leading slash; the root is empty. */
export interface SurveyVisitor {
  /** A regular file, or anything with a problem. */
  entry(directory: string, name: string, entry: SurveyedEntry): void;
  /** A directory that could not be listed. */
  unlisted(directory: string, problem: WalkProblem): void;
  /** All is told but files that have to be looked into, which others may be doing: time for whatever else is to be done. */
  beforeHeads?(): void;
}

type SiftedBy = Pick<SurveySift, 'take' | 'rest' | 'heads'>;

/** All files of a tree, told directory by directory in no fixed order. Foreign data. */
export class TreeSurvey {
  readonly #native: NativeSurvey;
  readonly #everything: SiftedBy;
  /** Listed and not told yet, in order. */
  readonly #held: Buffer[] = [];

  /** Made by `RootHandle.startSurvey` only. */
  constructor(native: NativeSurvey, everything: SiftedBy) {
    this.#native = native;
    this.#everything = everything;
  }

  /**
   * Lists the rest of the tree before any of it is told, and gives the paths of all symbolic links in it. Undefined where
   * what waits to be told is more than `maxBytes`, or the links are very many: what is left is listed as it is told.
   */
  readAhead(maxBytes: number): string[] | undefined {
    for (let bytes = 0; bytes <= maxBytes; ) {
      const batch = guard(() => this.#native.next());
      if (batch === undefined) return splitLinks(guard(() => this.#native.links()));
      this.#held.push(batch);
      bytes += batch.length;
    }
    return undefined;
  }

  /**
   * Tells everything, once, or what `sift` leaves of it; what the visitor throws ends it. An entry that vanishes meanwhile
   * is left out.
   */
  tell(visitor: SurveyVisitor, sift: SiftedBy = this.#everything): void {
    try {
      const failure = this.#tellListed(visitor, sift);
      tellBatch(sift.rest(), visitor);
      visitor.beforeHeads?.();
      tellBatch(sift.heads(), visitor);
      if (failure !== undefined) throw failure;
    } finally {
      this.close();
    }
  }

  /** A limit of the listing, or another failure, is given back: what was listed before is told all the same. */
  #tellListed(visitor: SurveyVisitor, sift: SiftedBy): Error | undefined {
    for (;;) {
      let batch: Buffer | undefined;
      try {
        batch = this.#next();
      } catch (error) {
        if (error instanceof RootfsError) return error;
        throw error;
      }
      if (batch === undefined) return undefined;
      tellBatch(sift.take(batch), visitor);
    }
  }

  #next(): Buffer | undefined {
    return this.#held.shift() ?? guard(() => this.#native.next());
  }

  close(): void {
    this.#native.close();
  }

  [Symbol.dispose](): void {
    this.close();
  }
}

/** Checks the options; `helpers` is 0 where it is left out. */
export function checkSurveyOptions(options: SurveyOptions): Required<SurveyOptions> {
  checkOptions(options, ['maxEntries', 'maxDepth', 'helpers']);
  return {
    maxEntries: checkInteger(options.maxEntries, 'maxEntries', 1),
    maxDepth: checkInteger(options.maxDepth, 'maxDepth', 1),
    helpers: checkInteger(options.helpers ?? 0, 'helpers'),
  };
}

const RECORD_HEAD = 16;
const ENTRY_HEAD = 16;
const WORD = 4;
const TYPES: readonly EntryType[] = ['file', 'directory', 'symlink', 'char', 'block', 'fifo', 'socket'];

function splitLinks(packed: Buffer | undefined): string[] | undefined {
  const links = packed?.toString('latin1').split('\0');
  links?.pop();
  return links;
}

/**
 * One text for the whole batch, out of which names are cut, and one array of words: a fraction of what decoding each
 * field from the bytes takes.
 */
function tellBatch(batch: Buffer, visitor: SurveyVisitor): void {
  const text = batch.toString('latin1');
  const bytes = batch.byteOffset % WORD === 0 ? batch : new Uint8Array(batch);
  const words = new Uint32Array(bytes.buffer, bytes.byteOffset, Math.floor(bytes.length / WORD));
  const wordAt = (at: number): number => words[at / WORD] ?? 0;
  let at = 0;
  while (at < batch.length) {
    const end = at + wordAt(at);
    const pathEnd = at + RECORD_HEAD + wordAt(at + 4);
    if (end <= at || end % WORD !== 0 || pathEnd > end || end > batch.length) {
      throw new TypeError('a survey record has a wrong length');
    }
    const directory = text.slice(at + RECORD_HEAD, pathEnd);
    const problem = decodeProblem(wordAt(at + 12));
    if (problem !== undefined) visitor.unlisted(directory, problem);
    tellEntries(words, text, { directory, at: align(pathEnd), end, count: wordAt(at + 8) }, visitor);
    at = end;
  }
}

interface Span {
  readonly directory: string;
  readonly at: number;
  readonly end: number;
  readonly count: number;
}

function tellEntries(words: Uint32Array, text: string, { directory, at, end, count }: Span, visitor: SurveyVisitor) {
  let next = at;
  for (let index = 0; index < count; index += 1) {
    const word = next / WORD;
    const modeAndLength = words[word + 2] ?? 0;
    const typeAndProblem = words[word + 3] ?? 0;
    const nameAt = next + ENTRY_HEAD;
    const nameEnd = nameAt + (modeAndLength >>> 16);
    const type = TYPES[typeAndProblem & 0xffff];
    if (nameEnd > end || type === undefined) throw new TypeError('a survey entry is malformed');
    const size = (words[word] ?? 0) + (words[word + 1] ?? 0) * 2 ** 32;
    const mode = modeAndLength & 0xffff;
    const problem = decodeProblem(typeAndProblem >>> 16);
    const name = text.slice(nameAt, nameEnd);
    visitor.entry(directory, name, problem === undefined ? { type, mode, size } : { type, mode, size, problem });
    next = align(nameEnd);
  }
}

function align(at: number): number {
  return Math.ceil(at / WORD) * WORD;
}
