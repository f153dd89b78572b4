import assert from 'node:assert/strict';
import { test } from 'node:test';
import type { InventoryPackage } from '@holdfast/evidence';
import { makeRandom } from '../trust/trust.fixture.ts';
import { comparePackageLists } from './compare-packages.ts';
import type { PackageComparison } from './comparison.ts';

const at = (purl: string, more: Partial<InventoryPackage> = {}): InventoryPackage => ({
  purl,
  type: '',
  name: '',
  version: '',
  path: '/db',
  ...more,
});
const bash = at('pkg:deb/debian/bash@5?arch=amd64');

/** Two inventories, each with bash. */
function compare(expected: readonly InventoryPackage[], actual: readonly InventoryPackage[]): PackageComparison {
  const result = comparePackageLists({ packages: [bash, ...expected] }, { packages: [bash, ...actual] });
  assert.ok(result.decided, 'nothing was decided');
  assert.deepEqual(result.explained, []);
  return result;
}

test('an owner excuses no package that two inventories show differently', () => {
  const ownedBy = 'pkg:deb/debian/pyapp@1?arch=amd64';
  const result = compare(
    [at('pkg:pypi/o@1', { ownedBy }), at('pkg:npm/k@1', { ownedBy })],
    [at('pkg:pypi/o@666', { ownedBy }), at('pkg:npm/evil@9', { ownedBy })],
  );
  assert.deepEqual(result.changed, [{ purl: 'pkg:pypi/o@666', from: '1', to: '666' }]);
  assert.deepEqual([result.missing, result.unexpected], [['pkg:npm/k@1'], ['pkg:npm/evil@9']]);
});

test('a program that was dropped in is unexpected with all that it was built of', () => {
  const [yaml, stdlib] = [at('pkg:golang/sigs.k8s.io/yaml@v1.4.0'), at('pkg:golang/stdlib@1.23.8')];
  const main = at('pkg:golang/evil.io/kuberneta@%28devel%29');
  const result = compare([yaml, stdlib], [yaml, stdlib, main, { ...yaml, path: '/bin/evil' }, stdlib]);
  assert.equal(result.match, 3);
  assert.deepEqual(result.unexpected, [main.purl, yaml.purl, stdlib.purl]);
});

test('what tools write differently is a difference where one tool wrote both', () => {
  for (const [from, to] of [
    ['pkg:npm/b@1.0.0-beta%2Bbuild.5', 'pkg:npm/b@1.0.0-beta%2Bevil'],
    ['pkg:pypi/a@1.0', 'pkg:pypi/a@1.0.0'],
    ['pkg:golang/a.io/m@v1.0.0', 'pkg:golang/a.io/m@%28devel%29'],
    ['pkg:gem/nokogiri@1-x86_64-linux', 'pkg:gem/nokogiri@1'],
  ] as const) {
    assert.equal(compare([at(from)], [at(to)]).changed.length, 1, to);
  }
  for (const [from, to] of [
    ['pkg:maven/guess/guess@1', 'pkg:maven/org.evil/guess@1'],
    ['pkg:npm/JSONStream@1', 'pkg:npm/jsonstream@1'],
    ['pkg:conda/numpy@1?build=0', 'pkg:conda/numpy@1?build=1'],
  ] as const) {
    const result = compare([at(from)], [at(to)]);
    assert.deepEqual([result.missing, result.unexpected, result.changed], [[from], [to], []]);
  }
});

test('the distribution and the path are no part of the comparison, the architecture is', () => {
  const curl = at('pkg:deb/debian/curl@8?arch=amd64');
  assert.equal(compare([curl], [at('pkg:deb/ubuntu/curl@8?arch=amd64', { path: '/other' })]).match, 2);
  const i386 = compare([curl], [at('pkg:deb/debian/curl@8?arch=i386')]);
  assert.deepEqual([i386.missing.length, i386.unexpected.length], [1, 1]);
});

test('an SBOM on either side is compared as an SBOM', () => {
  const owned = at('pkg:pypi/o@1', { ownedBy: 'pkg:deb/debian/pyapp@1' });
  const sbom = { packages: [{ purl: bash.purl, name: 'bash', version: '5', paths: [] }] };
  const inventory = { packages: [bash, owned] };
  for (const result of [comparePackageLists(sbom, inventory), comparePackageLists(inventory, sbom)]) {
    assert.deepEqual(result.decided && result.explained, [{ purl: 'pkg:pypi/o@1', reason: 'os-owned' }]);
  }
});

test('every row of two inventories is told exactly once', () => {
  const random = makeRandom(3);
  const pick = () =>
    at(
      `pkg:${['deb', 'npm', 'golang', 'none'][random() % 4]}/n${random() % 5}@${random() % 3}?arch=${['a', 'b', 'all'][random() % 3]}`,
    );
  for (let round = 0; round < 200; round++) {
    const [expected, actual] = [random() % 20, random() % 20].map((length) => Array.from({ length }, pick));
    const { match, changed, missing, unexpected } = compare(expected ?? [], actual ?? []);
    assert.equal(match + changed.length + missing.length, 1 + (expected?.length ?? 0));
    assert.equal(match + changed.length + unexpected.length, 1 + (actual?.length ?? 0));
  }
});
