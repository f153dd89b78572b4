import assert from 'node:assert/strict';
import { test } from 'node:test';
import type { ContainerClaims } from '@holdfast/evidence';
import type { ContainerEvidence, SbomComparison } from './appraisal-input.ts';
import { appraise } from './appraise.ts';
import { CLEAN_CLAIMS, createContainerEvidence, createDrift, createEvidence, ok } from './evidence.test-support.ts';
import { type AppraisalStatus, FINDING_RULES, type FindingCode } from './finding-code.ts';

const MISSING = { state: 'missing' } as const;
const MALFORMED = { state: 'malformed', reason: 'not JSON' } as const;
const codesOf = (findings: readonly { code: FindingCode }[]) => findings.map(({ code }) => code);

function appraiseOne(claims: Partial<ContainerClaims>, changes: Partial<ContainerEvidence> = {}, pendingMs = 0) {
  const evidence = createEvidence(
    { c1: createContainerEvidence(claims, changes) },
    {},
    { pending: [['c1', pendingMs]] },
  );
  const [container] = appraise(evidence, 'pinned', { maxPendingMs: 5000, judgeKernel: () => [] }).containers;
  assert.ok(container);
  return container;
}

test('a clean container is affirming, with its package count and SBOM', () => {
  const { findings, ...container } = appraiseOne({});
  assert.deepEqual(findings, []);
  assert.deepEqual(container, {
    id: 'c1',
    name: 'app',
    namespace: 'k8s.io',
    status: 'affirming',
    imageReference: 'registry.test/app:1',
    manifest: `sha256:${'a'.repeat(64)}`,
    packages: 2,
    sbom: `sha256:${'5'.repeat(64)}`,
    tiers: { executables: 'affirming', fileSystem: 'affirming' },
  });
});

const image = CLEAN_CLAIMS.image;
const layer = image.layers[0] ?? assert.fail();
const COMPARED: SbomComparison['comparison'] = {
  decided: true,
  match: 1,
  explained: [],
  unexpected: [],
  missing: [],
  changed: [],
};
const withSbom = (comparison: SbomComparison['comparison']) => ({ sboms: [{ digest: 'd', keyId: 'k', comparison }] });
const NO_DATABASE = {
  inventory: ok({ complete: true, limits: [], packages: 0, databases: 0 }),
  baseline: ok({ complete: true, limits: [], packages: 0, databases: 0 }),
};

