import type { PackageComparison } from './comparison.ts';
import { OS_TYPES, type PackageRow } from './package-row.ts';
import { pairRows } from './pair-rows.ts';
import { groupRows, type PreparedPackages } from './prepared-packages.ts';

/** A comparison whose rows were not brought to text yet; `expected` and `actual` are those that only one side has. */
export interface RowDifference extends Pick<PackageComparison, 'match' | 'explained' | 'changed'> {
  readonly expected: readonly PackageRow[];
  readonly actual: readonly PackageRow[];
}

/**
 * Compares two inventories as multisets of what they say word for word, but for the distribution of an operating system's
 * package.
 *
 * One scanner made both, so nothing is normalised and nothing is explained: any difference is real, a further copy of a
 * package included. Rows of one name and architecture in two versions are `changed`. Pure; the cost is linear.
 */
export function compareInventories(expected: PreparedPackages, actual: PreparedPackages): RowDifference {
  const right = groupRows(actual.rows, exactKey);
  let match = 0;
  const missing: PackageRow[] = [];
  for (const row of expected.rows) {
    if (right.get(exactKey(row))?.pop() === undefined) missing.push(row);
    else match += 1;
  }
  return { match, explained: [], ...pairChanged(missing, [...right.values()].flat()) };
}

function exactKey(row: PackageRow): string {
  return OS_TYPES.has(row.type) ? JSON.stringify([row.type, row.name, row.version, row.arch]) : row.purl;
}

function pairChanged(
  missing: readonly PackageRow[],
  unexpected: readonly PackageRow[],
): Pick<RowDifference, 'changed' | 'expected' | 'actual'> {
  const right = groupRows(unexpected, (row) => row.nameKey);
  const changed: PackageComparison['changed'][number][] = [];
  const rest: { expected: PackageRow[]; actual: PackageRow[] } = { expected: [], actual: [] };
  for (const [name, rows] of groupRows(missing, (row) => row.nameKey)) {
    const paired = pairRows(rows, right.get(name) ?? []);
    right.set(name, [...paired.actual]);
    for (const row of paired.expected) rest.expected.push(row);
    for (const [from, to] of paired.pairs) {
      if (from.version !== to.version) {
        changed.push({ purl: to.purl, from: from.version, to: to.version });
        continue;
      }
      // Another build or spelling: "from 1 to 1" would tell nobody what differs.
      rest.expected.push(from);
      rest.actual.push(to);
    }
  }
  return { changed, expected: rest.expected, actual: [...rest.actual, ...[...right.values()].flat()] };
}
