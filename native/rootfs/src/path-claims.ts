import { checkInteger } from './arguments.ts';
import { loadNative, type NativeClaims } from './native.ts';
import { guard } from './rootfs-error.ts';

/**
 * Who says which path is his, in memory outside of JavaScript's. Paths are bytes as latin1, absolute, as lists name them
 * until `settle` says where the directories of that list lie on disk; where several claim one path, the last one counts.
 */
export class PathClaims {
  readonly #native: NativeClaims;

  constructor(native: NativeClaims) {
    this.#native = native;
  }

  /** For `RootHandle.startSift` only. */
  get native(): NativeClaims {
    return this.#native;
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
    return unpack(this.#native.directories());
  }

  /** Where each of `directories` lies on disk; undefined for those whose claims count nowhere. Once. */
  settle(real: readonly (string | undefined)[]): void {
    this.#native.settle(pack(real));
  }

  /**
   * The same where all symbolic links on disk are known: directories that none of them leads through lie where they are
   * listed, and only the others are resolved.
   */
  settleByLinks(links: Iterable<string>, resolve: (directory: string) => string | undefined): void {
    const linked = unpack(this.#native.findLinked(pack(links)));
    this.#native.settleLinked(pack(linked.map(resolve)));
  }

  /** Owner of a name in a directory on disk. */
  find(directory: string, name: string): number | undefined {
    return this.#native.find(directory.slice(1), name);
  }

  /** The directory as the owner listed it. */
  listedIn(directory: string, name: string): string | undefined {
    return this.#native.listedIn(directory.slice(1), name)?.toString('latin1');
  }
}

/** Claims of at most so many bytes, 100 for each path beside its own counted in. Throws ERR_ROOTFS_NATIVE. */
export function createPathClaims(maxBytes: number): PathClaims {
  return new PathClaims(guard(() => loadNative().createClaims(checkInteger(maxBytes, 'maxBytes'))));
}

function pack(paths: Iterable<string | undefined>): Buffer {
  return Buffer.from([...paths].map((path) => `${path ?? ''}\0`).join(''), 'latin1');
}

function unpack(packed: Buffer): string[] {
  const texts = packed.toString('latin1').split('\0');
  texts.pop();
  return texts;
}
