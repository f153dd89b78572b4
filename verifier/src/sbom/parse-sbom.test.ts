import assert from 'node:assert/strict';
import { test } from 'node:test';
import { mutate } from '../trust/trust.fixture.ts';
import { VerifierError } from '../verifier-error.ts';
import { parseSbom } from './parse-sbom.ts';

const CYCLONEDX = {
  bomFormat: 'CycloneDX',
  specVersion: '1.6',
  metadata: { tools: { components: [{ type: 'application', name: 'tool', version: '2' }] } },
  components: [
    { type: 'operating-system', name: 'debian', version: '12.15' },
    {
      type: 'library',
      group: 'org.example',
      name: 'outer',
      version: '1.0',
      purl: 'pkg:maven/org.example/outer@1.0',
      properties: [
        { name: 'aquasecurity:trivy:SrcName', value: 'source' },
        { name: 'aquasecurity:trivy:SrcEpoch', value: '1' },
        { name: 'aquasecurity:trivy:SrcVersion', value: '2.3' },
        { name: 'aquasecurity:trivy:SrcRelease', value: '4' },
        { name: 'aquasecurity:trivy:FilePath', value: 'opt/outer.jar' },
        { name: 'holdfast:ownedBy', value: 'pkg:deb/debian/outer@1' },
        { name: 'other' },
      ],
      evidence: { occurrences: [{ location: '/opt/outer.jar' }] },
      components: [
        { type: 'library', name: 'inner', version: '2', purl: 'pkg:maven/org.example/inner@2', tags: ['source'] },
      ],
    },
    { type: 'file', name: '/bin/sh' },
    { type: 'application', name: 'app/package-lock.json' },
    { type: 'library', name: 'dev', scope: 'optional' },
    { type: 'library', name: 'gone', version: '1', scope: 'excluded' },
  ],
};
const SPDX = {
  spdxVersion: 'SPDX-2.3',
  SPDXID: 'SPDXRef-DOCUMENT',
  creationInfo: { creators: ['Organization: x', 'Tool: syft-1.2'], created: '2026-01-01T00:00:00Z' },
  packages: [
    { SPDXID: 'SPDXRef-DocumentRoot-Image-app', name: 'app', versionInfo: 'latest' },
    { SPDXID: 'SPDXRef-os', name: 'debian', versionInfo: '12', primaryPackagePurpose: 'OPERATING-SYSTEM' },
    {
      SPDXID: 'SPDXRef-Package-bash',
      name: 'bash',
      versionInfo: '5.2.15-2',
      sourceInfo: 'acquired package info from DPKG DB: /var/lib/dpkg/status, /usr/share/doc/bash/copyright',
      externalRefs: [
        { referenceCategory: 'SECURITY', referenceType: 'cpe23Type', referenceLocator: 'cpe:2.3:a:gnu:bash' },
        {
          referenceCategory: 'PACKAGE-MANAGER',
          referenceType: 'purl',
          referenceLocator: 'pkg:deb/debian/bash@5.2.15-2?arch=amd64',
        },
      ],
    },
    { SPDXID: 'SPDXRef-Application-1', name: 'node-pkg', primaryPackagePurpose: 'APPLICATION' },
    { SPDXID: 'SPDXRef-Package-bare', name: 'bare', versionInfo: 'NOASSERTION' },
  ],
};

const parse = (value: unknown) => parseSbom(Buffer.from(typeof value === 'string' ? value : JSON.stringify(value)));
const isSbomError = (error: unknown) => error instanceof VerifierError && error.code === 'ERR_VERIFIER_SBOM';
const refuses = (value: unknown, message: RegExp) => {
  assert.throws(
    () => parse(value),
    (error: unknown) => isSbomError(error) && message.test(String(error)),
  );
};

test('CycloneDX is read with nested components and without files, lock files and excluded ones', () => {
  const sbom = parse(CYCLONEDX);
  assert.equal(sbom.format, 'cyclonedx');
  assert.deepEqual(sbom.tools, ['tool 2']);
  assert.deepEqual(sbom.distro, { id: 'debian', version: '12.15' });
  assert.deepEqual(sbom.packages, [
    {
      purl: 'pkg:maven/org.example/outer@1.0',
      name: 'outer',
      version: '1.0',
      group: 'org.example',
      ownedBy: 'pkg:deb/debian/outer@1',
      source: { name: 'source', version: '1:2.3-4' },
      paths: ['opt/outer.jar', '/opt/outer.jar'],
    },
    { purl: null, name: 'dev', version: null, optional: true, paths: [] },
    { purl: 'pkg:maven/org.example/inner@2', name: 'inner', version: '2', isSource: true, paths: [] },
  ]);
});

