import assert from 'node:assert/strict';
import { test } from 'node:test';
import type { Inventory, InventoryPackage } from '@holdfast/evidence';
import { deltaInventories } from './delta-inventories.ts';

function pkg(name: string, version: string, path = '/var/lib/dpkg/status'): InventoryPackage {
  return { purl: `pkg:deb/debian/${name}@${version}`, type: 'deb', name, version, path };
}

function inventory(...packages: InventoryPackage[]): Inventory {
  return {
    format: 'holdfast-inventory-v1',
    databases: [],
    complete: true,
    limits: [],
    packages,
    unowned: { executables: 0, sharedObjects: 0 },
  };
}

const EMPTY = { added: [], removed: [], changed: [] };

test('equal inventories have no difference, whatever their order', () => {
  assert.deepEqual(
    deltaInventories(inventory(pkg('a', '1'), pkg('b', '1')), inventory(pkg('b', '1'), pkg('a', '1'))),
    EMPTY,
  );
});

test('a package that appears is added, even where there was none before', () => {
  const added = [{ purl: 'pkg:deb/debian/a@1', path: '/var/lib/dpkg/status', version: '1' }];
  assert.deepEqual(deltaInventories(inventory(), inventory(pkg('a', '1'))), { ...EMPTY, added });
});

test('a package that disappears is removed', () => {
  const removed = [{ purl: 'pkg:deb/debian/a@1', path: '/var/lib/dpkg/status', version: '1' }];
  assert.deepEqual(deltaInventories(inventory(pkg('a', '1')), inventory()), { ...EMPTY, removed });
});

test('another version at the same place is changed', () => {
  const changed = [{ purl: 'pkg:deb/debian/a@2', path: '/var/lib/dpkg/status', from: '1', to: '2' }];
  assert.deepEqual(deltaInventories(inventory(pkg('a', '1')), inventory(pkg('a', '2'))), { ...EMPTY, changed });
});

test('the same package at another place is added, and a repeat counts', () => {
  assert.equal(
    deltaInventories(inventory(pkg('a', '1')), inventory(pkg('a', '1'), pkg('a', '1', '/x'))).added.length,
    1,
  );
  assert.equal(deltaInventories(inventory(pkg('a', '1')), inventory(pkg('a', '1'), pkg('a', '1'))).added.length, 1);
});
