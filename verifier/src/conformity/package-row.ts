import type { InventoryPackage } from '@holdfast/evidence';
import type { SbomPackage } from '../sbom/sbom.ts';
import { VerifierError } from '../verifier-error.ts';
import type { ExplainedReason } from './comparison.ts';
import { excuseSbomPackage } from './excuse-sbom-package.ts';
import { GO_DEVEL, normaliseOsVersion, normaliseVersion } from './normalise-version.ts';
import { formatPurl, type Purl, parsePurl } from './purl.ts';

/** A package as it is compared. Equal `key` means the same package in the same version. */
export interface PackageRow {
  /** As reported. */
  readonly purl: string;
  /** Empty where the list does not say it. */
  readonly type: string;
  /** Type and name, without distribution. */
  readonly nameKey: string;
  /** As `nameKey`, but in the letters in which the row has the name: what two packages of one list are told apart by. */
  readonly ownNameKey: string;
  readonly key: string;
  readonly name: string;
  readonly namespace: string;
  /** For people. */
  readonly version: string;
  /** Null matches every architecture. */
  readonly arch: string | null;
  /** Where the row comes from: only what a builder listed can be excused by its looks. */
  readonly listed: boolean;
  readonly excuse: ExplainedReason | null;
  /** What an SBOM is about: not missed where the other side does not have it. */
  readonly isSubject: boolean;
  /** Name and version of the source package. */
  readonly source: { readonly name: string; readonly version: string } | null;
}

/** All of a row that the words of one package say. */
type PackageWords = Omit<PackageRow, 'isSubject'>;

/** Types whose purl namespace is the distribution: left out of the key, since tools name it in different ways. */
export const OS_TYPES: ReadonlySet<string> = new Set(['deb', 'rpm', 'apk', 'alpm']);
const ANY_ARCH: ReadonlySet<string> = new Set(['', 'all', 'any', 'noarch']);
/** No purl part holds a control character, so this cannot be forged into another key. */
const SEPARATOR = '\n';

/**
 * Brings a package of an inventory or SBOM to the form in which it is compared.
 *
 * Name, version and architecture come from the purl alone, so that what is reported is what was compared. A purl that
 * cannot be read, or whose epochs contradict each other, only ever equals the very same text.
 */
export function normalisePackage(entry: SbomPackage | InventoryPackage): PackageRow {
  const listed = 'paths' in entry;
  return { ...describePackage(entry, listed), isSubject: listed && entry.isSubject === true };
}

function describePackage(entry: SbomPackage | InventoryPackage, listed: boolean): PackageWords {
  if (entry.purl === null) return describeUntyped(entry, listed);
  const purl = readPurl(entry.purl);
  const version = purl === undefined ? undefined : readVersion(purl);
  if (purl === undefined || version === undefined) return describeUnreadable(entry, entry.purl, listed);
  if (purl.type === 'none') return describeUntyped(entry, listed);
  const name = normaliseName(purl);
  const nameKey = `${purl.type}${SEPARATOR}${foldName(purl.type, name)}`;
  return {
    purl: entry.purl,
    type: purl.type,
    nameKey,
    ownNameKey: `${purl.type}${SEPARATOR}${name}`,
    key: `${nameKey}${SEPARATOR}${version.key}`,
    name: purl.name,
    namespace: purl.namespace ?? '',
    version: version.text,
    arch: readArch(purl),
    listed,
    excuse: readExcuse(entry, purl),
    source: readSource(entry, purl, version.text),
  };
}

function readPurl(text: string): Purl | undefined {
  try {
    return parsePurl(text);
  } catch (error) {
    if (error instanceof VerifierError) return undefined;
    throw error;
  }
}

function readVersion(purl: Purl): { key: string; text: string } | undefined {
  const written = purl.version ?? '';
  if (!OS_TYPES.has(purl.type)) return { key: normaliseVersion(purl.type, written), text: written };
  const version = normaliseOsVersion(written, purl.qualifiers.get('epoch'));
  return version === undefined ? undefined : { key: version, text: version };
}

