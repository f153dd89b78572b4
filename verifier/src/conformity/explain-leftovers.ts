import type { ExplainedReason } from './comparison.ts';
import { isGoDevel, OS_TYPES, type PackageRow } from './package-row.ts';
import { pairRows } from './pair-rows.ts';
import { groupRows, type PreparedPackages } from './prepared-packages.ts';

/** Rows that found no equal on the other side. */
export interface Leftovers {
  readonly expected: readonly PackageRow[];
  readonly actual: readonly PackageRow[];
}

interface Explained extends Leftovers {
  readonly explained: { readonly purl: string; readonly reason: ExplainedReason }[];
  readonly changed: { readonly purl: string; readonly from: string; readonly to: string }[];
}

type Side = 'expected' | 'actual';
type KeyOf = (row: PackageRow) => string | undefined;

/**
 * Sorts rows that found no equal into explained, changed and rest.
 *
 * Order matters: what a row alone excuses and further copies of a match go first, then rows that two tools describe in
 * different ways, then versions of one name, and last what only makes sense once the installed version is known.
 */
export function explainLeftovers(
  leftovers: Leftovers,
  expected: PreparedPackages,
  actual: PreparedPackages,
): Explained {
  const work = new Work(leftovers);
  const index: Record<Side, EqualRows> = { expected: new EqualRows(actual), actual: new EqualRows(expected) };
  const other = (side: Side) => (side === 'expected' ? actual : expected);
  work.dropEach((row) => row.excuse);
  work.dropEach((row, side) => (index[side].has(row) ? 'duplicate-path' : null));
  work.pairBy('java-group', javaKey, (a, b) => isGuessedGroup(a) || isGuessedGroup(b));
  work.pairBy('no-purl', looseKey, (a, b) => a.type === '' || b.type === '');
  work.pairBy('go-main-module', goKey, (a, b) => isGoDevel(a) || isGoDevel(b));
  work.dropEach((row) => (isGoDevel(row) ? 'go-main-module' : null));
  const sources = [expected.sources, actual.sources];
  work.dropEach((row, side) => (isSourcePackage(row, other(side), sources) ? 'source-package' : null));
  work.pairChanged();
  if (work.expected.length + work.actual.length === 0) return work;
  const matched = collectMatched(expected.rows.filter((row) => index.expected.has(row)));
  work.dropEach((row) => (isSuperseded(row, matched) ? 'superseded' : null));
  return work;
}

class Work implements Explained {
  readonly explained: { purl: string; reason: ExplainedReason }[] = [];
  readonly changed: { purl: string; from: string; to: string }[] = [];
  expected: readonly PackageRow[];
  actual: readonly PackageRow[];

  constructor(leftovers: Leftovers) {
    this.expected = leftovers.expected;
    this.actual = leftovers.actual;
  }

  /** Explains each row for which there is a reason. */
  dropEach(reasonOf: (row: PackageRow, side: Side) => ExplainedReason | null): void {
    const keep = (side: Side) => (row: PackageRow) => {
      const reason = reasonOf(row, side);
      if (reason !== null) this.explained.push({ purl: row.purl, reason });
      return reason === null;
    };
    this.expected = this.expected.filter(keep('expected'));
    this.actual = this.actual.filter(keep('actual'));
  }

  /** Explains pairs of rows that share a looser key, one to one. */
  pairBy(reason: ExplainedReason, keyOf: KeyOf, isPair: (a: PackageRow, b: PackageRow) => boolean): void {
    const partners = groupRows(
      this.actual.filter((row) => keyOf(row) !== undefined),
      (row) => keyOf(row) ?? '',
    );
    const taken = new Set<PackageRow>();
    this.expected = this.expected.filter((row) => {
      const key = keyOf(row);
      const partner = key === undefined ? undefined : partners.get(key)?.at(-1);
      if (partner === undefined || !isPair(row, partner)) return true;
      partners.get(key ?? '')?.pop();
      taken.add(partner);
      this.explained.push({ purl: partner.purl, reason });
      return false;
    });
    this.actual = this.actual.filter((row) => !taken.has(row));
  }

