import type { InventoryPackage } from '@holdfast/evidence';
import type { PackageList } from './comparison.ts';
import { keepOwnName, normalisePackage, OS_TYPES, type PackageRow } from './package-row.ts';

/** A list that was normalised once, to be compared many times. Immutable. */
export interface PreparedPackages {
  readonly complete: boolean;
  /** Whether a builder's tool listed it: an SBOM, also one that was made of an inventory. */
  readonly isListed: boolean;
  readonly rows: readonly PackageRow[];
  readonly byKey: ReadonlyMap<string, readonly PackageRow[]>;
  readonly nameKeys: ReadonlySet<string>;
  /** Name of a source package to the versions under which it or its binary packages stand. */
  readonly sources: ReadonlyMap<string, ReadonlySet<string>>;
  /** Architectures of packages of the operating system. */
  readonly arches: ReadonlySet<string>;
}

/** Normalises a list for `comparePrepared`; cost is linear in its length. */
export function preparePackages(list: PackageList): PreparedPackages {
  const rows = separateNames(list.packages.map(normalisePackage));
  return {
    complete: list.complete ?? true,
    isListed: rows.some((row) => row.listed),
    rows,
    byKey: groupRows(rows, (row) => row.key),
    nameKeys: new Set(rows.map((row) => row.nameKey)),
    sources: collectSources(rows),
    arches: new Set(rows.flatMap((row) => (OS_TYPES.has(row.type) && row.arch !== null ? [row.arch] : []))),
  };
}

/**
 * Keeps two packages of one list apart whose names are only the same once folded: a root that has `BASH` beside `bash` must
 * not have the one pass for a copy of the other.
 */
function separateNames(rows: readonly PackageRow[]): readonly PackageRow[] {
  const own = new Map<string, string>();
  const shared = new Set<string>();
  for (const { nameKey, ownNameKey } of rows) {
    const first = own.get(nameKey) ?? ownNameKey;
    if (first !== ownNameKey) shared.add(nameKey);
    own.set(nameKey, first);
  }
  return shared.size === 0 ? rows : rows.map((row) => (shared.has(row.nameKey) ? keepOwnName(row) : row));
}

/** Rows by a key, in their order. */
export function groupRows(rows: readonly PackageRow[], keyOf: (row: PackageRow) => string): Map<string, PackageRow[]> {
  const groups = new Map<string, PackageRow[]>();
  for (const row of rows) {
    const key = keyOf(row);
    const group = groups.get(key);
    if (group === undefined) groups.set(key, [row]);
    else group.push(row);
  }
  return groups;
}

function collectSources(rows: readonly PackageRow[]): Map<string, Set<string>> {
  const sources = new Map<string, Set<string>>();
  for (const row of rows) {
    if (row.source === null) continue;
    const versions = sources.get(row.source.name) ?? new Set();
    sources.set(row.source.name, versions.add(row.source.version).add(row.version));
  }
  return sources;
}

/** The list of an inventory. */
export function listInventory(inventory: { packages: readonly InventoryPackage[]; complete: boolean }): PackageList {
  return { packages: inventory.packages, complete: inventory.complete };
}
