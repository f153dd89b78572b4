import assert from 'node:assert/strict';
import { test } from 'node:test';
import type { Inventory } from '@holdfast/evidence';
import { comparePackages } from '../conformity/compare-packages.ts';
import { parseSbom } from './parse-sbom.ts';
import { inventoryToCycloneDx } from './write-cyclonedx.ts';

const INVENTORY: Inventory = {
  format: 'holdfast-inventory-v1',
  databases: [{ type: 'deb', path: '/var/lib/dpkg/status', sha256: 'a'.repeat(64) }],
  complete: true,
  limits: [],
  packages: [
    {
      purl: 'pkg:deb/debian/zlib1g@1%3A1.2.13?arch=amd64',
      type: 'deb',
      name: 'zlib1g',
      version: '1:1.2.13',
      arch: 'amd64',
      path: '/var/lib/dpkg/status',
      layer: `sha256:${'b'.repeat(64)}`,
      source: { name: 'zlib', version: '1:1.2.13' },
    },
    { purl: 'pkg:npm/left-pad@1.0.0', type: 'npm', name: 'left-pad', version: '1.0.0', path: '/b/package.json' },
    {
      purl: 'pkg:npm/left-pad@1.0.0',
      type: 'npm',
      name: 'left-pad',
      version: '1.0.0',
      path: '/a/package.json',
      ownedBy: 'pkg:deb/debian/a@1',
    },
  ],
  unowned: { executables: 0, sharedObjects: 0 },
};
const SUBJECT = { name: 'org/app', digest: `sha256:${'c'.repeat(64)}`, toolVersion: '0.1.0' };

test('the document has what the schema of CycloneDX 1.6 asks for', () => {
  const bom = JSON.parse(inventoryToCycloneDx(INVENTORY, { ...SUBJECT, timestamp: '2026-01-01T00:00:00Z' }));
  assert.equal(bom.$schema, 'http://cyclonedx.org/schema/bom-1.6.schema.json');
  assert.equal(bom.bomFormat, 'CycloneDX');
  assert.equal(bom.specVersion, '1.6');
  assert.equal(bom.version, 1);
  assert.match(bom.serialNumber, /^urn:uuid:[0-9a-f]{8}-[0-9a-f]{4}-8[0-9a-f]{3}-[89ab][0-9a-f]{3}-[0-9a-f]{12}$/);
  assert.equal(bom.metadata.timestamp, '2026-01-01T00:00:00Z');
  assert.deepEqual(bom.metadata.component, {
    type: 'container',
    'bom-ref': 'subject',
    name: 'org/app',
    version: SUBJECT.digest,
  });
  const refs = bom.components.map((component: { 'bom-ref': string }) => component['bom-ref']);
  assert.equal(new Set(refs).size, refs.length);
  assert.deepEqual(bom.compositions, [{ aggregate: 'complete', assemblies: ['subject'] }]);
});

test('the same inventory gives the same bytes whatever its order', () => {
  const shuffled = { ...INVENTORY, packages: INVENTORY.packages.toReversed() };
  assert.equal(inventoryToCycloneDx(shuffled, SUBJECT), inventoryToCycloneDx(INVENTORY, SUBJECT));
  assert.ok(!inventoryToCycloneDx(INVENTORY, SUBJECT).includes('timestamp'));
});

test('another content has another serial number', () => {
  const serial = (inventory: Inventory) => JSON.parse(inventoryToCycloneDx(inventory, SUBJECT)).serialNumber;
  assert.notEqual(serial(INVENTORY), serial({ ...INVENTORY, packages: INVENTORY.packages.slice(1) }));
});

test('an inventory that hit a limit says so, and is read as cut', () => {
  const text = inventoryToCycloneDx({ ...INVENTORY, complete: false }, SUBJECT);
  assert.equal(JSON.parse(text).compositions[0].aggregate, 'incomplete');
  assert.equal(parseSbom(Buffer.from(text)).complete, false);
  assert.equal(parseSbom(Buffer.from(inventoryToCycloneDx(INVENTORY, SUBJECT))).complete, true);
});

test('what was written reads back and matches the inventory it came from', () => {
  const sbom = parseSbom(Buffer.from(inventoryToCycloneDx(INVENTORY, SUBJECT)));
  assert.deepEqual(sbom.packages[0]?.source, { name: 'zlib', version: '1:1.2.13' });
  assert.deepEqual(
    sbom.packages.map((entry) => entry.ownedBy),
    [undefined, 'pkg:deb/debian/a@1', undefined],
  );
  const result = comparePackages(sbom.packages, INVENTORY.packages);
  assert.deepEqual(result, { decided: true, match: 3, explained: [], unexpected: [], missing: [], changed: [] });
});
