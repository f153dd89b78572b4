import assert from 'node:assert/strict';
import { test } from 'node:test';
import type { InventoryPackage } from '@holdfast/evidence';
import type { SbomPackage } from '../sbom/sbom.ts';
import { comparePackageLists } from './compare-packages.ts';
import type { PackageComparison } from './comparison.ts';

/** A row of an inventory. */
function installed(purl: string, more: Partial<InventoryPackage> = {}): InventoryPackage {
  return { purl, type: '', name: '', version: '', path: '/var/lib/dpkg/status', ...more };
}

/** A row of an SBOM. */
function listed(purl: string | null, more: Partial<SbomPackage> = {}): SbomPackage {
  return { purl, name: 'name', version: null, paths: [], ...more };
}

function compare(
  expected: readonly SbomPackage[],
  actual: readonly (InventoryPackage | SbomPackage)[],
): PackageComparison {
  const result = comparePackageLists({ packages: expected }, { packages: actual });
  assert.ok(result.decided, 'nothing was decided');
  return result;
}

/** All rows match: nothing even needs an explanation. */
function assertMatch(expected: readonly SbomPackage[], actual: readonly InventoryPackage[]): void {
  assert.deepEqual(compare(expected, actual), {
    decided: true,
    match: actual.length,
    explained: [],
    unexpected: [],
    missing: [],
    changed: [],
  });
}

/** Everything but `explained` is clean. */
function assertExplained(result: PackageComparison, explained: PackageComparison['explained']): void {
  assert.deepEqual(
    { ...result, match: 0 },
    { decided: true, match: 0, explained, unexpected: [], missing: [], changed: [] },
  );
}

test('1: the epoch stands in the version, in a qualifier, or in both', () => {
  const actual = [installed('pkg:deb/debian/bsdutils@1%3A2.38.1-5%2Bdeb12u3?arch=amd64')];
  for (const purl of [
    'pkg:deb/debian/bsdutils@2.38.1-5+deb12u3?arch=amd64&epoch=1&distro=debian-12.15',
    'pkg:deb/debian/bsdutils@1:2.38.1-5%2Bdeb12u3?arch=amd64&distro=debian-12&epoch=1',
    'pkg:deb/debian/bsdutils@1%3A2.38.1-5%2Bdeb12u3?arch=amd64',
  ]) {
    assertMatch([listed(purl)], actual);
  }
  assertMatch(
    [listed('pkg:rpm/redhat/bash@5.1.8-6?arch=x86_64&epoch=0')],
    [installed('pkg:rpm/redhat/bash@5.1.8-6?arch=x86_64')],
  );
});

test('1, the other way: another epoch is another version, and two epochs that differ match nothing', () => {
  const actual = [installed('pkg:deb/debian/a@1%3A2?arch=amd64')];
  assert.deepEqual(compare([listed('pkg:deb/debian/a@2?arch=amd64')], actual).changed, [
    { purl: 'pkg:deb/debian/a@1%3A2?arch=amd64', from: '2', to: '1:2' },
  ]);
  const torn = compare([listed('pkg:deb/debian/a@1%3A2?arch=amd64&epoch=2')], actual);
  assert.equal(torn.match, 0);
  assert.deepEqual(torn.missing, ['pkg:deb/debian/a@1%3A2?arch=amd64&epoch=2']);
});

test('2: plus, tilde and colon are encoded or not', () => {
  assertMatch(
    [listed('pkg:deb/debian/g++@4:12.2~x+b1?arch=amd64')],
    [installed('pkg:deb/debian/g%2B%2B@4%3A12.2%7Ex%2Bb1?arch=amd64')],
  );
});

test('3: the distribution is written in another way or not at all', () => {
  for (const distro of ['&distro=debian-12', '&distro=debian-12.15', '&distro=bookworm', '']) {
    assertMatch(
      [listed(`pkg:deb/debian/bash@5?arch=amd64${distro}`)],
      [installed('pkg:deb/debian/bash@5?arch=amd64&distro=debian-12')],
    );
  }
  assertMatch(
    [listed('pkg:apk/alpine/musl@1.2-r0?distro=3.18.3')],
    [installed('pkg:apk/alpine/musl@1.2-r0?distro=alpine-3.18')],
  );
});

test('4: the namespace of the distribution is another name for the same or is missing', () => {
  assertMatch([listed('pkg:rpm/rhel/bash@5-1?arch=x86_64')], [installed('pkg:rpm/redhat/bash@5-1?arch=x86_64')]);
  assertMatch([listed('pkg:rpm/centos/bash@5-1?arch=x86_64')], [installed('pkg:rpm/rocky/bash@5-1?arch=x86_64')]);
  assertMatch([listed('pkg:apk/chainguard/musl@1-r0?arch=x86_64')], [installed('pkg:apk/wolfi/musl@1-r0?arch=x86_64')]);
  assertMatch([listed('pkg:deb/bash@5?arch=amd64')], [installed('pkg:deb/ubuntu/bash@5?arch=amd64')]);
});

