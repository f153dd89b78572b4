import assert from 'node:assert/strict';
import { test } from 'node:test';
import { assertSurvivesHostileBytes, evidenceError } from '../testing/foreign-bytes.test.ts';
import type { Inventory, InventoryPackage } from './inventory.ts';
import { encodeInventory, parseInventory } from './parse-inventory.ts';

const packageOf = (name: string, path = '/var/lib/dpkg/status'): InventoryPackage => ({
  purl: `pkg:deb/debian/${name}@1.0-1?arch=amd64`,
  type: 'deb',
  name,
  version: '1:1.0-1',
  arch: 'amd64',
  path,
  layer: `sha256:${'ab'.repeat(32)}`,
  source: { name, version: '1.0-1' },
});
const inventory: Inventory = {
  format: 'holdfast-inventory-v1',
  databases: [{ type: 'dpkg', path: '/var/lib/dpkg/status', sha256: 'cd'.repeat(32) }],
  complete: true,
  limits: [],
  packages: [packageOf('a'), packageOf('b'), packageOf('b', '/var/lib/dpkg/status.d/b')],
  unowned: { executables: 1, sharedObjects: 0 },
};
const parseValue = (value: unknown) => parseInventory(Buffer.from(JSON.stringify(value)));

test('an inventory survives encoding and parsing', () => {
  assert.deepEqual(parseInventory(encodeInventory(inventory)), inventory);
});

test('the order in which packages were found does not change the bytes', () => {
  const found = { ...inventory, packages: inventory.packages.toReversed() };
  assert.deepEqual(encodeInventory(found), encodeInventory(inventory));
  assert.throws(() => parseValue(found), evidenceError('ERR_EVIDENCE_CLAIMS'));
});

test('an empty inventory is not the same as one that is cut short', () => {
  const empty = { ...inventory, packages: [], databases: [] };
  assert.equal(parseInventory(encodeInventory(empty)).complete, true);
  assert.equal(parseInventory(encodeInventory({ ...empty, complete: false, limits: ['time'] })).complete, false);
});

test('bad formats, members and values are refused', () => {
  const [first] = inventory.packages;
  for (const value of [
    { ...inventory, format: 'holdfast-inventory-v2' },
    { ...inventory, complete: undefined },
    { ...inventory, extra: 1 },
    { ...inventory, unowned: { executables: -1, sharedObjects: 0 } },
    { ...inventory, databases: [{ type: 'dpkg', path: 'var', sha256: 'cd'.repeat(32) }] },
    { ...inventory, packages: [{ ...first, purl: 'deb/debian/a' }] },
    { ...inventory, packages: [{ ...first, purl: 'pkg:deb/debian/a b' }] },
    { ...inventory, packages: [{ ...first, layer: 'ab' }] },
    { ...inventory, packages: [{ ...first, extra: 1 }] },
    { ...inventory, packages: [{ ...first, name: '' }] },
  ]) {
    assert.throws(() => parseValue(value), evidenceError('ERR_EVIDENCE_CLAIMS'));
  }
});

test('names of a hostile database that cannot be written down end in EvidenceError', () => {
  const named = { ...inventory, packages: [{ ...packageOf('a'), name: 'a'.repeat(1025) }] };
  assert.throws(() => encodeInventory(named), evidenceError('ERR_EVIDENCE_CLAIMS'));
});

test('hostile bytes end in EvidenceError only', () => {
  assertSurvivesHostileBytes(parseInventory, encodeInventory(inventory), { flipStep: 3 });
});
