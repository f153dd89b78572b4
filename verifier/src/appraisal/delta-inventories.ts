import type { Inventory, InventoryPackage } from '@holdfast/evidence';

/** What differs between two inventories that one scanner made: any difference is real. Each list is sorted by purl. */
export interface PackageDelta {
  readonly added: readonly PackageAt[];
  readonly removed: readonly PackageAt[];
  readonly changed: readonly {
    readonly purl: string;
    readonly path: string;
    readonly from: string;
    readonly to: string;
  }[];
}

interface PackageAt {
  readonly purl: string;
  readonly path: string;
  readonly version: string;
}

/**
 * Compares the packages of the lower layers with those of the merged view, by exact purl and path. One that lost a
 * version and gained another under the same type, name, architecture and path is `changed`; `purl` is then the new one.
 */
export function deltaInventories(baseline: Inventory, merged: Inventory): PackageDelta {
  const added = subtract(merged.packages, baseline.packages);
  const removed = subtract(baseline.packages, merged.packages);
  const removedByPlace = Map.groupBy(removed, placeOf);
  const changed: PackageDelta['changed'][number][] = [];
  const onlyAdded: InventoryPackage[] = [];
  for (const entry of added) {
    const before = removedByPlace.get(placeOf(entry))?.shift();
    if (before === undefined) onlyAdded.push(entry);
    else changed.push({ purl: entry.purl, path: entry.path, from: before.version, to: entry.version });
  }
  return {
    added: onlyAdded.map(toPlace).toSorted(byPurl),
    removed: [...removedByPlace.values()].flat().map(toPlace).toSorted(byPurl),
    changed: changed.toSorted(byPurl),
  };
}

/** The packages of `from` that `other` lacks, counting repeats. */
function subtract(from: readonly InventoryPackage[], other: readonly InventoryPackage[]): InventoryPackage[] {
  const counts = new Map<string, number>();
  for (const entry of other) counts.set(keyOf(entry), (counts.get(keyOf(entry)) ?? 0) + 1);
  return from.filter((entry) => {
    const count = counts.get(keyOf(entry)) ?? 0;
    if (count > 0) counts.set(keyOf(entry), count - 1);
    return count === 0;
  });
}

function keyOf(entry: InventoryPackage): string {
  return JSON.stringify([entry.purl, entry.path]);
}

function placeOf(entry: InventoryPackage): string {
  return JSON.stringify([entry.type, entry.name, entry.arch ?? null, entry.path]);
}

function toPlace({ purl, path, version }: InventoryPackage): PackageAt {
  return { purl, path, version };
}

function byPurl(a: { purl: string; path: string }, b: { purl: string; path: string }): number {
  if (a.purl !== b.purl) return a.purl < b.purl ? -1 : 1;
  return a.path < b.path ? -1 : Number(a.path > b.path);
}