test('5: upstream, modularity, package-id and names of distributions differ', () => {
  assertMatch(
    [listed('pkg:rpm/redhat/perl@5-1?arch=x86_64&upstream=perl-5-1.src.rpm&rpmmod=perl:5.32&package-id=0011')],
    [installed('pkg:rpm/redhat/perl@5-1?arch=x86_64&modularitylabel=perl:5.32&distro_name=ootpa')],
  );
});

test('6: source packages are listed beside what was built from them', () => {
  const actual = [
    installed('pkg:deb/debian/zlib1g@1%3A1.2.13?arch=amd64', { source: { name: 'zlib', version: '1:1.2.13' } }),
  ];
  const binary = listed('pkg:deb/debian/zlib1g@1%3A1.2.13?arch=amd64');
  const source = listed('pkg:deb/debian/zlib@1%3A1.2.13?distro=debian-12');
  assertExplained(compare([binary, source], actual), [{ purl: source.purl ?? '', reason: 'source-package' }]);
  const marked = listed('pkg:deb/debian/other@1?arch=source');
  assertExplained(compare([binary, marked], actual), [{ purl: marked.purl ?? '', reason: 'source-package' }]);
  const tagged = listed('pkg:deb/debian/bzip2@1.0.8-5?arch=all', { isSource: true });
  assertExplained(compare([binary, tagged], actual), [{ purl: tagged.purl ?? '', reason: 'source-package' }]);
  const named = listed('pkg:deb/debian/zlib1g@1%3A1.2.13?arch=amd64', { source: { name: 'zlib', version: null } });
  assertExplained(compare([named, source], [installed('pkg:deb/debian/zlib1g@1%3A1.2.13?arch=amd64')]), [
    { purl: source.purl ?? '', reason: 'source-package' },
  ]);
});

test('6, the other way: a package that is gone is not explained by the source it was built from', () => {
  const actual = [
    installed('pkg:deb/debian/libssl3@3.0.15?arch=amd64', { source: { name: 'openssl', version: '3.0.15' } }),
    installed('pkg:deb/debian/openssl@3.0.11?arch=amd64'),
  ];
  const result = compare(
    [listed('pkg:deb/debian/libssl3@3.0.15?arch=amd64'), listed('pkg:deb/debian/openssl@3.0.15?arch=amd64')],
    actual,
  );
  assert.deepEqual(result.changed, [
    { purl: 'pkg:deb/debian/openssl@3.0.11?arch=amd64', from: '3.0.15', to: '3.0.11' },
  ]);
  const installedSource = installed('pkg:deb/debian/zlib@1?arch=amd64');
  const named = listed('pkg:deb/debian/zlib1g@1?arch=amd64', { source: { name: 'zlib', version: null } });
  assert.deepEqual(compare([named], [installed('pkg:deb/debian/zlib1g@1?arch=amd64'), installedSource]).unexpected, [
    installedSource.purl,
  ]);
});

test('7: language packages of the operating system are listed by one tool only', () => {
  const bash = 'pkg:deb/debian/bash@5?arch=amd64';
  const owned = installed('pkg:npm/semver@7.3.5', { ownedBy: 'pkg:deb/debian/node-semver@7.3.5' });
  assertExplained(compare([listed(bash)], [installed(bash), owned]), [{ purl: owned.purl, reason: 'os-owned' }]);
  const located = listed('pkg:pypi/six@1.16', { paths: ['usr/lib/python3/dist-packages/six-1.16.egg-info'] });
  assertExplained(compare([listed(bash), located], [installed(bash)]), [
    { purl: 'pkg:pypi/six@1.16', reason: 'os-owned' },
  ]);
});

test('7, the other way: what no package owns is unexpected, wherever it lies', () => {
  const bash = 'pkg:deb/debian/bash@5?arch=amd64';
  const dropped = installed('pkg:pypi/six@1.16', { path: '/usr/lib/python3/dist-packages/six-1.16.egg-info' });
  assert.deepEqual(compare([listed(bash)], [installed(bash), dropped]).unexpected, [dropped.purl]);
});

test('8: binary classifiers of one tool', () => {
  const bash = 'pkg:deb/debian/bash@5?arch=amd64';
  const guessed = listed('pkg:generic/busybox@1.36');
  assertExplained(compare([listed(bash), guessed], [installed(bash)]), [
    { purl: 'pkg:generic/busybox@1.36', reason: 'generic-component' },
  ]);
  const both = compare([listed(bash), guessed], [installed(bash), installed('pkg:generic/busybox@1.36')]);
  assert.equal(both.match, 2);
});

