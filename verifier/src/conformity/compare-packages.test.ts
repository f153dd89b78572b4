import assert from 'node:assert/strict';
import { test } from 'node:test';
import type { InventoryPackage } from '@holdfast/evidence';
import type { SbomPackage } from '../sbom/sbom.ts';
import { makeRandom } from '../trust/trust.fixture.ts';
import { comparePackageLists, comparePackages } from './compare-packages.ts';
import { listInventory } from './prepared-packages.ts';

const installed = (purl: string): InventoryPackage => ({ purl, type: '', name: '', version: '', path: '/db' });
const listed = (purl: string): SbomPackage => ({ purl, name: 'x', version: null, paths: [] });
const deb = (name: string, version = '1', arch = 'amd64') => `pkg:deb/debian/${name}@${version}?arch=${arch}`;

test('equal lists match', () => {
  assert.deepEqual(comparePackages([listed(deb('a')), listed(deb('b'))], [installed(deb('b')), installed(deb('a'))]), {
    decided: true,
    match: 2,
    explained: [],
    unexpected: [],
    missing: [],
    changed: [],
  });
});

test('an added, a removed and a changed package are each named once', () => {
  const result = comparePackages(
    [listed(deb('same')), listed(deb('gone')), listed(deb('moved', '1.0'))],
    [installed(deb('same')), installed(deb('new')), installed(deb('moved', '2.0'))],
  );
  assert.deepEqual(result, {
    decided: true,
    match: 1,
    explained: [],
    unexpected: [deb('new')],
    missing: [deb('gone')],
    changed: [{ purl: deb('moved', '2.0'), from: '1.0', to: '2.0' }],
  });
});

test('names of two ecosystems are never mixed up', () => {
  const result = comparePackages([listed('pkg:npm/requests@2')], [installed('pkg:pypi/requests@2')]);
  assert.deepEqual(result.decided && [result.unexpected, result.missing], [
    ['pkg:pypi/requests@2'],
    ['pkg:npm/requests@2'],
  ]);
});

test('a scoped npm package is not its unscoped namesake', () => {
  const result = comparePackages([listed('pkg:npm/react@18')], [installed('pkg:npm/%40types/react@18')]);
  assert.deepEqual(result.decided && result.unexpected, ['pkg:npm/%40types/react@18']);
});

test('a package without a version in the SBOM allows no version', () => {
  const result = comparePackages([listed('pkg:npm/lodash')], [installed('pkg:npm/lodash@4')]);
  assert.deepEqual(result.decided && result.changed, [{ purl: 'pkg:npm/lodash@4', from: '', to: '4' }]);
});

test('a star in an SBOM is a name like any other', () => {
  const result = comparePackages([listed('pkg:npm/%2A@%2A')], [installed('pkg:npm/evil@1')]);
  assert.deepEqual(result.decided && result.unexpected, ['pkg:npm/evil@1']);
});

test('a purl that cannot be read matches only itself', () => {
  const broken = 'pkg:pypi/a%2Fb@1';
  assert.equal(matchOf(comparePackages([listed(broken)], [installed(broken)])), 1);
  const result = comparePackages(
    [listed(broken), listed(deb('a'))],
    [installed('pkg:pypi/a/b@1'), installed(deb('a'))],
  );
  assert.deepEqual(result.decided && [result.missing, result.unexpected], [[broken], ['pkg:pypi/a/b@1']]);
});

test('names that tools fold are the same across two lists', () => {
  for (const [wanted, found] of [
    [deb('Libfoo'), deb('libfoo')],
    ['pkg:apk/alpine/r@4', 'pkg:apk/alpine/R@4'],
    ['pkg:golang/std@1.22.3', 'pkg:golang/stdlib@1.22.3'],
    ['pkg:npm/%40babel%2Fcore@7.0.0', 'pkg:npm/%40babel/core@7.0.0'],
  ] as const) {
    assert.equal(matchOf(comparePackages([listed(wanted)], [installed(found)])), 1, wanted);
  }
});

test('within one list, a name that only folds into another is a package of its own', () => {
  for (const [name, other] of [
    [deb('bash'), deb('BASH')],
    ['pkg:apk/alpine/musl@1', 'pkg:apk/alpine/Musl@1'],
    ['pkg:golang/stdlib@1.22.3', 'pkg:golang/std@1.22.3'],
  ] as const) {
    const result = comparePackages([listed(name)], [installed(name), installed(other)]);
    assert.deepEqual(result.decided && [result.match, result.explained, result.unexpected], [1, [], [other]]);
  }
  const hidden = comparePackages(
    [listed(deb('bash'))],
    [installed(deb('bash')), installed('pkg:deb/debian/x%2Fbash@1')],
  );
  assert.deepEqual(hidden.decided && hidden.unexpected, ['pkg:deb/debian/x%2Fbash@1']);
});

test('a row of an inventory is never excused by its type or place', () => {
  const bash = installed(deb('bash'));
  for (const purl of ['pkg:generic/evil@1', 'pkg:bitnami/evil@1', 'pkg:oci/evil@1', deb('evil', '1', 'source')]) {
    const result = comparePackages([listed(deb('bash'))], [bash, installed(purl)]);
    assert.deepEqual(result.decided && result.unexpected, [purl]);
  }
});

