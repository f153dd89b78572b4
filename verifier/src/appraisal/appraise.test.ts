import assert from 'node:assert/strict';
import { test } from 'node:test';
import type { ContainerClaims } from '@holdfast/evidence';
import type { ContainerEvidence, Endorsement, SbomComparison, VerifiedEvidence } from './appraisal-input.ts';
import { type Appraisal, appraise } from './appraise.ts';
import {
  CLEAN_CLAIMS,
  createContainerEvidence,
  createDrift,
  createEvidence,
  ok,
  QUIET_KERNEL,
} from './evidence.test-support.ts';
import { type AppraisalStatus, FINDING_RULES, type FindingCode } from './finding-code.ts';

const POLICY = { maxPendingMs: 5000 };
const MISSING = { state: 'missing' } as const;
const MALFORMED = { state: 'malformed', reason: 'not JSON' } as const;
/** What can be no better today: no certificate of the EK, no boot log, no IMA, no API server. */
const UNAVOIDABLE: FindingCode[] = ['BOOT_LOG_MISSING', 'EK_NOT_ENDORSED', 'IMA_INACTIVE', 'CONTAINERS_NOT_COMPARED'];

const run = (evidence: VerifiedEvidence, endorsement: Endorsement = 'pinned'): Appraisal =>
  appraise(evidence, endorsement, POLICY);
const codesOf = (findings: readonly { code: FindingCode }[]) => findings.map(({ code }) => code);
const nodeCodes = (evidence: VerifiedEvidence, endorsement?: Endorsement) =>
  codesOf(run(evidence, endorsement).findings).filter((code) => !UNAVOIDABLE.includes(code));

function appraiseOne(claims: Partial<ContainerClaims>, changes: Partial<ContainerEvidence> = {}, pendingMs = 0) {
  const evidence = createEvidence(
    { c1: createContainerEvidence(claims, changes) },
    {},
    { pending: [['c1', pendingMs]] },
  );
  const [container] = run(evidence).containers;
  assert.ok(container);
  return container;
}

test('a kube node of which nothing is wrong is no better than its evidence', () => {
  const appraisal = run(createEvidence());
  assert.equal(appraisal.status, 'warning');
  assert.equal(appraisal.base, 'tpm');
  assert.deepEqual(codesOf(appraisal.findings), UNAVOIDABLE);
});

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
  });
});

const NODE_CASES: [name: string, code: FindingCode, changes: Partial<VerifiedEvidence>][] = [
  ['host claims that are missing', 'CLAIMS_MISSING', { host: MISSING }],
  ['boot claims that are missing', 'CLAIMS_MISSING', { boot: MISSING }],
  ['IMA claims that are missing', 'CLAIMS_MISSING', { ima: MISSING }],
  ['kernel claims that are missing', 'CLAIMS_MISSING', { kernel: MISSING }],
  ['an index of containers that is missing', 'CLAIMS_MISSING', { containerIndex: MISSING }],
  ['kernel claims that were refused', 'CLAIMS_MALFORMED', { kernel: MALFORMED }],
  [
    'a clock that may have gone back',
    'TPM_CLOCK_UNSAFE',
    { quotes: { resetCount: 1, restartCount: 0, safe: false, imaPcrIsZero: true } },
  ],
  ['an incident', 'CHAIN_FORK', { chainFindings: ['CHAIN_FORK'] }],
  [
    'Secure Boot that is off',
    'SECURE_BOOT_OFF',
    { boot: ok({ type: 'boot', eventLog: null, eventLogBytes: 0, secureBoot: false }) },
  ],
  [
    'a boot log that nobody appraised',
    'BOOT_LOG_NOT_APPRAISED',
    { boot: ok({ type: 'boot', eventLog: 'a'.repeat(64), eventLogBytes: 9, secureBoot: null }) },
  ],
  [
    'IMA that measures elsewhere',
    'IMA_CONTRADICTION',
    { ima: ok({ type: 'ima', active: true, template: null, policy: null }) },
  ],
  [
    'IMA that is denied',
    'IMA_CONTRADICTION',
    { quotes: { resetCount: 1, restartCount: 0, safe: true, imaPcrIsZero: false } },
  ],
  [
    'IMA that was not appraised',
    'IMA_NOT_APPRAISED',
    {
      ima: ok({ type: 'ima', active: true, template: 'ima-ng', policy: null }),
      quotes: { resetCount: 1, restartCount: 0, safe: true, imaPcrIsZero: false },
    },
  ],
  ['lockdown that is off', 'KERNEL_LOCKDOWN_NONE', { kernel: ok({ ...QUIET_KERNEL, lockdown: '[none] integrity' }) }],
  ['lockdown that cannot be read', 'KERNEL_LOCKDOWN_NONE', { kernel: ok({ ...QUIET_KERNEL, lockdown: null }) }],
  ['a tainted kernel', 'KERNEL_TAINTED', { kernel: ok({ ...QUIET_KERNEL, tainted: '512' }) }],
  ['taint of another form', 'KERNEL_TAINTED', { kernel: ok({ ...QUIET_KERNEL, tainted: 'x' }) }],
  ['a loaded kexec image', 'KEXEC_LOADED', { kernel: ok({ ...QUIET_KERNEL, kexecLoaded: '1' }) }],
  ['claims that were cut', 'KERNEL_CLAIMS_LIMITED', { kernel: ok({ ...QUIET_KERNEL, limits: ['modules'] }) }],
  [
    'a runtime that does not answer',
    'RUNTIME_UNAVAILABLE',
    { containerIndex: ok({ type: 'containers', limits: ['containerd'], containers: {} }) },
  ],
];

