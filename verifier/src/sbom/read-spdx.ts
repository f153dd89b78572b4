import type { FieldReader } from '../trust/field-reader.ts';
import type { SbomDocument, SbomPackage } from './sbom.ts';
import { checkPrintable, MAX_COMPONENTS, MAX_DETAILS, refuseSbom } from './sbom-limits.ts';

/** Purposes of packages that are no installed software. */
const OTHER_PURPOSES = ['CONTAINER', 'OPERATING-SYSTEM', 'FILE', 'SOURCE', 'ARCHIVE', 'DEVICE', 'FIRMWARE'];
/** How tools name the element that stands for the scanned thing itself. */
const ROOT_ID = /^SPDXRef-(?:DocumentRoot|ContainerImage|Filesystem)-/;
const DOCUMENT_ID = 'SPDXRef-DOCUMENT';
const TOOL = /^Tool: /;
/** SPDX words for "no version". */
const NO_VERSION = ['', 'NOASSERTION', 'NONE'];

/**
 * Reads an SPDX 2.3 document: its packages with their purl, the tools and the operating system.
 *
 * See SPDX 2.3, clauses 6 (creation), 7 (package information), 11 (relationships). The element that stands for the scanned
 * image is left out, and so is what the document describes, where that has no purl. Throws `VerifierError` ERR_VERIFIER_SBOM.
 */
export function readSpdx(root: FieldReader): SbomDocument {
  root.oneOf('spdxVersion', ['SPDX-2.3']);
  root.oneOf('SPDXID', [DOCUMENT_ID]);
  const entries = root.optionalObjects('packages', MAX_COMPONENTS);
  const subjects = readSubjects(root, entries);
  return {
    format: 'spdx',
    specVersion: '2.3',
    tools: readTools(root.object('creationInfo')),
    distro: readDistro(entries),
    complete: true,
    packages: entries.flatMap((entry) => readPackage(entry, subjects) ?? []),
  };
}

/**
 * SPDXIDs of what the document describes. Nothing, where that is every package: a tool that describes all that it lists
 * names no subject.
 */
function readSubjects(root: FieldReader, entries: readonly FieldReader[]): ReadonlySet<unknown> {
  const subjects = new Set(listOf(root.raw('documentDescribes')));
  // Most relationships are those of files: only what is needed of them is read, however many there are.
  for (const relationship of listOf(root.raw('relationships'))) {
    const [from, to] = [memberOf(relationship, 'spdxElementId'), memberOf(relationship, 'relatedSpdxElement')];
    const type = memberOf(relationship, 'relationshipType');
    if (type === 'DESCRIBES' && from === DOCUMENT_ID) subjects.add(to);
    if (type === 'DESCRIBED_BY' && to === DOCUMENT_ID) subjects.add(from);
  }
  return entries.every((entry) => subjects.has(entry.raw('SPDXID'))) ? new Set() : subjects;
}

function listOf(value: unknown): readonly unknown[] {
  return Array.isArray(value) ? value : [];
}

function memberOf(value: unknown, name: string): unknown {
  return typeof value === 'object' && value !== null ? Reflect.get(value, name) : undefined;
}

function readPackage(entry: FieldReader, subjects: ReadonlySet<unknown>): SbomPackage | undefined {
  const name = checkPrintable(entry.string('name', { maxLength: 1024, pattern: /./u }), 'the name of a package');
  const version = readVersion(entry);
  if (OTHER_PURPOSES.includes(readPurpose(entry)) || ROOT_ID.test(entry.string('SPDXID', { maxLength: 1024 }))) {
    return undefined;
  }
  const purl = readPurl(entry);
  if (purl === null && subjects.has(entry.raw('SPDXID'))) return undefined;
  // trivy writes a bare application for each kind of manifest that it found.
  if (purl === null && readPurpose(entry) === 'APPLICATION') return undefined;
  return { purl, name, version, paths: readPaths(entry) };
}

function readPurpose(entry: FieldReader): string {
  // SPDX 2.3 prints underscores in its schema and hyphens in its text.
  return (entry.optionalString('primaryPackagePurpose', { maxLength: 64 }) ?? '').replaceAll('_', '-');
}

function readVersion(entry: FieldReader): string | null {
  const version = entry.optionalString('versionInfo', { maxLength: 1024 });
  return version === undefined || NO_VERSION.includes(version) ? null : checkPrintable(version, 'a version');
}

/** The one purl of a package; two different ones contradict each other. */
function readPurl(entry: FieldReader): string | null {
  const purls = entry
    .optionalObjects('externalRefs', MAX_DETAILS)
    .filter((reference) => isPurlType(reference.raw('referenceType')))
    .map((reference) => reference.string('referenceLocator'));
  const [first] = purls;
  if (purls.some((purl) => purl !== first)) throw refuseSbom(`${entry.path} has two different purls`);
  return first === undefined ? null : checkPrintable(first, 'a purl');
}

/** SPDX 2.3, annex F has the short name; the schema allows the address that stands for it. */
function isPurlType(type: unknown): boolean {
  return typeof type === 'string' && (type === 'purl' || type.endsWith('/purl'));
}

/** syft and trivy write where they found a package into `sourceInfo`, as a sentence that ends in a path. */
function readPaths(entry: FieldReader): string[] {
  const info = entry.optionalString('sourceInfo', { maxLength: 65_536 });
  const at = info?.lastIndexOf(': /') ?? -1;
  return info === undefined || at === -1 ? [] : info.slice(at + 2).split(', ');
}

function readDistro(entries: readonly FieldReader[]): SbomDocument['distro'] {
  const system = entries.find((entry) => readPurpose(entry) === 'OPERATING-SYSTEM');
  if (system === undefined) return null;
  return { id: checkPrintable(system.string('name'), 'an operating system'), version: readVersion(system) ?? '' };
}

function readTools(creation: FieldReader): string[] {
  return creation
    .strings('creators', 64)
    .filter((creator) => TOOL.test(creator))
    .map((creator) => checkPrintable(creator.slice('Tool: '.length), 'a tool'));
}
