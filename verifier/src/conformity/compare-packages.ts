import type { InventoryPackage } from '@holdfast/evidence';
import type { SbomPackage } from '../sbom/sbom.ts';
import { compareInventories, type RowDifference } from './compare-inventories.ts';
import type { PackageComparison, PackageList, UndecidedComparison } from './comparison.ts';
import { explainLeftovers, type Leftovers } from './explain-leftovers.ts';
import type { PackageRow } from './package-row.ts';
import { isSameArch, pairRows } from './pair-rows.ts';
import { type PreparedPackages, preparePackages } from './prepared-packages.ts';

/**
 * Compares what a signed SBOM lists with what an inventory shows; as `comparePrepared`.
 *
 * `actualComplete` is the inventory's own word on whether it hit a limit.
 */
export function comparePackages(
  expected: readonly SbomPackage[],
  actual: readonly InventoryPackage[],
  context: { readonly actualComplete?: boolean } = {},
): PackageComparison | UndecidedComparison {
  return comparePackageLists({ packages: expected }, { packages: actual, complete: context.actualComplete ?? true });
}

/** Compares two lists, each of an inventory or an SBOM; as `comparePrepared`. */
export function comparePackageLists(
  expected: PackageList,
  actual: PackageList,
): PackageComparison | UndecidedComparison {
  return comparePrepared(preparePackages(expected), preparePackages(actual));
}

/**
 * Compares two prepared lists as multisets of type, name, version and architecture.
 *
 * In this order: nothing is decided on empty or incomplete lists, or when no architecture is in common; equal rows
 * match; differences that are known to mean nothing are explained; rows of one name that remain on both sides are
 * `changed`; the rest is missing or unexpected. Two inventories are compared as `compareInventories` does: what tools
 * write differently explains nothing where one tool wrote both. Paths and distribution are no part of the comparison.
 * Pure; the cost is linear but for sorting what differs.
 */
export function comparePrepared(
  expected: PreparedPackages,
  actual: PreparedPackages,
): PackageComparison | UndecidedComparison {
  const undecided = refuseLists(expected, actual);
  if (undecided !== undefined) return { decided: false, reason: undecided };
  const isOneScanner = !expected.isListed && !actual.isListed;
  const difference = isOneScanner ? compareInventories(expected, actual) : compareWithSbom(expected, actual);
  if (difference.match === 0 && isOtherPlatform(expected.arches, actual.arches))
    return { decided: false, reason: 'OTHER_PLATFORM' };
  return {
    decided: true,
    match: difference.match,
    explained: difference.explained.toSorted((a, b) => compareText(a.purl, b.purl) || compareText(a.reason, b.reason)),
    unexpected: difference.actual.map((row) => row.purl).toSorted(compareText),
    missing: difference.expected.map((row) => row.purl).toSorted(compareText),
    changed: difference.changed.toSorted((a, b) => compareText(a.purl, b.purl) || compareText(a.from, b.from)),
  };
}

function compareWithSbom(expected: PreparedPackages, actual: PreparedPackages): RowDifference {
  const { match, leftovers } = matchRows(expected, actual);
  const isEqual = leftovers.expected.length === 0 && leftovers.actual.length === 0;
  // What an explanation needs is collected from all rows, so it is asked for only where it can be of use.
  if (isEqual || (match === 0 && isOtherPlatform(expected.arches, actual.arches)))
    return { match, explained: [], changed: [], ...leftovers };
  return { match, ...explainLeftovers(leftovers, expected, actual) };
}

function refuseLists(expected: PreparedPackages, actual: PreparedPackages): UndecidedComparison['reason'] | undefined {
  if (!expected.complete) return 'EXPECTED_INCOMPLETE';
  if (!actual.complete) return 'ACTUAL_INCOMPLETE';
  if (expected.rows.length === 0) return 'EXPECTED_EMPTY';
  return actual.rows.length === 0 ? 'ACTUAL_EMPTY' : undefined;
}

function matchRows(expected: PreparedPackages, actual: PreparedPackages): { match: number; leftovers: Leftovers } {
  const leftovers: { expected: PackageRow[]; actual: PackageRow[] } = { expected: [], actual: [] };
  let match = 0;
  for (const [key, wanted] of expected.byKey) {
    const found = actual.byKey.get(key) ?? [];
    const [one, other] = [wanted[0], found[0]];
    if (
      wanted.length === 1 &&
      found.length === 1 &&
      one !== undefined &&
      other !== undefined &&
      isSameArch(one, other)
    ) {
      match += 1;
      continue;
    }
    const paired = pairRows(wanted, found);
    match += paired.pairs.length;
    // No spread: a hostile list can have more rows than a call may have arguments.
    for (const row of paired.expected) leftovers.expected.push(row);
    for (const row of paired.actual) leftovers.actual.push(row);
  }
  for (const [key, found] of actual.byKey) {
    if (expected.byKey.has(key)) continue;
    for (const row of found) leftovers.actual.push(row);
  }
  const isMissed = (row: PackageRow) => !row.isSubject;
  return {
    match,
    leftovers: { expected: leftovers.expected.filter(isMissed), actual: leftovers.actual.filter(isMissed) },
  };
}

/** Whether both sides name architectures and share none: the SBOM of another platform, not another content. */
function isOtherPlatform(expected: ReadonlySet<string>, actual: ReadonlySet<string>): boolean {
  return expected.size > 0 && actual.size > 0 && [...expected].every((arch) => !actual.has(arch));
}

function compareText(a: string, b: string): number {
  if (a === b) return 0;
  return a < b ? -1 : 1;
}
