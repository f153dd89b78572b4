import type { BytePath } from '@holdfast/evidence/inventory';
import type { PathClaims } from '../root-view/root-view.ts';

/** PATH_MAX: no package can hold a longer one. */
const MAX_PATH_BYTES = 4096;
/** What a claim takes up beside its path. */
const CLAIM_BYTES = 100;

interface Claim {
  readonly owner: number;
  /** The directory as it was listed. */
  readonly listed: string;
}

type Claims = Map<string, Claim>;

/** Claims on paths, for views that have no faster ones of their own. */
export class ListedClaims implements PathClaims {
  readonly #maxBytes: number;
  readonly #renames = new Map<string, { readonly to: string; readonly exceptFor: string }>();
  /** Claims on the names in a directory: as listed at first, as it lies on disk afterwards. */
  #claims = new Map<string, Claims>();
  #last: { readonly directory: string; readonly claims: Claims } = { directory: '?', claims: new Map() };
  #bytes = 0;

  constructor(maxBytes: number) {
    this.#maxBytes = maxBytes;
  }

  get isFull(): boolean {
    return this.#bytes > this.#maxBytes;
  }

  rename(from: string, to: string, exceptFor: string): void {
    this.#renames.set(from, { to, exceptFor });
  }

  addLines(list: Buffer, owner: number, listName: string): void {
    if (!this.#hold(list.length)) return;
    const text = list.toString('latin1');
    for (let at = 0; at < text.length; ) {
      const newline = text.indexOf('\n', at);
      const end = newline === -1 ? text.length : newline;
      const line = text.slice(at, end);
      at = end + 1;
      if (!line.startsWith('/') || line === '/' || line === '/.') continue;
      const renamed = this.#renames.get(line);
      this.add(renamed === undefined || renamed.exceptFor === listName ? line : renamed.to, owner);
    }
  }

  add(path: string, owner: number): void {
    const slash = path.lastIndexOf('/');
    const name = path.slice(slash + 1);
    if (!path.startsWith('/') || path.length > MAX_PATH_BYTES || !isName(name)) return;
    if (!this.#hold(path.length + CLAIM_BYTES)) return;
    const { directory, claims } = this.#claimsIn(path, slash);
    claims.set(name, { owner, listed: directory });
  }

  directories(): string[] {
    return [...this.#claims.keys()];
  }

  settle(real: readonly (BytePath | undefined)[]): void {
    const settled = new Map<string, Claims>();
    for (const [at, claims] of [...this.#claims.values()].entries()) {
      const path = real[at];
      if (path === undefined) continue;
      const others = settled.get(path);
      if (others === undefined) settled.set(path, claims);
      else for (const [name, claim] of claims) others.set(name, claim);
    }
    this.#claims = settled;
  }

  find(directory: BytePath, name: string): number | undefined {
    return this.#claims.get(directory)?.get(name)?.owner;
  }

  listedIn(directory: BytePath, name: string): string | undefined {
    return this.#claims.get(directory)?.get(name)?.listed;
  }

  #hold(bytes: number): boolean {
    this.#bytes += bytes;
    return !this.isFull;
  }

  /** Most paths share their directory with the one before. */
  #claimsIn(path: string, slash: number): { readonly directory: string; readonly claims: Claims } {
    const { directory } = this.#last;
    if (directory.length === slash && path.startsWith(directory)) return this.#last;
    const next = path.slice(0, slash);
    let claims = this.#claims.get(next);
    if (claims === undefined) {
      claims = new Map();
      this.#claims.set(next, claims);
    }
    this.#last = { directory: next, claims };
    return this.#last;
  }
}

/** Whether it is a name that a directory can hold. */
export function isName(name: string): boolean {
  return name !== '' && name !== '.' && name !== '..' && !name.includes('\0');
}
