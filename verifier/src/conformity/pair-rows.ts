import type { PackageRow } from './package-row.ts';
import { groupRows } from './prepared-packages.ts';

/** Two groups of rows after each was given a partner of the same architecture, as far as there are any. */
export interface PairedRows {
  readonly pairs: readonly (readonly [PackageRow, PackageRow])[];
  readonly expected: readonly PackageRow[];
  readonly actual: readonly PackageRow[];
}

const ANY = '*';

/**
 * Pairs rows one to one: first equal architectures, then those that name none with whatever is left. Cost is
 * linear.
 */
export function pairRows(expected: readonly PackageRow[], actual: readonly PackageRow[]): PairedRows {
  const pairs: [PackageRow, PackageRow][] = [];
  const left = groupRows(expected, archOf);
  const right = groupRows(actual, archOf);
  for (const [arch, rows] of left) pairInto(pairs, rows, right.get(arch) ?? []);
  const wildLeft = left.get(ANY) ?? [];
  for (const rows of right.values()) pairInto(pairs, wildLeft, rows);
  const wildRight = right.get(ANY) ?? [];
  for (const rows of left.values()) pairInto(pairs, rows, wildRight);
  return { pairs, expected: [...left.values()].flat(), actual: [...right.values()].flat() };
}

/** Whether two architectures can be the same. */
export function isSameArch(a: PackageRow, b: PackageRow): boolean {
  return a.arch === null || b.arch === null || a.arch === b.arch;
}

function archOf(row: PackageRow): string {
  return row.arch ?? ANY;
}

/** Moves rows from the ends of both lists into `pairs` until one list is empty. */
function pairInto(pairs: [PackageRow, PackageRow][], left: PackageRow[], right: PackageRow[]): void {
  while (left.length > 0 && right.length > 0) {
    const [one, other] = [left.pop(), right.pop()];
    if (one !== undefined && other !== undefined) pairs.push([one, other]);
  }
}
