import assert from 'node:assert/strict';
import { test } from 'node:test';
import type { InventoryPackage } from '@holdfast/evidence';
import { makeRandom } from '../trust/trust.fixture.ts';
import { findCertainDifferences } from './certain-differences.ts';
import { comparePackageLists } from './compare-packages.ts';

const at = (name: string, version = '1'): InventoryPackage => {
  return { purl: `pkg:deb/debian/${name}@${version}?arch=amd64`, type: 'deb', name, version, path: '/db' };
};
const list = (...packages: InventoryPackage[]) => ({ packages, complete: true });
const cut = (...packages: InventoryPackage[]) => ({ packages, complete: false });

test('a row of the cut list that the complete one does not have is a difference, and nothing else is', () => {
  const [full, other] = [list(at('bash'), at('curl'), at('zlib')), cut(at('bash'), at('curl', '2'), at('evil'))];
  const rows = [at('curl', '2').purl, at('evil').purl];
  assert.deepEqual(findCertainDifferences(full, other), { unexpected: rows, missing: [] });
  assert.deepEqual(findCertainDifferences(other, full), { unexpected: [], missing: rows });
});

test('nothing is certain where the cut list has nothing of its own, both are cut, or one is empty', () => {
  const nothing = { unexpected: [], missing: [] };
  const full = list(at('bash'), at('curl'));
  assert.deepEqual(findCertainDifferences(full, cut(at('bash'))), nothing);
  assert.deepEqual(findCertainDifferences(cut(at('bash')), cut(at('evil'))), nothing);
  assert.deepEqual(findCertainDifferences(full, list(at('evil'))), nothing);
  assert.deepEqual(findCertainDifferences(list(), cut(at('evil'))), nothing);
  assert.deepEqual(findCertainDifferences(full, cut()), nothing);
});

test('nothing is certain with an SBOM: what was left out may explain what is there', () => {
  const listed = (version: string) => ({ purl: at('bash', version).purl, name: 'bash', version, paths: [] });
  const nothing = { unexpected: [], missing: [] };
  // The installed version may stand in the rest of the SBOM, and who owns a package in the rest of the inventory.
  assert.deepEqual(findCertainDifferences({ packages: [listed('0')], complete: false }, list(at('bash'))), nothing);
  const python = { ...at('x'), purl: 'pkg:pypi/x@1', type: 'pypi' };
  assert.deepEqual(findCertainDifferences({ packages: [listed('1')] }, cut(at('bash'), python)), nothing);
});

test('whatever was cut off, no more is certain than differs in the whole list', () => {
  const random = makeRandom(11);
  const pick = () => at(`n${random() % 6}`, String(random() % 3));
  for (let round = 0; round < 200; round++) {
    const [full, whole] = [Array.from({ length: 12 }, pick), Array.from({ length: 12 }, pick)];
    const part = cut(...whole.slice(0, random() % 12));
    const certain = findCertainDifferences(list(...full), part).unexpected;
    const all = comparePackageLists(list(...full), list(...whole));
    assert.ok(all.decided);
    const left = [...all.unexpected, ...all.changed.map(({ purl }) => purl)];
    for (const purl of certain) {
      const place = left.indexOf(purl);
      assert.ok(place >= 0, purl);
      left.splice(place, 1);
    }
  }
});
