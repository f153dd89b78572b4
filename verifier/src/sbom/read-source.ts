import type { FieldReader } from '../trust/field-reader.ts';
import { HOLDFAST_PROPERTIES } from './holdfast-properties.ts';
import type { SbomPackage } from './sbom.ts';

const TRIVY = 'aquasecurity:trivy:Src';

/** The value of the first property with one of these names. */
export function readProperty(properties: readonly FieldReader[], ...names: readonly string[]): string | undefined {
  const property = properties.find((candidate) => names.some((name) => candidate.raw('name') === name));
  return property?.optionalString('value');
}

/**
 * The source package that a CycloneDX component was built from, as Holdfast or trivy writes it; trivy splits the version
 * into epoch, version and release.
 */
export function readSourcePackage(properties: readonly FieldReader[]): SbomPackage['source'] {
  const name = readProperty(properties, HOLDFAST_PROPERTIES.source, `${TRIVY}Name`);
  if (name === undefined) return undefined;
  const own = readProperty(properties, HOLDFAST_PROPERTIES.sourceVersion);
  const upstream = readProperty(properties, `${TRIVY}Version`);
  if (own !== undefined || upstream === undefined) return { name, version: own ?? null };
  const epoch = readProperty(properties, `${TRIVY}Epoch`);
  const release = readProperty(properties, `${TRIVY}Release`);
  return {
    name,
    version: `${epoch === undefined ? '' : `${epoch}:`}${upstream}${release === undefined ? '' : `-${release}`}`,
  };
}
