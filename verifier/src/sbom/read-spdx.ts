import type { FieldReader } from '../trust/field-reader.ts';
import type { SbomDocument, SbomPackage } from './sbom.ts';
import { checkPrintable, MAX_COMPONENTS, MAX_DETAILS, refuseSbom } from './sbom-limits.ts';

/** Purposes of packages that are no installed software. */
const OTHER_PURPOSES = ['CONTAINER', 'OPERATING-SYSTEM', 'FILE', 'SOURCE', 'ARCHIVE', 'DEVICE', 'FIRMWARE'];
/** How tools name the element that stands for the scanned thing itself. */
const ROOT_ID = /^SPDXRef-(?:DocumentRoot|ContainerImage|Filesystem)-/;
const TOOL = /^Tool: /;
/** SPDX words for "no version". */
const NO_VERSION = ['', 'NOASSERTION', 'NONE'];

/**
 * Reads an SPDX 2.3 document: its packages with their purl, the tools and the operating system.
 *
 * See SPDX 2.3, clauses 6 (creation), 7 (package information). The element that stands for the scanned image is left
 * out. Throws `VerifierError` ERR_VERIFIER_SBOM.
 */
export function readSpdx(root: FieldReader): SbomDocument {
  root.oneOf('spdxVersion', ['SPDX-2.3']);
  root.oneOf('SPDXID', ['SPDXRef-DOCUMENT']);
  const entries = root.optionalObjects('packages', MAX_COMPONENTS);
  return {
    format: 'spdx',
    specVersion: '2.3',
    tools: readTools(root.object('creationInfo')),
    distro: readDistro(entries),
    complete: true,
    packages: entries.flatMap((entry) => readPackage(entry) ?? []),
  };
}

function readPackage(entry: FieldReader): SbomPackage | undefined {
  const name = checkPrintable(entry.string('name', { maxLength: 1024, pattern: /./u }), 'the name of a package');
  const version = readVersion(entry);
  if (OTHER_PURPOSES.includes(readPurpose(entry)) || ROOT_ID.test(entry.string('SPDXID', { maxLength: 1024 }))) {
    return undefined;
  }
  const purl = readPurl(entry);
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
    .filter((reference) => reference.raw('referenceType') === 'purl')
    .map((reference) => reference.string('referenceLocator'));
  const [first] = purls;
  if (purls.some((purl) => purl !== first)) throw refuseSbom(`${entry.path} has two different purls`);
  return first === undefined ? null : checkPrintable(first, 'a purl');
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
