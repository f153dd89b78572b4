import type { InventoryPackage } from '@holdfast/evidence';
import type { SbomPackage } from '../sbom/sbom.ts';

/** Why two lists may differ in a row although nothing was changed. */
export type ExplainedReason =
  | 'component-type'
  | 'generic-component'
  | 'source-package'
  | 'os-owned'
  | 'go-main-module'
  | 'java-group'
  | 'duplicate-path'
  | 'not-a-package';

/** One side of a comparison. */
export interface PackageList {
  readonly packages: readonly (SbomPackage | InventoryPackage)[];
  /** False when the list is known to be cut; then nothing is decided. Defaults to true. */
  readonly complete?: boolean;
  readonly distro?: { readonly id: string; readonly version: string } | null;
}

/** The difference of two lists, `expected` against `actual`. Each list is sorted by purl. */
export interface PackageComparison {
  readonly decided: true;
  /** How many packages of `actual` were matched. */
  readonly match: number;
  /** Rows that differ for a known and harmless reason. */
  readonly explained: readonly { readonly purl: string; readonly reason: ExplainedReason }[];
  /** In `actual` only. */
  readonly unexpected: readonly string[];
  /** In `expected` only. */
  readonly missing: readonly string[];
  /** `purl` is that of `actual`; `from` and `to` are versions. */
  readonly changed: readonly { readonly purl: string; readonly from: string; readonly to: string }[];
}

/** Nothing can be said: an empty or cut list is never "no packages". */
export interface UndecidedComparison {
  readonly decided: false;
  readonly reason: 'EXPECTED_EMPTY' | 'ACTUAL_EMPTY' | 'EXPECTED_INCOMPLETE' | 'ACTUAL_INCOMPLETE';
}
