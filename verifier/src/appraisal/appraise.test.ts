import assert from 'node:assert/strict';
import { test } from 'node:test';
import type { Endorsement, VerifiedEvidence } from './appraisal-input.ts';
import { type Appraisal, appraise } from './appraise.ts';
import { createContainerEvidence, createEvidence, ok, QUIET_KERNEL } from './evidence.test-support.ts';
import type { FindingCode } from './finding-code.ts';

const POLICY = { maxPendingMs: 5000, judgeKernel: () => [] };
const MISSING = { state: 'missing' } as const;
const MALFORMED = { state: 'malformed', reason: 'not JSON' } as const;
/** What can be no better today: no certificate of the EK, no boot log, no IMA, no API server. */
const UNAVOIDABLE: FindingCode[] = ['BOOT_LOG_MISSING', 'EK_NOT_ENDORSED', 'IMA_INACTIVE', 'CONTAINERS_NOT_COMPARED'];

const run = (evidence: VerifiedEvidence, endorsement: Endorsement = 'pinned'): Appraisal =>
  appraise(evidence, endorsement, POLICY);
const codesOf = (findings: readonly { code: FindingCode }[]) => findings.map(({ code }) => code);
const nodeCodes = (evidence: VerifiedEvidence, endorsement?: Endorsement) =>
  codesOf(run(evidence, endorsement).findings).filter((code) => !UNAVOIDABLE.includes(code));

test('a kube node of which nothing is wrong is no better than its evidence', () => {
  const appraisal = run(createEvidence());
  assert.equal(appraisal.status, 'warning');
  assert.equal(appraisal.base, 'tpm');
  assert.deepEqual(codesOf(appraisal.findings), UNAVOIDABLE);
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
    'IMA that measures elsewhere',
    'IMA_CONTRADICTION',
    { ima: ok({ type: 'ima', active: true, template: null, policy: null, agent: null }) },
  ],
  [
    'IMA that is denied',
    'IMA_CONTRADICTION',
    { quotes: { resetCount: 1, restartCount: 0, safe: true, imaPcrIsZero: false } },
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

test('equal evidence gives equal results in any order of its parts', () => {
  const parts = { c1: createContainerEvidence(), c2: createContainerEvidence({ id: 'c2' }) };
  const turned = { c2: parts.c2, c1: parts.c1 };
  assert.deepEqual(run(createEvidence(parts)), run(createEvidence(turned)));
});
