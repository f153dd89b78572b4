import { type BytePath, joinBytePath, latin1ToBytePath, toBytePath } from '@holdfast/evidence/inventory';
import { parentPath } from '../root-view/resolve-path.ts';
import type { PathClaims, RootView } from '../root-view/root-view.ts';
import type { InventoryBuilder } from './inventory-builder.ts';
import { isName, ListedClaims } from './listed-claims.ts';
import type { OsDatabase, OwnerSink, PathOwner } from './os-package.ts';

const ROOT = toBytePath('/');
const DIRECTORY = /^(?:\/(?!\.{1,2}(?:\/|$))[^/\0]+)*$/;

/**
 * Which package owns which path, under the names that the paths have on disk: databases list /lib/x while /lib is a link
 * to /usr/lib. Where several packages list a path (directories, mostly), the last one counts.
 */
export class PathOwners implements OwnerSink {
  readonly #builder: InventoryBuilder;
  readonly #view: RootView;
  readonly claims: PathClaims;
  readonly #owners: PathOwner[] = [];
  readonly #directories = new Map<string, BytePath | undefined>([['', ROOT]]);

  /** `listLinks`: every symbolic link of the view, where somebody knows them already. */
  constructor(
    builder: InventoryBuilder,
    databases: readonly OsDatabase[],
    listLinks?: () => ReadonlySet<BytePath> | undefined,
  ) {
    this.#builder = builder;
    this.#view = builder.view;
    const { maxOwnedBytes } = builder.limits;
    this.claims = builder.view.createClaims?.(maxOwnedBytes) ?? new ListedClaims(maxOwnedBytes);
    for (const database of databases) database.listOwnedPaths(this);
    if (this.claims.isFull) builder.note('ownedPaths', ROOT);
    this.#settle(this.claims.settleByLinks && listLinks?.());
    this.#directories.clear();
  }

  /** Owner of an entry by the directory that it is in on disk, parents without links, and its name. */
  find(directory: BytePath, name: string): PathOwner | undefined {
    const number = this.claims.find(directory, name);
    return number === undefined ? undefined : this.#owners[number];
  }

  /** The path of an owned entry as its owner's database writes it. */
  listedPath(directory: BytePath, name: string): string {
    return `${this.claims.listedIn(directory, name) ?? directory}/${name}`;
  }

  own(path: string, owner: PathOwner): void {
    this.claims.add(path, this.#numberOf(owner));
  }

  rename(from: string, to: string, exceptFor: string): void {
    this.claims.rename(from, to, exceptFor);
  }

  ownLines(list: Buffer, owner: PathOwner, listName: string): void {
    this.claims.addLines(list, this.#numberOf(owner), listName);
  }

  /** A package tells all its paths before the next one does. */
  #numberOf(owner: PathOwner): number {
    if (this.#owners.at(-1) !== owner) this.#owners.push(owner);
    return this.#owners.length - 1;
  }

  #settle(links: ReadonlySet<BytePath> | undefined): void {
    if (links !== undefined) {
      this.claims.settleByLinks?.(links, (directory) => this.#realDirectory(directory));
      return;
    }
    const listed = this.claims.directories();
    const paths = listed.map((name) =>
      name === '' ? ROOT : DIRECTORY.test(name) ? latin1ToBytePath(name) : undefined,
    );
    const areReal = this.#areDirectories(paths);
    const real = paths.map((path, at) => {
      if (path === undefined) return undefined;
      return areReal[at] === true ? path : this.#realDirectory(listed[at] ?? '');
    });
    this.claims.settle(real);
  }

  #areDirectories(paths: readonly (BytePath | undefined)[]): boolean[] {
    const types = this.#view.typesOf?.(paths.filter((path) => path !== undefined)) ?? [];
    let next = 0;
    return paths.map((path) => {
      if (path === undefined) return false;
      next += 1;
      return types[next - 1] === 'directory';
    });
  }

  #realDirectory(path: string): BytePath | undefined {
    let known = path;
    while (!this.#directories.has(known)) known = known.slice(0, Math.max(known.lastIndexOf('/'), 0));
    let real = this.#directories.get(known);
    while (known.length < path.length) {
      const next = path.indexOf('/', known.length + 1);
      const name = path.slice(known.length + 1, next === -1 ? path.length : next);
      const parent = real;
      real = this.#builder.attempt(() => this.#resolveChild(parent, name));
      known = path.slice(0, known.length + 1 + name.length);
      this.#directories.set(known, real);
    }
    return real;
  }

  /** A directory that is not there (cleaned images) keeps its listed name. */
  #resolveChild(parent: BytePath | undefined, name: string): BytePath | undefined {
    if (parent === undefined || !isName(name)) return undefined;
    const here = joinBytePath(parent, name);
    return this.#view.lstat(here)?.type === 'symlink' ? this.#view.resolve(here) : here;
  }
}

/** The directory of a path, with every link to it resolved. Undefined where it is missing. */
export function resolveParent(view: RootView, path: BytePath): BytePath | undefined {
  return path === ROOT ? undefined : view.resolve(parentPath(path));
}