function normaliseName({ type, namespace, name }: Purl): string {
  if (OS_TYPES.has(type)) return name;
  const full = namespace === null ? name : `${namespace}/${name}`;
  switch (type) {
    case 'pypi':
      // PEP 503.
      return full.toLowerCase().replaceAll(/[-_.]+/g, '-');
    case 'npm':
    case 'golang':
    case 'nuget':
    case 'composer':
      return full.toLowerCase();
    default:
      return full;
  }
}

/** Tools lower-case names of deb and apk as the purl types say, and have two names for Go's standard library. */
function foldName(type: string, name: string): string {
  if (type === 'deb' || type === 'apk') return name.toLowerCase();
  return type === 'golang' && name === 'std' ? 'stdlib' : name;
}

/** The row under the name that it has itself, for a list in which another package would fold into the same. */
export function keepOwnName(row: PackageRow): PackageRow {
  return { ...row, nameKey: row.ownNameKey, key: `${row.ownNameKey}${row.key.slice(row.nameKey.length)}` };
}

function readArch(purl: Purl): string | null {
  const arch = OS_TYPES.has(purl.type) ? (purl.qualifiers.get('arch') ?? '') : '';
  return ANY_ARCH.has(arch) ? null : arch;
}

function readExcuse(entry: SbomPackage | InventoryPackage, purl: Purl): ExplainedReason | null {
  if (entry.ownedBy !== undefined && !OS_TYPES.has(purl.type)) return 'os-owned';
  return 'paths' in entry ? excuseSbomPackage(entry, purl) : null;
}

/** What the row says of its source, or `upstream=name@version` of syft; without a version, that of the row. */
function readSource(entry: SbomPackage | InventoryPackage, purl: Purl, version: string): PackageRow['source'] {
  if (!OS_TYPES.has(purl.type)) return null;
  const upstream = purl.qualifiers.get('upstream')?.split('@', 2);
  const source = entry.source ?? { name: upstream?.[0] ?? '', version: upstream?.[1] ?? null };
  if (source.name === '') return null;
  const written = source.version ?? version;
  return { name: source.name, version: normaliseOsVersion(written, undefined) ?? written };
}

/** A row without purl or package type: matched by name and version alone. */
function describeUntyped(entry: SbomPackage | InventoryPackage, listed: boolean): PackageWords {
  const group = 'group' in entry && entry.group !== undefined ? entry.group : '';
  const version = entry.version ?? '';
  const made = { type: 'generic', namespace: group === '' ? null : group, name: entry.name, version: entry.version };
  const nameKey = `${SEPARATOR}${group}${SEPARATOR}${entry.name}`;
  return {
    purl: entry.purl ?? formatPurl({ ...made, qualifiers: new Map(), subpath: null }),
    type: '',
    nameKey,
    ownNameKey: nameKey,
    key: `${nameKey}${SEPARATOR}${version}`,
    name: entry.name,
    namespace: group,
    version,
    arch: null,
    listed,
    excuse: 'optional' in entry && entry.optional === true ? 'optional' : null,
    source: null,
  };
}

function describeUnreadable(entry: SbomPackage | InventoryPackage, purl: string, listed: boolean): PackageWords {
  const key = `unreadable${SEPARATOR}${purl}`;
  const version = entry.version ?? '';
  return {
    purl,
    type: 'unreadable',
    nameKey: key,
    ownNameKey: key,
    key,
    name: '',
    namespace: '',
    version,
    arch: null,
    listed,
    excuse: null,
    source: null,
  };
}

/** Whether a row is a Go main module without a version of its own. */
export function isGoDevel(row: PackageRow): boolean {
  return row.type === 'golang' && row.key.endsWith(`${SEPARATOR}${GO_DEVEL}`);
}
