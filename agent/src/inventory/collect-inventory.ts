import type { Inventory } from '@holdfast/evidence';
import type { RootView } from '../root-view/root-view.ts';

export interface InventoryOptions {
  /** Value for the purl namespace of OS packages in place of os-release's ID: pass the baseline's for a merged view. */
  readonly osId?: string;
  /** Entries of the tree that are visited. Default 2,000,000. */
  readonly maxEntries?: number;
  /** Largest package database. Default 256 MiB. */
  readonly maxDatabaseBytes?: number;
  readonly maxPackages?: number;
  /** `performance.now()` value after which the scan stops with the limit `time`. */
  readonly deadlineMs?: number;
}

/**
 * Reads every package database and language manifest of a root file system. A limit that was hit stands in `limits`;
 * no database found is `databases: []`. Throws nothing on foreign data.
 */
export declare function collectInventory(view: RootView, options?: InventoryOptions): Inventory;
