import type { Inventory } from '@holdfast/evidence/inventory';
import type { RootView, TreeWalk } from '../root-view/root-view.ts';
import { startTreeWalk } from '../root-view/walk-view.ts';
import { InventoryBuilder, type InventoryLimits } from './inventory-builder.ts';
import { DEFAULT_INVENTORY_LIMITS } from './inventory-limits.ts';
import { readOsId } from './os-release.ts';
import { PathOwners } from './path-owners.ts';
import { readOsDatabases } from './read-os-databases.ts';
import { scanTree } from './scan-tree.ts';

export interface InventoryOptions extends Partial<InventoryLimits> {
  /** purl namespace of OS packages in place of os-release's ID: pass the baseline's for a merged view. */
  readonly osId?: string;
}

/**
 * Reads every package database of operating systems and every language manifest of a root file system.
 *
 * A limit that was hit, a database that is malformed or contradicts itself stand in `limits` with their path, and
 * `complete` is false; no database found is `databases: []`, which says nothing good. Throws nothing on foreign data;
 * errors of the view other than limits pass through. Embedded SBOMs are never read: anybody can drop one.
 */
export function collectInventory(view: RootView, options: InventoryOptions = {}): Inventory {
  const { osId, ...limits } = options;
  const builder = new InventoryBuilder(view, { ...DEFAULT_INVENTORY_LIMITS, ...limits });
  const walk = startTreeWalk(view, builder.limits);
  try {
    const owners = readOwners(builder, osId, walk);
    return builder.build(scanTree(builder, owners, walk));
  } finally {
    walk.close();
  }
}

function readOwners(builder: InventoryBuilder, osId: string | undefined, walk: TreeWalk): PathOwners {
  const databases = readOsDatabases(builder, osId ?? readOsId(builder));
  for (const { found, database } of databases.flatMap((each) => each.packages)) builder.addPackage(found, database);
  return new PathOwners(builder, databases, () => builder.attempt(() => walk.readAhead?.()));
}