type ContainerCase = [
  name: string,
  status: AppraisalStatus,
  codes: FindingCode[],
  claims: Partial<ContainerClaims>,
  changes?: Partial<ContainerEvidence>,
  pendingMs?: number,
];
const DIFFERENCE = { path: '/bin/x', field: 'sha256', expected: 'aa', actual: 'bb' };
const CONTAINER_CASES: ContainerCase[] = [
  ['claims that are missing', 'none', ['CLAIMS_MISSING'], {}, { claims: MISSING }],
  ['claims that were refused', 'none', ['CLAIMS_MALFORMED'], {}, { claims: MALFORMED }],
  ['claims of another container', 'contraindicated', ['CLAIMS_IDENTITY'], { id: 'c2' }],
  ['an unsupported runtime', 'none', ['CONTAINER_UNSUPPORTED'], { status: 'unsupported' }],
  ['a stopped container', 'affirming', ['CONTAINER_STOPPED'], { status: 'stopped' }],
  ['pending changes at the limit', 'affirming', [], {}, {}, 5000],
  ['pending changes beyond the limit', 'none', ['SCAN_PENDING'], {}, {}, 5001],
  [
    'a scan that hit a limit',
    'none',
    ['SCAN_INCOMPLETE'],
    { scan: { complete: false, limits: ['entries'], timed: false } },
  ],
  [
    'changes that are looked at by the clock',
    'affirming',
    ['SCAN_TIMED'],
    { scan: { complete: true, limits: [], timed: true } },
  ],
  [
    'a limit beside a complete scan',
    'none',
    ['SCAN_INCOMPLETE'],
    { scan: { complete: true, limits: ['entries'], timed: false } },
  ],
  ['no manifest', 'none', ['IMAGE_UNPROVEN'], { image: { ...image, manifest: null } }],
  ['no configuration', 'none', ['IMAGE_UNPROVEN'], { image: { ...image, config: null } }],
  ['no layers', 'none', ['IMAGE_UNPROVEN'], { image: { ...image, layers: [] } }],
  ['a chain that nobody looked up', 'none', ['IMAGE_UNPROVEN'], { image: { ...image, via: {} } }],
  ['layers of another chain', 'none', ['IMAGE_UNPROVEN'], { image: { ...image, layers: [layer, layer] } }],
  ['a retagged image', 'affirming', ['IMAGE_RETAGGED'], { image: { ...image, retagged: true } }],
  ['a layer proven by tar-split', 'affirming', [], { image: { ...image, layers: [{ ...layer, proof: 'tarSplit' }] } }],
  [
    'a layer on first use',
    'warning',
    ['LAYER_UNPROVEN'],
    { image: { ...image, layers: [{ ...layer, proof: 'firstUse' }] } },
  ],
  [
    'a layer without proof',
    'warning',
    ['LAYER_UNPROVEN'],
    { image: { ...image, layers: [{ ...layer, proof: 'none' }] } },
  ],
  [
    'a layer that differs',
    'contraindicated',
    ['LAYER_MODIFIED'],
    {
      image: { ...image, layers: [{ ...layer, proof: 'none', differing: [DIFFERENCE] }] },
      scan: { complete: false, limits: ['layerContent:/bin/x'], timed: false },
    },
  ],
  [
    'a layer that differs, and a limit',
    'contraindicated',
    ['LAYER_MODIFIED', 'SCAN_INCOMPLETE'],
    {
      image: { ...image, layers: [{ ...layer, proof: 'none', differing: [DIFFERENCE] }] },
      scan: { complete: false, limits: ['entries', 'layerContent:/bin/x'], timed: false },
    },
  ],
  [
    'a limit that names a layer, and no difference in any',
    'none',
    ['SCAN_INCOMPLETE'],
    { scan: { complete: false, limits: ['layerContent:/bin/x'], timed: false } },
  ],
  ['no SBOM', 'none', ['SBOM_MISSING'], {}, { sboms: [], hasSbom: false }],
  ['an SBOM and nothing to compare', 'none', ['SBOM_NOT_COMPARED'], {}, { sboms: [] }],
  [
    'an undecided comparison',
    'none',
    ['SBOM_NOT_COMPARED'],
    {},
    withSbom({ decided: false, reason: 'OTHER_PLATFORM' }),
  ],
  [
    'an empty inventory with a database',
    'none',
    ['SBOM_NOT_COMPARED'],
    {},
    withSbom({ decided: false, reason: 'ACTUAL_EMPTY' }),
  ],
  [
    'no package database',
    'warning',
    ['NO_PACKAGE_DATABASE'],
    {},
    { ...withSbom({ decided: false, reason: 'ACTUAL_EMPTY' }), ...NO_DATABASE },
  ],
  [
    'an unlisted package',
    'warning',
    ['SBOM_PACKAGE_UNLISTED'],
    {},
    withSbom({ ...COMPARED, unexpected: ['pkg:deb/a@1'] }),
  ],
  [
    'a listed package that is not there',
    'warning',
    ['SBOM_PACKAGE_ABSENT'],
    {},
    withSbom({ ...COMPARED, missing: ['pkg:deb/a@1'] }),
  ],
  [
    'another version than listed',
    'contraindicated',
    ['SBOM_PACKAGE_CHANGED'],
    {},
    withSbom({ ...COMPARED, changed: [{ purl: 'pkg:deb/a@2', from: '1', to: '2' }] }),
  ],
  [
    'an explained difference',
    'affirming',
    ['SBOM_DIFFERENCE_EXPLAINED'],
    {},
    withSbom({ ...COMPARED, explained: [{ purl: 'pkg:deb/a@1', reason: 'os-owned' }] }),
  ],
  ['no inventory', 'none', ['INVENTORY_MISSING'], {}, { inventory: null }],
  ['no baseline', 'none', ['INVENTORY_MISSING'], {}, { baseline: null }],
  ['an inventory that is missing', 'none', ['CLAIMS_MISSING'], {}, { inventory: MISSING }],
  ['a baseline that was refused', 'none', ['CLAIMS_MALFORMED'], {}, { baseline: MALFORMED }],
  [
    'a cut inventory',
    'none',
    ['SCAN_INCOMPLETE'],
    {},
    { inventory: ok({ complete: false, limits: [], packages: 1, databases: 1 }) },
  ],
  ['no drift document', 'none', ['DRIFT_MISSING'], {}, { drift: null }],
  ['a drift document that is missing', 'none', ['CLAIMS_MISSING'], {}, { drift: MISSING }],
  ['a drift document that was refused', 'none', ['CLAIMS_MALFORMED'], {}, { drift: MALFORMED }],
  ['a cut drift document', 'none', ['SCAN_INCOMPLETE'], {}, { drift: ok({ ...createDrift([]), complete: false }) }],
  [
    'an added package',
    'contraindicated',
    ['PACKAGE_ADDED'],
    {},
    { packageDelta: { added: [{ purl: 'pkg:deb/x@1', path: '/p', version: '1' }], removed: [], changed: [] } },
  ],
  [
    'a removed package',
    'contraindicated',
    ['PACKAGE_REMOVED'],
    {},
    { packageDelta: { added: [], removed: [{ purl: 'pkg:deb/x@1', path: '/p', version: '1' }], changed: [] } },
  ],
  [
    'a changed package',
    'contraindicated',
    ['PACKAGE_CHANGED'],
    {},
    { packageDelta: { added: [], removed: [], changed: [{ purl: 'pkg:deb/x@2', path: '/p', from: '1', to: '2' }] } },
  ],
  [
    'a mount that nobody asked for',
    'contraindicated',
    ['MOUNT_OVER_IMAGE'],
    {
      mounts: [
        { path: '/usr/bin', fsType: 'ext4', source: '/dev/sda', readonly: false, inSpec: false, coversImage: true },
      ],
    },
  ],
  [
    'a volume over the image',
    'affirming',
    ['VOLUME_UNPROVEN'],
    {
      mounts: [{ path: '/data', fsType: 'ext4', source: '/dev/sda', readonly: false, inSpec: true, coversImage: true }],
    },
  ],
  [
    'mounts of every container',
    'affirming',
    [],
    {
      mounts: [
        { path: '/proc', fsType: 'proc', source: 'proc', readonly: false, inSpec: true, coversImage: true },
        { path: '/dev/shm', fsType: 'tmpfs', source: 'shm', readonly: false, inSpec: true, coversImage: true },
        { path: '/new', fsType: 'ext4', source: '/dev/sda', readonly: false, inSpec: true, coversImage: false },
      ],
    },
  ],
];

