import type { FieldReader } from '../trust/field-reader.ts';
import { HOLDFAST_PROPERTIES } from './holdfast-properties.ts';
import { readProperty, readSourcePackage } from './read-source.ts';
import type { SbomDocument, SbomPackage } from './sbom.ts';
import { checkPrintable, MAX_COMPONENTS, MAX_DETAILS, MAX_NESTING, refuseSbom } from './sbom-limits.ts';

const VERSIONS = ['1.4', '1.5', '1.6', '1.7'] as const;
/** Component types that count as packages even without a purl. */
const PACKAGE_TYPES = ['library', 'framework'];
/** Component types that are never packages, whatever purl they carry. */
const OTHER_TYPES = ['file', 'operating-system', 'container', 'cryptographic-asset', 'data', 'machine-learning-model'];

/** Properties of trivy, cdxgen and syft that name the file in which a package was found. */
const PATH_PROPERTY = /^(?:aquasecurity:trivy:FilePath|SrcFile|syft:location:\d{1,5}:path)$/;

/**
 * Reads a CycloneDX document, nested components included.
 *
 * See CycloneDX 1.4 to 1.7, `bom`. Components whose scope is `excluded` are no part of the thing and left out. It is not
 * complete where a composition says so of the thing itself.
 * Throws `VerifierError` ERR_VERIFIER_SBOM.
 */
export function readCycloneDx(root: FieldReader): SbomDocument {
  root.oneOf('bomFormat', ['CycloneDX']);
  const specVersion = root.oneOf('specVersion', VERSIONS);
  const components = flattenComponents(root);
  const metadata = root.optionalObject('metadata');
  const subject = metadata?.optionalObject('component');
  return {
    format: 'cyclonedx',
    specVersion,
    tools: readTools(metadata),
    distro: readDistro(components),
    complete: !saysIncomplete(root, subject),
    packages: [...readSubject(subject), ...components.flatMap((component) => readPackage(component) ?? [])],
  };
}

/** All components, breadth first, so that a deep document costs no stack. */
function flattenComponents(root: FieldReader): FieldReader[] {
  const all: FieldReader[] = [];
  let level = root.optionalObjects('components', MAX_COMPONENTS);
  for (let depth = 0; level.length > 0; depth++) {
    if (depth === MAX_NESTING) throw refuseSbom(`components are nested deeper than ${MAX_NESTING}`);
    if (all.length + level.length > MAX_COMPONENTS) throw refuseSbom(`it has more than ${MAX_COMPONENTS} components`);
    for (const component of level) all.push(component);
    level = level.flatMap((component) => component.optionalObjects('components', MAX_COMPONENTS));
  }
  return all;
}

function readPackage(component: FieldReader): SbomPackage | undefined {
  const type = component.string('type', { maxLength: 64 });
  if (OTHER_TYPES.includes(type)) return undefined;
  const scope = component.optionalString('scope', { maxLength: 16 });
  if (scope === 'excluded') return undefined;
  const purl = component.optionalString('purl');
  if (purl === undefined && !PACKAGE_TYPES.includes(type)) return undefined;
  const group = component.optionalString('group', { maxLength: 1024 });
  const properties = component.optionalObjects('properties', MAX_DETAILS);
  const source = readSourcePackage(properties);
  const ownedBy = readProperty(properties, HOLDFAST_PROPERTIES.owner);
  return {
    purl: purl === undefined ? null : checkPrintable(purl, 'a purl'),
    name: checkPrintable(component.string('name', { maxLength: 1024, pattern: /./u }), 'the name of a component'),
    version: readVersion(component),
    ...(group === undefined || group === '' ? {} : { group: checkPrintable(group, 'a group') }),
    ...(scope === 'optional' ? { optional: true } : {}),
    ...(ownedBy === undefined ? {} : { ownedBy }),
    ...(source === undefined ? {} : { source }),
    ...(isSource(component) ? { isSource: true } : {}),
    paths: [...readPaths(properties), ...readOccurrences(component)],
  };
}

/** What the SBOM is about, where that is a package itself: an application, say, that lies in the image or does not. */
function readSubject(subject: FieldReader | undefined): SbomPackage[] {
  const found = subject?.has('purl') === true ? readPackage(subject) : undefined;
  return found === undefined ? [] : [{ ...found, isSubject: true }];
}

function readVersion(component: FieldReader): string | null {
  const version = component.optionalString('version', { maxLength: 1024 });
  return version === undefined || version === '' ? null : checkPrintable(version, 'a version');
}

/** cdxgen tags the source packages that it adds to the installed ones. */
function isSource(component: FieldReader): boolean {
  return component.has('tags') && component.strings('tags', MAX_DETAILS).includes('source');
}

function readPaths(properties: readonly FieldReader[]): string[] {
  return properties
    .filter((property) => PATH_PROPERTY.test(property.optionalString('name') ?? ''))
    .flatMap((property) => property.optionalString('value') ?? []);
}

function readOccurrences(component: FieldReader): string[] {
  const evidence = component.optionalObject('evidence');
  if (evidence === undefined) return [];
  return evidence
    .optionalObjects('occurrences', MAX_DETAILS)
    .flatMap((entry) => entry.optionalString('location') ?? []);
}

function readDistro(components: readonly FieldReader[]): SbomDocument['distro'] {
  const system = components.find((component) => component.raw('type') === 'operating-system');
  if (system === undefined) return null;
  return { id: checkPrintable(system.string('name'), 'an operating system'), version: readVersion(system) ?? '' };
}

/** `incomplete`, or one of those that say which party's components are; `unknown` and `not_specified` say nothing. */
function saysIncomplete(root: FieldReader, subject: FieldReader | undefined): boolean {
  const reference = subject?.optionalString('bom-ref');
  if (reference === undefined) return false;
  return root
    .optionalObjects('compositions', MAX_COMPONENTS)
    .filter((composition) => composition.optionalString('aggregate')?.startsWith('incomplete') === true)
    .some(
      (composition) =>
        composition.has('assemblies') && composition.strings('assemblies', MAX_COMPONENTS).includes(reference),
    );
}

/** Up to 1.4 a list, since 1.5 also an object with components. */
function readTools(metadata: FieldReader | undefined): string[] {
  if (metadata === undefined || !metadata.has('tools')) return [];
  const tools = Array.isArray(metadata.raw('tools'))
    ? metadata.objects('tools', 64)
    : metadata.object('tools').optionalObjects('components', 64);
  return tools.map((tool) => {
    const [name, version] = [tool.optionalString('name') ?? '', tool.optionalString('version') ?? ''];
    return checkPrintable(`${name} ${version}`.trim(), 'a tool');
  });
}
