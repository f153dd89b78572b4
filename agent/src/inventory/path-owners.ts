import { type BytePath, joinBytePath, latin1ToBytePath, toBytePath } from '@holdfast/evidence/inventory';
import { parentPath } from '../root-view/resolve-path.ts';
import type { RootView } from '../root-view/root-view.ts';
import type { InventoryBuilder } from './inventory-builder.ts';
import type { OsDatabase, OwnerSink, PathOwner } from './os-package.ts';

const ROOT = toBytePath('/');
/** PATH_MAX: no package can hold a longer one. */
const MAX_PATH_BYTES = 4096;
/** What an owned path takes up beside its bytes. */
const CLAIM_BYTES = 100;
const DIRECTORY = /^(?:\/(?!\.{1,2}(?:\/|$))[^/\0]+)*$/;

/** An owned path: its owner, and the path as the owner's database writes it where that differs. */
interface Claim {
  readonly owner: PathOwner;
  readonly listed: string | undefined;
}

type Claims = Map<string, PathOwner | Claim>;

/**
 * Which package owns which path, under the names that the paths have on disk: databases list /lib/x while /lib is a link
 * to /usr/lib. Where several packages list a path (directories, mostly), the last one counts.
 */
export class PathOwners implements OwnerSink {
  readonly #builder: InventoryBuilder;
  readonly #view: RootView;
  /** Claims on the names in a directory: as listed while databases are read, as they are on disk afterwards. */
  #claims = new Map<string, Claims>();
  readonly #directories = new Map<string, BytePath | undefined>([['', ROOT]]);
  #bytes = 0;
  /** A walk asks for one directory after the other. */
  #found: { readonly directory: string; readonly claims: Claims | undefined } = { directory: '', claims: undefined };
  #last: { readonly directory: string; readonly claims: Claims } = { directory: '?', claims: new Map() };

  /** `listLinks`: every symbolic link of the view, where somebody knows them already. */
  constructor(
    builder: InventoryBuilder,
    databases: readonly OsDatabase[],
    listLinks?: () => ReadonlySet<BytePath> | undefined,
  ) {
    this.#builder = builder;
    this.#view = builder.view;
    for (const database of databases) database.listOwnedPaths(this);
    if (this.#claims.size > 0) this.#claims = this.#resolveDirectories(this.#claims, listLinks?.());
    this.#directories.clear();
  }

  /** Owner of an entry by the directory that it is in on disk, parents without links, and its name. */
  find(directory: BytePath, name: string): { owner: PathOwner; listed: string } | undefined {
    if (directory !== this.#found.directory) this.#found = { directory, claims: this.#claims.get(directory) };
    const claim = this.#found.claims?.get(name);
    if (claim === undefined) return undefined;
    if ('owner' in claim && claim.listed !== undefined) return { owner: claim.owner, listed: claim.listed };
    return { owner: 'owner' in claim ? claim.owner : claim, listed: joinBytePath(directory, name) };
  }

  hold(bytes: number): boolean {
    this.#bytes += bytes;
    if (this.#bytes <= this.#builder.limits.maxOwnedBytes) return true;
    this.#builder.note('ownedPaths', ROOT);
    return false;
  }

  own(path: string, owner: PathOwner): void {
    const slash = path.lastIndexOf('/');
    const name = path.slice(slash + 1);
    if (path.length > MAX_PATH_BYTES || !isName(name)) return;
    if (!this.hold(path.length + CLAIM_BYTES)) return;
    this.#claimsIn(path, slash).set(name, owner);
  }

  /** Most paths share their directory with the one before. */
  #claimsIn(path: string, slash: number): Claims {
    const { directory } = this.#last;
    if (directory.length === slash && path.startsWith(directory)) return this.#last.claims;
    const next = path.slice(0, slash);
    let claims = this.#claims.get(next);
    if (claims === undefined) {
      claims = new Map();
      this.#claims.set(next, claims);
    }
    this.#last = { directory: next, claims };
    return claims;
  }

  #resolveDirectories(
    listed: ReadonlyMap<string, Claims>,
    links: ReadonlySet<BytePath> | undefined,
  ): Map<string, Claims> {
    const names = [...listed.keys()].filter((name) => DIRECTORY.test(name));
    const paths = names.map((name) => (name === '' ? ROOT : latin1ToBytePath(name)));
    const areReal = links === undefined ? this.#areDirectories(paths) : findUnlinked(names, links);
    const resolved = new Map<string, Claims>();
    for (const [at, path] of paths.entries()) {
      const name = names[at] ?? '';
      const real = areReal[at] === true ? path : this.#realDirectory(name);
      const claims = listed.get(name);
      if (real !== undefined && claims !== undefined) addClaims(resolved, real, path, claims);
    }
    return resolved;
  }

  #areDirectories(paths: readonly BytePath[]): boolean[] {
    return (this.#view.typesOf?.(paths) ?? []).map((type) => type === 'directory');
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

/** For each directory whether neither it nor any above it is a link. */
function findUnlinked(names: readonly string[], links: ReadonlySet<string>): boolean[] {
  const known = new Map([['', true]]);
  const isUnlinked = (name: string): boolean => {
    const before = known.get(name);
    if (before !== undefined) return before;
    const answer = !links.has(name) && isUnlinked(name.slice(0, name.lastIndexOf('/')));
    known.set(name, answer);
    return answer;
  };
  return names.map(isUnlinked);
}

/** Adds the claims that are listed for one directory to those of the directory that it is. */
function addClaims(all: Map<string, Claims>, real: BytePath, listed: BytePath, claims: Claims): void {
  const others = all.get(real);
  if (others === undefined && real === listed) {
    all.set(real, claims);
    return;
  }
  const merged = others ?? new Map<string, PathOwner | Claim>();
  for (const [name, claim] of claims) {
    const owner = 'owner' in claim ? claim.owner : claim;
    merged.set(name, real === listed ? owner : { owner, listed: joinBytePath(listed, name) });
  }
  all.set(real, merged);
}

function isName(name: string): boolean {
  return name !== '' && name !== '.' && name !== '..' && !name.includes('\0');
}

/** The directory of a path, with every link to it resolved. Undefined where it is missing. */
export function resolveParent(view: RootView, path: BytePath): BytePath | undefined {
  return path === ROOT ? undefined : view.resolve(parentPath(path));
}
