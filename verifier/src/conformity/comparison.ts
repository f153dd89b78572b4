import type { InventoryPackage } from '@holdfast/evidence';
import type { SbomPackage } from '../sbom/sbom.ts';

/**
 * Why an SBOM and another list may differ in a row although nothing was changed; two inventories are explained nothing:
 *
 * - `generic-component`: found by a binary classifier of one tool, `pkg:generic`
 * - `not-a-package`: an image or operating system listed among packages
 * - `source-package`: the source package of an installed binary package
 * - `os-owned`: a language package that an operating system's package brought
 * - `optional`: the SBOM itself says that it is optional
 * - `declared-only`: read from a lock file, not from something installed
 * - `embedded-sbom`: read from another SBOM that lies in the image
 * - `go-main-module`: a Go main module, whose version tools guess
 * - `java-group`: a Java archive whose group one tool had to guess
 * - `no-purl`: matched by name and version, because one side gives no purl or no package type
 * - `duplicate-path`: the same package at more paths on one side
 * - `superseded`: an older version from a lower layer, listed beside the installed one
 */
export type ExplainedReason =
  | 'generic-component'
  | 'not-a-package'
  | 'source-package'
  | 'os-owned'
  | 'optional'
  | 'declared-only'
  | 'embedded-sbom'
  | 'go-main-module'
  | 'java-group'
  | 'no-purl'
  | 'duplicate-path'
  | 'superseded';

/** One side of a comparison. */
export interface PackageList {
  readonly packages: readonly (SbomPackage | InventoryPackage)[];
  /** False when the list is known to be cut; then nothing is decided. Defaults to true. */
  readonly complete?: boolean;
}

/** The difference of two lists, `expected` against `actual`. Each list is sorted by purl. */
export interface PackageComparison {
  readonly decided: true;
  /** How many rows of `actual` have their like in `expected`. */
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

/** Nothing can be said: an empty or cut list is never "no packages", and another platform's SBOM no reference. */
export interface UndecidedComparison {
  readonly decided: false;
  readonly reason: 'EXPECTED_EMPTY' | 'ACTUAL_EMPTY' | 'EXPECTED_INCOMPLETE' | 'ACTUAL_INCOMPLETE' | 'OTHER_PLATFORM';
}
