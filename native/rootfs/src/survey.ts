import { checkInteger, checkOptions } from './arguments.ts';
import type { NativeSurvey } from './native.ts';
import type { EntryType } from './root-stat.ts';
import { guard } from './rootfs-error.ts';
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
export interface SurveyedEntry {
  readonly type: EntryType;
  /** 0 to 0o7777. */
  readonly mode: number;
  readonly size: number;
  readonly problem?: WalkProblem;
}

/** Paths and names are exact bytes as latin1, without a leading slash; the root is empty. */
export interface SurveyVisitor {
  /** A regular file, or anything with a problem. */
  entry(directory: string, name: string, entry: SurveyedEntry): void;
  /** A directory that could not be listed. */
  unlisted(directory: string, problem: WalkProblem): void;
}

/** All files of a tree, told directory by directory in no fixed order. Foreign data. */
export class TreeSurvey {
  readonly #native: NativeSurvey;

  /** Made by `RootHandle.startSurvey` only. */
  constructor(native: NativeSurvey) {
    this.#native = native;
  }

  /** Tells everything, once; what the visitor throws ends it. An entry that vanishes meanwhile is left out. */
  tell(visitor: SurveyVisitor): void {
    try {
      for (
        let batch = guard(() => this.#native.next());
        batch !== undefined;
        batch = guard(() => this.#native.next())
      ) {
        tellBatch(batch, visitor);
      }
    } finally {
      this.close();
    }
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
const ENTRY_HEAD = 14;
const TYPES: readonly EntryType[] = ['file', 'directory', 'symlink', 'char', 'block', 'fifo', 'socket'];

/** One text for the whole batch: names are cut out of it, which is a fraction of decoding each. */
function tellBatch(batch: Buffer, visitor: SurveyVisitor): void {
  const text = batch.toString('latin1');
  let at = 0;
  while (at < batch.length) {
    const end = at + batch.readUInt32LE(at);
    const pathEnd = at + RECORD_HEAD + batch.readUInt32LE(at + 4);
    if (end <= at || pathEnd > end || end > batch.length) throw new TypeError('a survey record has a wrong length');
    const directory = text.slice(at + RECORD_HEAD, pathEnd);
    const problem = decodeProblem(batch.readUInt32LE(at + 12));
    if (problem !== undefined) visitor.unlisted(directory, problem);
    tellEntries(batch, text, { directory, at: pathEnd, end, count: batch.readUInt32LE(at + 8) }, visitor);
    at = end;
  }
}

interface Span {
  readonly directory: string;
  readonly at: number;
  readonly end: number;
  readonly count: number;
}

function tellEntries(batch: Buffer, text: string, span: Span, visitor: SurveyVisitor): void {
  let { at } = span;
  for (let index = 0; index < span.count; index += 1) {
    const nameEnd = at + ENTRY_HEAD + batch.readUInt16LE(at + 10);
    const type = TYPES[batch.readUInt8(at + 12)];
    if (nameEnd > span.end || type === undefined) throw new TypeError('a survey entry is malformed');
    const size = batch.readUInt32LE(at) + batch.readUInt32LE(at + 4) * 2 ** 32;
    const mode = batch.readUInt16LE(at + 8);
    const problem = decodeProblem(batch.readUInt8(at + 13));
    const name = text.slice(at + ENTRY_HEAD, nameEnd);
    visitor.entry(span.directory, name, problem === undefined ? { type, mode, size } : { type, mode, size, problem });
    at = nameEnd;
  }
}