for (const [name, status, codes, claims, changes, pendingMs] of CONTAINER_CASES) {
  test(`container: ${name} gives ${status} and ${codes.join(', ') || 'no finding'}`, () => {
    const container = appraiseOne(claims, changes, pendingMs);
    assert.deepEqual(codesOf(container.findings), codes);
    assert.equal(container.status, status);
  });
}

test('of several SBOMs the one that agrees counts, whatever came after it', () => {
  const sboms = [
    { digest: 'newer', keyId: 'k', comparison: { ...COMPARED, missing: ['pkg:deb/a@1'] } },
    { digest: 'older', keyId: 'k', comparison: COMPARED },
  ];
  assert.equal(appraiseOne({}, { sboms }).sbom, 'older');
  assert.equal(appraiseOne({}, { sboms: sboms.slice(0, 1) }).sbom, 'newer');
});

test('drift stays contraindicated where the SBOM is missing too', () => {
  const packageDelta = { added: [{ purl: 'pkg:deb/x@1', path: '/p', version: '1' }], removed: [], changed: [] };
  assert.equal(appraiseOne({}, { packageDelta, sboms: [], hasSbom: false }).status, 'contraindicated');
});

test('no finding beyond a thousand is listed, and all of them count', () => {
  const entry = (at: number) => ({
    path: `/x${at}`,
    kind: 'added' as const,
    entryType: 'file' as const,
    reasons: ['newEntry'],
  });
  const entries = Array.from({ length: 1500 }, (_, at) => entry(at));
  const bad = { ...entry(2000), reasons: ['elf'] };
  const { findings, status } = appraiseOne({}, { drift: ok(createDrift([...entries, bad])) });
  assert.equal(findings.length, 1000);
  assert.equal(findings[0]?.code, 'EXECUTABLE_ADDED');
  assert.deepEqual([findings.at(-1)?.code, findings.at(-1)?.actual], ['FINDINGS_LIMITED', '1501']);
  assert.equal(status, 'contraindicated');
});

test('what is not listed counts in every tier, and no code is dropped for the sake of another', () => {
  const added = Array.from({ length: 1100 }, (_, at) => ({
    path: `/bin/x${at}`,
    kind: 'added' as const,
    entryType: 'file' as const,
    reasons: ['elf'],
  }));
  const differing = [{ path: '/lib/libc.so.6', field: 'content', expected: 'a', actual: 'b' }];
  const layers = [{ ...layer, proof: 'none' as const, differing }];
  const { findings, tiers } = appraiseOne({ image: { ...image, layers } }, { drift: ok(createDrift(added)) });
  assert.deepEqual(tiers, { executables: 'contraindicated', fileSystem: 'contraindicated' });
  assert.deepEqual([...new Set(codesOf(findings))], ['EXECUTABLE_ADDED', 'LAYER_MODIFIED', 'FINDINGS_LIMITED']);
  assert.equal(findings.length, 1000);
  assert.equal(findings.at(-1)?.actual, '1101');
});

test('no status is better than the ceiling of any finding', () => {
  const order: AppraisalStatus[] = ['affirming', 'warning', 'none', 'contraindicated'];
  for (const [, , , claims, changes, pendingMs] of CONTAINER_CASES) {
    const { status, findings } = appraiseOne(claims, changes, pendingMs);
    for (const { code } of findings) {
      assert.ok(order.indexOf(status) >= order.indexOf(FINDING_RULES[code].ceiling), code);
    }
  }
});