test('CycloneDX 1.4 to 1.7 is read, tools as a list included; other versions are refused', () => {
  for (const specVersion of ['1.4', '1.5', '1.6', '1.7']) {
    const sbom = parse({
      ...CYCLONEDX,
      specVersion,
      metadata: { tools: [{ vendor: 'v', name: 'tool', version: '1' }] },
    });
    assert.deepEqual(sbom.tools, ['tool 1']);
  }
  for (const specVersion of ['1.3', '1.8', '2.0', 1.6]) refuses({ ...CYCLONEDX, specVersion }, /specVersion/);
});

test('SPDX 2.3 is read without the elements that stand for image and operating system', () => {
  const sbom = parse(SPDX);
  assert.equal(sbom.format, 'spdx');
  assert.deepEqual(sbom.tools, ['syft-1.2']);
  assert.deepEqual(sbom.distro, { id: 'debian', version: '12' });
  assert.deepEqual(sbom.packages, [
    {
      purl: 'pkg:deb/debian/bash@5.2.15-2?arch=amd64',
      name: 'bash',
      version: '5.2.15-2',
      paths: ['/var/lib/dpkg/status', '/usr/share/doc/bash/copyright'],
    },
    { purl: null, name: 'bare', version: null, paths: [] },
  ]);
});

test('other SPDX versions and a package with two purls are refused', () => {
  refuses({ ...SPDX, spdxVersion: 'SPDX-2.2' }, /spdxVersion/);
  refuses({ ...SPDX, spdxVersion: 'SPDX-3.0' }, /spdxVersion/);
  const purl = (referenceLocator: string) => ({ referenceType: 'purl', referenceLocator });
  const twice = { SPDXID: 'SPDXRef-x', name: 'x', externalRefs: [purl('pkg:npm/a@1'), purl('pkg:npm/b@1')] };
  refuses({ ...SPDX, packages: [twice] }, /two different purls/);
  const same = { ...twice, externalRefs: [purl('pkg:npm/a@1'), purl('pkg:npm/a@1')] };
  assert.equal(parse({ ...SPDX, packages: [same] }).packages[0]?.purl, 'pkg:npm/a@1');
});

test('a document that says nothing is refused', () => {
  refuses('', /JSON/);
  refuses({}, /bomFormat/);
  refuses([], /object/);
  refuses({ bomFormat: 'CycloneDX', specVersion: '1.6' }, /no package/);
  refuses({ ...CYCLONEDX, components: [] }, /no package/);
  refuses({ ...CYCLONEDX, components: [{ type: 'file', name: 'x' }] }, /no package/);
  refuses({ ...SPDX, packages: [] }, /no package/);
});

test('what CycloneDX is about is a package where it has a purl, but never the only one', () => {
  const about = (component: object) => parse({ ...CYCLONEDX, metadata: { component } }).packages;
  const app = { type: 'application', name: 'app', version: '1', purl: 'pkg:npm/app@1', 'bom-ref': 'pkg:npm/app@1' };
  assert.deepEqual(about(app)[0], { purl: app.purl, name: 'app', version: '1', paths: [], isSubject: true });
  assert.equal(about(app).length, 4);
  assert.equal(about({ ...app, type: 'container' }).length, 3);
  assert.equal(about({ type: 'application', name: 'app' }).length, 3);
  refuses({ ...CYCLONEDX, metadata: { component: app }, components: [] }, /no package/);
});

test('what SPDX describes is no package where it has no purl', () => {
  const purl = (name: string) => [{ referenceType: 'purl', referenceLocator: `pkg:npm/${name}@1` }];
  const named = (name: string, more: object = {}) => ({ SPDXID: `SPDXRef-${name}`, name, versionInfo: '1', ...more });
  const packages = [named('image'), named('bare'), named('app', { externalRefs: purl('app') })];
  const relate = (spdxElementId: string, relationshipType: string, relatedSpdxElement: string) => [
    { spdxElementId, relationshipType, relatedSpdxElement },
  ];
  const names = (more: object) => parse({ ...SPDX, packages, ...more }).packages.map(({ name }) => name);
  const all = ['image', 'bare', 'app'];
  for (const more of [
    { documentDescribes: ['SPDXRef-image'] },
    { relationships: relate('SPDXRef-DOCUMENT', 'DESCRIBES', 'SPDXRef-image') },
    { relationships: relate('SPDXRef-image', 'DESCRIBED_BY', 'SPDXRef-DOCUMENT') },
    { documentDescribes: ['SPDXRef-image', 'SPDXRef-app'] },
  ]) {
    assert.deepEqual(names(more), ['bare', 'app']);
  }
  for (const more of [
    { documentDescribes: all.map((name) => `SPDXRef-${name}`) },
    { relationships: relate('SPDXRef-app', 'DESCRIBES', 'SPDXRef-image') },
    { relationships: [...relate('SPDXRef-image', 'CONTAINS', 'SPDXRef-bare'), null, 1], documentDescribes: {} },
  ]) {
    assert.deepEqual(names(more), all);
  }
});

