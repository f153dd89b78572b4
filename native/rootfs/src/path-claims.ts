import { checkInteger, checkOptions } from './arguments.ts';
import { loadNative, type NativeClaims } from './native.ts';
import { guard } from './rootfs-error.ts';

/** What of a survey stays where claimed files are left out. */
export interface SiftOptions {
  /** Ends of names that stay, in lower case; names count in any case. */
  readonly suffixes: readonly string[];
  /** Files of at least so many bytes stay where they have a bit for execution. */
  readonly minProgramBytes: number;
}

/**
 * Who says which path is his, in memory outside of JavaScript's. Paths are bytes as latin1, absolute, as lists name them
 * until `settle` says where the directories of that list lie on disk; where several claim one path, the last one counts.
 */
export class PathClaims {
  readonly #native: NativeClaims;

  constructor(native: NativeClaims) {
    this.#native = native;
  }

  /** Whether something was left out, because it would have been more than `maxBytes`. */
  get isFull(): boolean {
    return this.#native.isFull();
  }

  /** From now on, a path that a list names counts as another one, but in lists of that name. */
  rename(from: string, to: string, exceptFor: string): void {
    this.#native.rename(from, to, exceptFor);
  }

  /** Takes each line of a list that is an absolute path. */
  addLines(list: Buffer, owner: number, listName: string): void {
    this.#native.addLines(list, checkInteger(owner, 'owner'), listName);
  }

  add(path: string, owner: number): void {
    this.#native.add(path, checkInteger(owner, 'owner'));
  }

  /** Every directory that a path was listed in, in order; the root is empty. */
  directories(): string[] {
    const texts = this.#native.directories().toString('latin1').split('\0');
    texts.pop();
    return texts;
  }

  /** Where each of `directories` lies on disk; undefined for those whose claims count nowhere. Once. */
  settle(real: readonly (string | undefined)[]): void {
    this.#native.settle(Buffer.from(real.map((path) => `${path ?? ''}\0`).join(''), 'latin1'));
  }

  /** Owner of a name in a directory on disk. */
  find(directory: string, name: string): number | undefined {
    return this.#native.find(directory.slice(1), name);
  }

  /** The directory as the owner listed it. */
  listedIn(directory: string, name: string): string | undefined {
    return this.#native.listedIn(directory.slice(1), name)?.toString('latin1');
  }

  /** For `TreeSurvey.tell`: what is left of a packed batch without claimed files. */
  startSift(options: SiftOptions): (batch: Buffer) => Buffer {
    checkOptions(options, ['suffixes', 'minProgramBytes']);
    const suffixes = Buffer.from(options.suffixes.map((suffix) => `${suffix}\0`).join(''), 'latin1');
    const minProgramBytes = checkInteger(options.minProgramBytes, 'minProgramBytes');
    return (batch) => this.#native.sift(batch, suffixes, minProgramBytes);
  }
}

/** Claims of at most so many bytes, 100 for each path beside its own counted in. Throws ERR_ROOTFS_NATIVE. */
export function createPathClaims(maxBytes: number): PathClaims {
  return new PathClaims(guard(() => loadNative().createClaims(checkInteger(maxBytes, 'maxBytes'))));
}
