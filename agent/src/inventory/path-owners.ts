import { type BytePath, joinBytePath, toBytePath } from '@holdfast/evidence';
import { parentPath } from '../root-view/resolve-path.ts';
import type { RootView } from '../root-view/root-view.ts';
import type { InventoryBuilder } from './inventory-builder.ts';
import type { OsDatabase, OwnerSink, PathOwner } from './os-package.ts';

const ROOT = toBytePath('/');
/** PATH_MAX: no package can hold a longer one. */
const MAX_PATH_BYTES = 4096;
/** What an owned path takes up beside its bytes. */
const CLAIM_BYTES = 100;

/** An owned path: its owner, and the path as the owner's database writes it where that differs. */
interface Claim {
  readonly owner: PathOwner;
  readonly listed: string | undefined;
}

/**
 * Which package owns which path, under the names that the paths have on disk: databases list /lib/x while /lib is a link
 * to /usr/lib. Where several packages list a path (directories, mostly), the last one counts.
 */
export class PathOwners implements OwnerSink {
  readonly #builder: InventoryBuilder;
  readonly #view: RootView;
  readonly #claims = new Map<string, PathOwner | Claim>();
  readonly #directories = new Map<string, BytePath | undefined>([['', ROOT]]);
  #bytes = 0;

  constructor(builder: InventoryBuilder, databases: readonly OsDatabase[]) {
    this.#builder = builder;
    this.#view = builder.view;
    for (const database of databases) database.listOwnedPaths(this);
    this.#directories.clear();
  }

  /** Owner of an entry by the path that it has on disk, parents without links. */
  find(path: BytePath): { owner: PathOwner; listed: string } | undefined {
    const claim = this.#claims.get(path);
    if (claim === undefined) return undefined;
    return 'owner' in claim ? { owner: claim.owner, listed: claim.listed ?? path } : { owner: claim, listed: path };
  }

  own(path: string, owner: PathOwner): void {
    const slash = path.lastIndexOf('/');
    const name = path.slice(slash + 1);
    if (path.length > MAX_PATH_BYTES || !isName(name)) return;
    if (this.#bytes > this.#builder.limits.maxOwnedBytes) {
      this.#builder.note('ownedPaths', ROOT);
      return;
    }
    this.#bytes += path.length + CLAIM_BYTES;
    const directory = this.#realDirectory(path.slice(0, slash));
    if (directory === undefined) return;
    const real = joinBytePath(directory, name);
    this.#claims.set(real, real === path ? owner : { owner, listed: path });
  }

  /** Most paths share their directory with the one before, so each is looked up once. */
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

function isName(name: string): boolean {
  return name !== '' && name !== '.' && name !== '..' && !name.includes('\0');
}

/** The path with every link above its last part resolved. Undefined where a parent is missing. */
export function resolveParents(view: RootView, path: BytePath): BytePath | undefined {
  if (path === ROOT) return ROOT;
  const parent = view.resolve(parentPath(path));
  return parent === undefined ? undefined : joinBytePath(parent, path.slice(path.lastIndexOf('/') + 1));
}