test('the address of the purl type counts as its short name', () => {
  const read = (referenceType: string) => {
    const externalRefs = [{ referenceType, referenceLocator: 'pkg:npm/a@1' }];
    return parse({ ...SPDX, packages: [{ SPDXID: 'SPDXRef-a', name: 'a', externalRefs }] }).packages[0]?.purl;
  };
  assert.equal(read('http://spdx.org/rdf/references/purl'), 'pkg:npm/a@1');
  assert.equal(read('http://spdx.org/rdf/references/cpe23Type'), null);
  assert.equal(read('notpurl'), null);
});

test('CycloneDX is not complete where a composition says so of the thing itself', () => {
  const complete = (compositions: unknown, component: object = { type: 'container', 'bom-ref': 'it', name: 'app' }) =>
    parse({ ...CYCLONEDX, metadata: { component }, compositions }).complete;
  assert.equal(parse(CYCLONEDX).complete, true);
  assert.equal(parse(SPDX).complete, true);
  for (const aggregate of ['incomplete', 'incomplete_first_party_only', 'incomplete_third_party_only']) {
    assert.equal(
      complete([
        { aggregate: 'complete', assemblies: ['it'] },
        { aggregate, assemblies: ['x', 'it'] },
      ]),
      false,
    );
    assert.equal(
      complete([
        { aggregate, assemblies: ['x'] },
        { aggregate, dependencies: ['it'] },
      ]),
      true,
    );
    assert.equal(complete([{ aggregate, assemblies: ['it'] }], { type: 'container', name: 'app' }), true);
  }
  for (const aggregate of ['complete', 'unknown', 'not_specified']) {
    assert.equal(complete([{ aggregate, assemblies: ['it'] }]), true);
  }
  refuses({ ...CYCLONEDX, compositions: {}, metadata: { component: { 'bom-ref': 'it' } } }, /compositions/);
});

test('duplicate keys are refused', () => {
  refuses(JSON.stringify(CYCLONEDX).replace('"components"', '"components":[],"components"'), /duplicate/);
});

test('a component without a name or type, or with control characters, is refused', () => {
  const wrong = (component: unknown) => ({ ...CYCLONEDX, components: [component] });
  refuses(wrong({ type: 'library', version: '1' }), /name/);
  refuses(wrong({ type: 'library', name: '', version: '1' }), /name/);
  refuses(wrong({ name: 'x', version: '1' }), /type/);
  refuses(wrong({ type: 'library', name: 'x', version: 1 }), /version/);
  for (const bad of ['x\u001b[2J', 'x\u202e', 'x\n']) {
    refuses(wrong({ type: 'library', name: bad, version: '1' }), /control/);
    refuses(wrong({ type: 'library', name: 'x', version: bad }), /control/);
    refuses(wrong({ type: 'library', name: 'x', purl: `pkg:npm/${bad}` }), /control/);
  }
});

test('components nested too deep or too many are refused', () => {
  const nest = (depth: number): unknown => ({
    type: 'library',
    name: 'x',
    ...(depth > 0 ? { components: [nest(depth - 1)] } : {}),
  });
  assert.equal(parse({ ...CYCLONEDX, components: [nest(15)] }).packages.length, 16);
  refuses({ ...CYCLONEDX, components: [nest(16)] }, /nested deeper/);
  const many = Array.from({ length: 100_001 }, () => 0);
  refuses({ ...CYCLONEDX, components: many }, /more than/);
});

test('an SBOM of 2 MB is read whole', () => {
  const properties = Array.from({ length: 6 }, (_, i) => ({ name: `syft:metadata:${i}`, value: 'v'.repeat(20) }));
  const components = Array.from({ length: 5000 }, (_, i) => ({
    type: 'library',
    name: `n${i}`,
    version: '1',
    purl: `pkg:npm/n${i}@1`,
    properties,
  }));
  const bytes = Buffer.from(JSON.stringify({ ...CYCLONEDX, components }));
  assert.ok(bytes.length > 1_900_000);
  assert.equal(parseSbom(bytes).packages.length, 5000);
});

for (const [name, good] of Object.entries({ CycloneDX: CYCLONEDX, SPDX })) {
  test(`truncated, flipped and random ${name} is read or refused, nothing else`, () => {
    for (const bytes of mutate(Buffer.from(JSON.stringify(good)), 2)) {
      try {
        assert.ok(parseSbom(bytes).packages.length > 0);
      } catch (error) {
        assert.ok(isSbomError(error), String(error));
      }
    }
  });
}
