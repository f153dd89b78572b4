import { comparePackageLists } from './compare-packages.ts';
import type { PackageList } from './comparison.ts';

/** What differs although one of two lists is cut; each list is sorted by purl. */
interface CertainDifferences {
  /** Rows of a cut `actual` that a complete `expected` does not have. */
  readonly unexpected: readonly string[];
  /** Rows of a cut `expected` that a complete `actual` does not have. */
  readonly missing: readonly string[];
}

/**
 * Finds what stays a difference whatever a cut inventory leaves out: rows of it that a complete inventory does not have. What
 * it does not have says nothing, so another version counts as the row that is there and no more.
 *
 * Nothing is certain with an SBOM on either side, since what was left out could explain what is there; nor where both lists
 * are cut, both are complete (ask `comparePackageLists`), or no comparison is possible.
 */
export function findCertainDifferences(expected: PackageList, actual: PackageList): CertainDifferences {
  const [isExpectedCut, isActualCut] = [expected.complete === false, actual.complete === false];
  if (isExpectedCut === isActualCut || isSbom(expected) || isSbom(actual)) return { unexpected: [], missing: [] };
  return isActualCut
    ? { unexpected: listSurplus(expected, actual), missing: [] }
    : { unexpected: [], missing: listSurplus(actual, expected) };
}

function isSbom({ packages }: PackageList): boolean {
  return packages.some((entry) => 'paths' in entry);
}

/** Rows of a cut inventory beyond those of a complete one: more of it could only add to them. */
function listSurplus(complete: PackageList, cut: PackageList): string[] {
  const comparison = comparePackageLists(complete, { packages: cut.packages });
  if (!comparison.decided) return [];
  return [...comparison.unexpected, ...comparison.changed.map(({ purl }) => purl)].toSorted();
}