  /** Rows of one name and architecture on both sides are one package in two versions. */
  pairChanged(): void {
    const [left, right] = [groupRows(this.expected, nameOf), groupRows(this.actual, nameOf)];
    const rest: PackageRow[] = [];
    for (const [name, rows] of left) {
      const paired = pairRows(rows, right.get(name) ?? []);
      for (const [from, to] of paired.pairs) this.changed.push({ purl: to.purl, from: from.version, to: to.version });
      for (const row of paired.expected) rest.push(row);
      right.set(name, [...paired.actual]);
    }
    this.expected = rest;
    this.actual = [...right.values()].flat();
  }
}

const nameOf = (row: PackageRow) => row.nameKey;

/** Asks whether the other side has an equal row of a fitting architecture; each key is looked at once. */
class EqualRows {
  readonly #other: PreparedPackages;
  readonly #arches = new Map<string, ReadonlySet<string | null>>();

  constructor(other: PreparedPackages) {
    this.#other = other;
  }

  has(row: PackageRow): boolean {
    const arches = this.#archesOf(row.key);
    return arches.size > 0 && (row.arch === null || arches.has(null) || arches.has(row.arch));
  }

  #archesOf(key: string): ReadonlySet<string | null> {
    const known = this.#arches.get(key);
    if (known !== undefined) return known;
    const arches = new Set((this.#other.byKey.get(key) ?? []).map((row) => row.arch));
    this.#arches.set(key, arches);
    return arches;
  }
}

function javaKey(row: PackageRow): string | undefined {
  return row.type === 'maven' ? `${row.name}\n${row.version}` : undefined;
}

/** Tools put the artifact's name for a group that they do not know, or nothing. */
function isGuessedGroup(row: PackageRow): boolean {
  return row.namespace === '' || row.namespace === row.name;
}

function goKey(row: PackageRow): string | undefined {
  return row.type === 'golang' ? row.nameKey : undefined;
}

/** Name as people write it, and version without epoch and `v`. */
function looseKey(row: PackageRow): string | undefined {
  if (row.version === '' || row.type === 'unreadable') return undefined;
  const version = row.version.replace(/^(?:\d{1,9}:|v(?=\d))/, '');
  const namespace = OS_TYPES.has(row.type) ? '' : row.namespace;
  const name = (namespace === '' ? row.name : `${namespace}/${row.name}`).replaceAll(':', '/');
  return `${name.toLowerCase()}\n${version}`;
}

/** A builder's row that names the source of installed packages, while nothing is installed under that name. */
function isSourcePackage(
  row: PackageRow,
  other: PreparedPackages,
  sources: readonly PreparedPackages['sources'][],
): boolean {
  if (!row.listed || !OS_TYPES.has(row.type) || other.nameKeys.has(row.nameKey)) return false;
  return sources.some((versions) => versions.get(row.name)?.has(row.version) === true);
}

/** Names of matched rows, each with its architecture and with none. */
function collectMatched(rows: readonly PackageRow[]): Set<string> {
  return new Set(rows.flatMap((row) => [archKey(row), `${row.nameKey}\n`]));
}

function archKey(row: PackageRow): string {
  return `${row.nameKey}\n${row.arch ?? ''}`;
}

/**
 * A builder's row of a package that both sides have in another version. Only one version of a deb or apk can be
 * installed, and of an rpm but for kernels, so the row tells of a lower layer.
 */
function isSuperseded(row: PackageRow, matched: ReadonlySet<string>): boolean {
  const single = row.type === 'deb' || row.type === 'apk' || (row.type === 'rpm' && !row.name.startsWith('kernel'));
  return single && row.listed && matched.has(archKey(row));
}