test('9: Go modules in other case, main modules without version, the standard library', () => {
  assertMatch(
    [listed('pkg:golang/github.com/burntsushi/toml@v1.3.0'), listed('pkg:golang/stdlib@1.22.3')],
    [installed('pkg:golang/github.com/BurntSushi/toml@1.3.0'), installed('pkg:golang/stdlib@go1.22.3')],
  );
  const lib = 'pkg:golang/github.com/a/b@v1.0.0';
  const main = installed('pkg:golang/example.com/main@%28devel%29');
  const guess = listed('pkg:golang/example.com/main@v0.0.0-20240101000000-abcdefabcdef');
  assertExplained(compare([listed(lib), guess], [installed(lib), main]), [
    { purl: main.purl, reason: 'go-main-module' },
  ]);
  assertExplained(compare([listed(lib)], [installed(lib), main]), [{ purl: main.purl, reason: 'go-main-module' }]);
  assertExplained(compare([listed(lib), listed('pkg:golang/example.com/main')], [installed(lib)]), [
    { purl: 'pkg:golang/example.com/main', reason: 'go-main-module' },
  ]);
});

test('9, the other way: a module in another version is changed', () => {
  const result = compare([listed('pkg:golang/a.com/b@v1.0.0')], [installed('pkg:golang/a.com/b@v1.0.1')]);
  assert.deepEqual(result.changed, [{ purl: 'pkg:golang/a.com/b@v1.0.1', from: 'v1.0.0', to: 'v1.0.1' }]);
});

test('10: Python names and versions as PEP 503 and PEP 440 have them', () => {
  for (const purl of [
    'pkg:pypi/Foo_Bar.Baz@1.0',
    'pkg:pypi/foo-bar.baz@1.0.0',
    'pkg:pypi/foo--bar__baz@v1',
    'pkg:pypi/foo-bar-baz@0!1.0',
  ]) {
    assertMatch([listed(purl)], [installed('pkg:pypi/foo-bar-baz@1.0.0')]);
  }
  assertMatch([listed('pkg:pypi/x@1.0.rc1')], [installed('pkg:pypi/x@1.0c1')]);
});

test('11: the group of a Java archive had to be guessed', () => {
  const bash = 'pkg:deb/debian/bash@5?arch=amd64';
  const named = installed('pkg:maven/com.fasterxml/jackson@2.15');
  for (const purl of ['pkg:maven/jackson/jackson@2.15', 'pkg:maven/jackson@2.15']) {
    assertExplained(compare([listed(bash), listed(purl)], [installed(bash), named]), [
      { purl: named.purl, reason: 'java-group' },
    ]);
  }
});

test('11, the other way: two known groups are two artefacts', () => {
  const result = compare(
    [listed('pkg:maven/org.evil/jackson@2.15')],
    [installed('pkg:maven/com.fasterxml/jackson@2.15')],
  );
  assert.deepEqual(
    [result.missing, result.unexpected],
    [['pkg:maven/org.evil/jackson@2.15'], ['pkg:maven/com.fasterxml/jackson@2.15']],
  );
});

test('12: lock files and development dependencies that never reached the image', () => {
  const express = 'pkg:npm/express@4';
  const dev = listed('pkg:npm/jest@29', { optional: true });
  const locked = listed('pkg:npm/mocha@10', { paths: ['/src/package-lock.json'] });
  assertExplained(compare([listed(express), dev, locked], [installed(express)]), [
    { purl: 'pkg:npm/jest@29', reason: 'optional' },
    { purl: 'pkg:npm/mocha@10', reason: 'declared-only' },
  ]);
});

test('13: an SBOM of another platform decides nothing', () => {
  const result = comparePackageLists(
    { packages: [listed('pkg:deb/debian/bash@5?arch=arm64'), listed('pkg:deb/debian/libc6@2?arch=arm64')] },
    { packages: [installed('pkg:deb/debian/bash@5?arch=amd64'), installed('pkg:deb/debian/libc6@2?arch=amd64')] },
  );
  assert.deepEqual(result, { decided: false, reason: 'OTHER_PLATFORM' });
});

test('13, the other way: a second architecture of a package is a package of its own', () => {
  const libc = (arch: string) => `pkg:deb/debian/libc6@2?arch=${arch}`;
  const result = compare([listed(libc('amd64')), listed(libc('i386'))], [installed(libc('amd64'))]);
  assert.deepEqual(result.missing, [libc('i386')]);
});

// 14, the SBOM of an index beside that of a platform, is a matter of the subject: references/verify-reference.test.ts.
test('14: the platform’s packages without an architecture match those with one', () => {
  assertMatch(
    [listed('pkg:deb/debian/tzdata@2024a?arch=all'), listed('pkg:deb/debian/bash@5')],
    [installed('pkg:deb/debian/tzdata@2024a'), installed('pkg:deb/debian/bash@5?arch=amd64')],
  );
});

