import { createHash } from 'node:crypto';
import type { Inventory, InventoryPackage } from '@holdfast/evidence';
import { HOLDFAST_PROPERTIES } from './holdfast-properties.ts';

/** What the SBOM is about. */
export interface SbomSubject {
  /** Name of the image, such as its repository. */
  readonly name: string;
  /** Manifest digest, `sha256:…`. */
  readonly digest?: string;
  /** Version of Holdfast, as the tool that made it. */
  readonly toolVersion: string;
  /** RFC 3339; left out, the same inventory always gives the same bytes. */
  readonly timestamp?: string;
}

interface Property {
  readonly name: string;
  readonly value: string;
}

/**
 * Writes an inventory as CycloneDX 1.6 JSON (ECMA-424): one component a package, sorted by purl and path, with the file
 * that shows it as evidence, and whether the list is complete.
 *
 * Deterministic: no random serial number, no clock. Gives the JSON text.
 */
export function inventoryToCycloneDx(inventory: Inventory, subject: SbomSubject): string {
  const components = describePackages(inventory.packages);
  const root = {
    type: 'container',
    'bom-ref': 'subject',
    name: subject.name,
    ...(subject.digest === undefined ? {} : { version: subject.digest }),
  };
  const metadata = {
    ...(subject.timestamp === undefined ? {} : { timestamp: subject.timestamp }),
    tools: { components: [{ type: 'application', name: 'holdfast', version: subject.toolVersion }] },
    component: root,
  };
  const body = {
    version: 1,
    metadata,
    components,
    compositions: [{ aggregate: inventory.complete ? 'complete' : 'incomplete', assemblies: ['subject'] }],
  };
  const head = {
    $schema: 'http://cyclonedx.org/schema/bom-1.6.schema.json',
    bomFormat: 'CycloneDX',
    specVersion: '1.6',
    serialNumber: deriveSerialNumber(JSON.stringify(body)),
  };
  return JSON.stringify({ ...head, ...body });
}

function describePackages(packages: readonly InventoryPackage[]) {
  const seen = new Map<string, number>();
  const sorted = packages.toSorted((a, b) => compareText(a.purl, b.purl) || compareText(a.path, b.path));
  return sorted.map((entry) => {
    const count = seen.get(entry.purl) ?? 0;
    seen.set(entry.purl, count + 1);
    const properties = describeProperties(entry);
    return {
      type: 'library',
      // References must be unique, purls need not be: one package can lie at two paths.
      'bom-ref': count === 0 ? entry.purl : `${entry.purl}#${count}`,
      name: entry.name,
      ...(entry.version === '' ? {} : { version: entry.version }),
      purl: entry.purl,
      ...(properties.length === 0 ? {} : { properties }),
      evidence: { occurrences: [{ location: entry.path }] },
    };
  });
}

function describeProperties(entry: InventoryPackage): Property[] {
  const values: [string, string | undefined][] = [
    [HOLDFAST_PROPERTIES.layer, entry.layer],
    [HOLDFAST_PROPERTIES.owner, entry.ownedBy],
    [HOLDFAST_PROPERTIES.source, entry.source?.name],
    [HOLDFAST_PROPERTIES.sourceVersion, entry.source?.version],
  ];
  return values.flatMap(([name, value]) => (value === undefined ? [] : [{ name, value }]));
}

/** A UUID of version 8 (RFC 9562, 5.8) from the content, so that equal content has an equal serial number. */
function deriveSerialNumber(content: string): string {
  const bytes = createHash('sha256').update(content).digest().subarray(0, 16);
  bytes.writeUInt8((bytes.readUInt8(6) & 0x0f) | 0x80, 6);
  bytes.writeUInt8((bytes.readUInt8(8) & 0x3f) | 0x80, 8);
  const hex = bytes.toString('hex');
  return `urn:uuid:${[hex.slice(0, 8), hex.slice(8, 12), hex.slice(12, 16), hex.slice(16, 20), hex.slice(20)].join('-')}`;
}

function compareText(a: string, b: string): number {
  if (a === b) return 0;
  return a < b ? -1 : 1;
}
