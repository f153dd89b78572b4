import type { BytePath } from '@holdfast/evidence/inventory';
import { parentPath } from '../root-view/resolve-path.ts';
import type { RootView } from '../root-view/root-view.ts';
import { InventoryBuilder, type InventoryLimits } from './inventory-builder.ts';
import { DEFAULT_INVENTORY_LIMITS } from './inventory-limits.ts';
import type { FileDigest } from './os-package.ts';
import { readOsId } from './os-release.ts';
import { PathOwners, resolveParent } from './path-owners.ts';
import { readOsDatabases } from './read-os-databases.ts';

export interface FileOwner {
  readonly purl: string;
  /** What the database says of the file's content, where it says anything. Read when first asked for. */
  readonly digest?: FileDigest | undefined;
}

export interface PackageOwners {
  /** Owner of a path by the database; symbolic links above it and diversions are followed. */
  ownerOf(path: BytePath): FileOwner | undefined;
  /** Paths of the databases read; empty where there is none, and then nothing has an owner. */
  readonly databases: readonly BytePath[];
  /** Limits hit while reading: the answer `undefined` then proves nothing. */
  readonly limits: readonly string[];
}

/**
 * Reads which package of the operating system owns which path. The answer is worth what the database is worth: give it
 * the view of the lower layers, never one with an upper directory. The view must stay open as long as answers are asked
 * for. Throws nothing on foreign data.
 */
export function createPackageOwners(
  view: RootView,
  options: { readonly osId?: string; readonly limits?: Partial<InventoryLimits> } = {},
): PackageOwners {
  const builder = new InventoryBuilder(view, { ...DEFAULT_INVENTORY_LIMITS, ...options.limits });
  const databases = readOsDatabases(builder, options.osId ?? readOsId(builder));
  const owners = new PathOwners(builder, databases);
  return {
    databases: databases.flatMap((database) => database.databases),
    get limits() {
      return builder.notes;
    },
    ownerOf(path) {
      const name = path.slice(path.lastIndexOf('/') + 1);
      const listedAt = parentPath(path);
      const isFound = owners.find(listedAt, name) !== undefined;
      const directory = isFound ? listedAt : builder.attempt(() => resolveParent(view, path));
      const owner = directory === undefined ? undefined : owners.find(directory, name);
      if (owner === undefined || directory === undefined) return undefined;
      const listed = owners.listedPath(directory, name);
      return {
        purl: owner.purl,
        get digest() {
          return owner.digestOf(listed);
        },
      };
    },
  };
}