test('15: an older version from a lower layer is listed beside the installed one', () => {
  const now = 'pkg:deb/debian/libssl3@3.0.15?arch=amd64';
  for (const purl of ['pkg:deb/debian/libssl3@3.0.11?arch=amd64', 'pkg:deb/debian/libssl3@3.0.11?arch=all']) {
    assertExplained(compare([listed(now), listed(purl)], [installed(now)]), [{ purl, reason: 'superseded' }]);
  }
});

test('15, the other way: a package that is gone, and two versions that are installed, are not explained', () => {
  const bash = 'pkg:deb/debian/bash@5?arch=amd64';
  const foreign = listed('pkg:deb/debian/bash@4?arch=i386');
  assert.deepEqual(compare([listed(bash), foreign], [installed(bash)]).missing, [foreign.purl]);
  const gone = listed('pkg:deb/debian/libssl3@3.0.11?arch=amd64');
  assert.deepEqual(compare([listed(bash), gone], [installed(bash)]).missing, [gone.purl]);
  const twice = installed('pkg:deb/debian/bash@4?arch=amd64');
  assert.deepEqual(compare([listed(bash)], [installed(bash), twice]).unexpected, [twice.purl]);
});

test('16: one package lies at several paths', () => {
  const lodash = 'pkg:npm/lodash@4.17.21';
  const actual = [installed(lodash, { path: '/a/package.json' }), installed(lodash, { path: '/b/package.json' })];
  const result = compare([listed(lodash)], actual);
  assert.equal(result.match, 1);
  assertExplained(result, [{ purl: lodash, reason: 'duplicate-path' }]);
  assertExplained(compare([listed(lodash), listed(lodash)], actual.slice(1)), [
    { purl: lodash, reason: 'duplicate-path' },
  ]);
});

test('17: one side has no purl or no operating system', () => {
  const bash = 'pkg:deb/debian/bash@5?arch=amd64';
  const cases: [SbomPackage, string][] = [
    [listed(null, { name: 'bash', version: '5' }), bash],
    [listed('pkg:none/bash@5?arch=amd64', { name: 'bash', version: '5' }), bash],
    [listed(null, { name: '@scope/name', version: '1.0.0' }), 'pkg:npm/%40scope/name@1.0.0'],
    [listed(null, { name: 'name', group: 'org.example', version: '1' }), 'pkg:maven/org.example/name@1'],
    [listed(null, { name: 'org.example:name', version: '1' }), 'pkg:maven/org.example/name@1'],
    [listed(null, { name: 'bsdutils', version: '2.38' }), 'pkg:deb/debian/bsdutils@1%3A2.38?arch=amd64'],
  ];
  for (const [row, purl] of cases) assertExplained(compare([row], [installed(purl)]), [{ purl, reason: 'no-purl' }]);
});

test('17, the other way: without a version, or with another one, nothing matches', () => {
  const bash = 'pkg:deb/debian/bash@5?arch=amd64';
  for (const version of [null, '4']) {
    const result = compare([listed(null, { name: 'bash', version })], [installed(bash)]);
    assert.equal(result.match + result.explained.length, 0);
    assert.deepEqual(result.unexpected, [bash]);
  }
});

test('18: another version of the tool writes the same packages in another order', () => {
  const purls = ['pkg:deb/debian/a@1?arch=amd64', 'pkg:deb/debian/b@1?arch=amd64', 'pkg:npm/c@1'];
  assertMatch(
    purls.map((purl) => listed(`${purl}#`.replace('#', ''))).toReversed(),
    purls.map((purl) => installed(purl)),
  );
});

test('19: npm build metadata', () => {
  assertMatch([listed('pkg:npm/x@1.2.3-beta+build.5')], [installed('pkg:npm/x@1.2.3-beta')]);
  assertMatch([listed('pkg:npm/X@v1.2.3')], [installed('pkg:npm/x@1.2.3')]);
  assert.equal(compare([listed('pkg:npm/x@1.2.3-beta')], [installed('pkg:npm/x@1.2.3')]).changed.length, 1);
});

test('20: what another SBOM in the image lists', () => {
  const bash = 'pkg:deb/debian/bash@5?arch=amd64';
  const embedded = listed('pkg:maven/a/b@1', { paths: ['var/lib/db/sbom/jdk.spdx.json'] });
  const bitnami = listed('pkg:bitnami/redis@7', { paths: ['/opt/bitnami/redis/.spdx-redis.spdx'] });
  assertExplained(compare([listed(bash), embedded, bitnami], [installed(bash)]), [
    { purl: 'pkg:bitnami/redis@7', reason: 'generic-component' },
    { purl: 'pkg:maven/a/b@1', reason: 'embedded-sbom' },
  ]);
});