for (const [name, code, changes] of NODE_CASES) {
  test(`kube node: ${name} is ${code} and nothing else`, () => {
    assert.deepEqual(nodeCodes(createEvidence({}, changes)), [code]);
  });
}

test('an unsigned module is told beside the taint', () => {
  const kernel = ok({ ...QUIET_KERNEL, tainted: '8192' });
  assert.deepEqual(nodeCodes(createEvidence({}, { kernel })), ['KERNEL_MODULE_UNSIGNED', 'KERNEL_TAINTED']);
});

test('another kube node in the host claims contradicts the identity', () => {
  const { host } = createEvidence();
  assert.equal(host.state, 'ok');
  const other = ok({ ...host.value, kubeNode: 'worker-2' });
  const appraisal = run(createEvidence({}, { host: other }));
  assert.equal(appraisal.status, 'contraindicated');
  assert.ok(codesOf(appraisal.findings).includes('CLAIMS_IDENTITY'));
});

test('a pin that was taken back and an expired trust file show', () => {
  assert.equal(run(createEvidence(), 'withdrawn').status, 'contraindicated');
  assert.ok(codesOf(run(createEvidence(), 'withdrawn').findings).includes('EK_WITHDRAWN'));
  assert.equal(run(createEvidence(), 'expired').status, 'none');
  assert.ok(codesOf(run(createEvidence(), 'expired').findings).includes('TRUST_EXPIRED'));
});

test('without a TPM the base is none', () => {
  assert.equal(run(createEvidence({}, { quotes: null })).base, 'none');
});

test('the skew of a clock is told beyond a minute', () => {
  const evidence = createEvidence();
  const late = { ...evidence, receivedAtMs: evidence.receivedAtMs + 60_001 };
  assert.deepEqual(nodeCodes(late), ['CLOCK_SKEW']);
  assert.deepEqual(nodeCodes({ ...evidence, receivedAtMs: evidence.receivedAtMs + 60_000 }), []);
});

test('lost changes are told, lost heartbeats are not', () => {
  assert.deepEqual(nodeCodes(createEvidence({}, {}, { lost: [{ from: 1, to: 2, kind: 'heartbeat' }] })), []);
  assert.deepEqual(nodeCodes(createEvidence({}, {}, { lost: [{ from: 1, to: 2, kind: 'change' }] })), [
    'EVIDENCE_LOST',
  ]);
});

test('a container with changes that was never scanned leaves the kube node undecided', () => {
  const appraisal = run(createEvidence({}, {}, { pending: [['c7', 5001]] }));
  assert.equal(appraisal.status, 'none');
  assert.deepEqual(nodeCodes(createEvidence({}, {}, { pending: [['c7', 5000]] })), []);
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
const CONTAINER_CASES: ContainerCase[] = [
  ['claims that are missing', 'none', ['CLAIMS_MISSING'], {}, { claims: MISSING }],
  ['claims that were refused', 'none', ['CLAIMS_MALFORMED'], {}, { claims: MALFORMED }],
  ['claims of another container', 'contraindicated', ['CLAIMS_IDENTITY'], { id: 'c2' }],
  ['an unsupported runtime', 'none', ['CONTAINER_UNSUPPORTED'], { status: 'unsupported' }],
  ['a stopped container', 'affirming', ['CONTAINER_STOPPED'], { status: 'stopped' }],
  ['pending changes at the limit', 'affirming', [], {}, {}, 5000],
  ['pending changes beyond the limit', 'none', ['SCAN_PENDING'], {}, {}, 5001],
  ['a scan that hit a limit', 'none', ['SCAN_INCOMPLETE'], { scan: { complete: false, limits: ['entries'] } }],
  ['a limit beside a complete scan', 'none', ['SCAN_INCOMPLETE'], { scan: { complete: true, limits: ['entries'] } }],
  ['no manifest', 'none', ['IMAGE_UNPROVEN'], { image: { ...image, manifest: null } }],
  ['no configuration', 'none', ['IMAGE_UNPROVEN'], { image: { ...image, config: null } }],
  ['no layers', 'none', ['IMAGE_UNPROVEN'], { image: { ...image, layers: [] } }],
  ['a chain that nobody looked up', 'none', ['IMAGE_UNPROVEN'], { image: { ...image, via: {} } }],
  ['layers of another chain', 'none', ['IMAGE_UNPROVEN'], { image: { ...image, layers: [layer, layer] } }],
  ['a retagged image', 'affirming', ['IMAGE_RETAGGED'], { image: { ...image, retagged: true } }],
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

test('the overall status is that of the worst of kube node and containers', () => {
  const bad = createContainerEvidence({ id: 'c2' }, { drift: null });
  const appraisal = run(createEvidence({ c2: bad, c1: createContainerEvidence() }));
  assert.deepEqual(
    appraisal.containers.map(({ id, status }) => [id, status]),
    [
      ['c1', 'affirming'],
      ['c2', 'none'],
    ],
  );
  assert.equal(appraisal.status, 'warning');
  assert.equal(appraisal.overall, 'none');
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

test('no status is better than the ceiling of any finding', () => {
  const order: AppraisalStatus[] = ['affirming', 'warning', 'none', 'contraindicated'];
  for (const [, , , claims, changes, pendingMs] of CONTAINER_CASES) {
    const { status, findings } = appraiseOne(claims, changes, pendingMs);
    for (const { code } of findings) {
      assert.ok(order.indexOf(status) >= order.indexOf(FINDING_RULES[code].ceiling), code);
    }
  }
});

test('equal evidence gives equal results in any order of its parts', () => {
  const parts = { c1: createContainerEvidence(), c2: createContainerEvidence({ id: 'c2' }) };
  const turned = { c2: parts.c2, c1: parts.c1 };
  assert.deepEqual(run(createEvidence(parts)), run(createEvidence(turned)));
});
