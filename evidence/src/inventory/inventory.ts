/** The compact package inventory of one root file system; the Attester's word. */
export interface Inventory {
  format: 'holdfast-inventory-v1';
  /** Which package databases were found, by format; empty means that none was found, never that it is clean. */
  databases: { type: string; path: string; sha256: string }[];
  /** False when a limit was hit; then `limits` says which. */
  complete: boolean;
  limits: string[];
  /** Sorted by purl, then path. */
  packages: InventoryPackage[];
  unowned: { executables: number; sharedObjects: number };
}

export interface InventoryPackage {
  purl: string;
  /** purl type: deb, apk, rpm, npm, pypi, golang, … */
  type: string;
  name: string;
  /** The database's own string; for deb with epoch. */
  version: string;
  arch?: string;
  /** Database or manifest file, slash at the front. */
  path: string;
  /** diffID of the layer in which `path` lies. */
  layer?: string;
  /** purl of the OS package that owns `path`, for language packages. */
  ownedBy?: string;
  source?: { name: string; version: string };
}