test('what an SBOM is about matches where it is there and is not missed where it is not', () => {
  const subject: SbomPackage = { ...listed('pkg:npm/app@1'), isSubject: true };
  const bash = deb('bash');
  const present = comparePackages([subject, listed(bash)], [installed(bash), installed('pkg:npm/app@1')]);
  const absent = comparePackages([subject, listed(bash)], [installed(bash)]);
  const nothing = { explained: [], unexpected: [], missing: [], changed: [] };
  assert.deepEqual(present, { decided: true, match: 2, ...nothing });
  assert.deepEqual(absent, { decided: true, match: 1, ...nothing });
  const twice = comparePackages([subject, listed('pkg:npm/app@1')], [installed('pkg:npm/app@1')]);
  assert.deepEqual(twice, { decided: true, match: 1, ...nothing });
  const other = comparePackages([subject, listed(bash)], [installed(bash), installed('pkg:npm/app@2')]);
  assert.deepEqual(other.decided && [other.unexpected, other.changed], [['pkg:npm/app@2'], []]);
});

test('an operating system’s package is not excused by an owner', () => {
  const result = comparePackages(
    [listed(deb('bash'))],
    [installed(deb('bash')), { ...installed(deb('evil')), ownedBy: deb('bash') }],
  );
  assert.deepEqual(result.decided && result.unexpected, [deb('evil')]);
});

test('a second architecture pairs with a row that names none', () => {
  const any = 'pkg:deb/debian/a@1';
  assert.equal(
    matchOf(
      comparePackages(
        [listed(any), listed(deb('a', '1', 'i386'))],
        [installed(deb('a')), installed(deb('a', '1', 'i386'))],
      ),
    ),
    2,
  );
});

test('empty and incomplete lists decide nothing', () => {
  const full = { packages: [listed(deb('a'))] };
  assert.deepEqual(comparePackageLists({ packages: [] }, full), { decided: false, reason: 'EXPECTED_EMPTY' });
  assert.deepEqual(comparePackageLists(full, { packages: [] }), { decided: false, reason: 'ACTUAL_EMPTY' });
  assert.deepEqual(comparePackageLists({ ...full, complete: false }, full), {
    decided: false,
    reason: 'EXPECTED_INCOMPLETE',
  });
  assert.deepEqual(comparePackageLists(full, { ...full, complete: false }), {
    decided: false,
    reason: 'ACTUAL_INCOMPLETE',
  });
  assert.deepEqual(comparePackages([listed(deb('a'))], [installed(deb('a'))], { actualComplete: false }), {
    decided: false,
    reason: 'ACTUAL_INCOMPLETE',
  });
});

test('an inventory’s own word on completeness is carried over', () => {
  assert.deepEqual(listInventory({ packages: [], complete: false }), { packages: [], complete: false });
});

test('every row is accounted for exactly once, whatever the lists', () => {
  const random = makeRandom(42);
  const types = ['deb', 'npm', 'golang', 'maven', 'pypi', 'generic', 'rpm', 'none'];
  const pick = () =>
    `pkg:${types[random() % types.length]}/${['', 'ns/'][random() % 2]}n${random() % 6}@${['', 'v', '1:'][random() % 3]}${random() % 3}?arch=${['amd64', 'i386', 'all'][random() % 3]}`;
  for (let round = 0; round < 300; round++) {
    const expected = Array.from({ length: 1 + (random() % 30) }, () => listed(pick()));
    const actual = Array.from({ length: 1 + (random() % 30) }, () => installed(pick()));
    const result = comparePackages(expected, actual);
    if (!result.decided) continue;
    const pairs = result.match + result.changed.length;
    // An explained row stands for one or for two, so the total can only be bounded.
    const rest = result.unexpected.length + result.missing.length;
    const total = expected.length + actual.length;
    assert.ok(2 * pairs + rest + result.explained.length <= total);
    assert.ok(2 * pairs + rest + 2 * result.explained.length >= total);
    const swapped = comparePackages(
      actual.map((row) => listed(row.purl)),
      expected.map((row) => installed(row.purl ?? '')),
    );
    assert.equal(matchOf(swapped), result.match);
  }
});

// Were any step quadratic in these lists, this would take minutes.
test('hostile lists come to an end', () => {
  const arches = Array.from({ length: 40_000 }, (_, i) => installed(deb('a', '1', `x${i}`)));
  const wild = Array.from({ length: 40_000 }, () => listed('pkg:deb/debian/a@1'));
  const versions = Array.from({ length: 40_000 }, (_, i) => installed(deb('b', String(i))));
  const others = Array.from({ length: 40_000 }, (_, i) => listed(deb('b', `x${i}`)));
  const foreign = Array.from({ length: 40_000 }, () => listed(deb('c', '1', 'i386')));
  const native = Array.from({ length: 40_000 }, () => installed(deb('c')));
  assert.equal(matchOf(comparePackages(foreign, [...native, installed(deb('d', '1', 'i386'))])), 0);
  const result = comparePackages([...wild, ...others], [...arches, ...versions]);
  assert.deepEqual(result.decided && [result.match, result.changed.length], [40_000, 40_000]);
});

function matchOf(result: ReturnType<typeof comparePackages>): number | undefined {
  return result.decided ? result.match : undefined;
}
