import assert from 'node:assert/strict';
import { test } from 'node:test';
import type { AppraisalPolicy, AppraisedEvidence, VerifiedEvidence } from './appraisal-input.ts';
import { appraise } from './appraise.ts';
import { createContainerEvidence, createEvidence, NO_LOG, ok, QUIET_KERNEL } from './evidence.test-support.ts';
import { createAppraiser } from './recall-appraisal.ts';

const POLICY: AppraisalPolicy = { maxPendingMs: 5000, judgeKernel: () => [] };
const CONTENT = {};
const ONE_HOUR_MS = 3_600_000;

/** Each differs from `createEvidence` in one member that the outcome may depend on. */
const CHANGES: { readonly [K in keyof AppraisedEvidence]-?: Partial<VerifiedEvidence>[] } = {
  kubeNode: [{ kubeNode: 'worker-2' }],
  claims: [
    { claims: createEvidence({}, {}, { pending: [['c1', 6000]] }).claims },
    { claims: createEvidence({}, {}, { lost: [{ from: 1, to: 2, kind: 'change' }] }).claims },
    { claims: createEvidence({}, {}, { agent: { version: '0.2.0', image: null } }).claims },
  ],
  receivedAtMs: [{ receivedAtMs: createEvidence().receivedAtMs + ONE_HOUR_MS }],
  quotes: [
    { quotes: null },
    { quotes: { resetCount: 1, restartCount: 0, safe: false, imaPcrIsZero: true } },
    { quotes: { resetCount: 1, restartCount: 0, safe: true, imaPcrIsZero: false } },
  ],
  chainFindings: [{ chainFindings: ['CHAIN_FORK'] }],
  host: [{ host: { state: 'missing' } }],
  boot: [{ boot: ok({ type: 'boot', eventLog: null, eventLogBytes: 0, secureBoot: false }) }],
  ima: [{ ima: { state: 'malformed', reason: 'x' } }],
  kernel: [{ kernel: ok({ ...QUIET_KERNEL, tainted: '4096' }) }],
  bootLog: [{ bootLog: { ...NO_LOG, isQuoted: false } }, { bootLog: null }],
  bootReferences: [
    {
      bootReferences: [
        {
          digest: 'sha256:1',
          keyId: 'k',
          reference: { version: 1, commandLine: null, secureBoot: null, pcrs: {}, events: [] },
        },
      ],
    },
  ],
  imaLog: [{ imaLog: null }],
  imaFiles: [{ imaFiles: { agent: null, measuredCode: new Set(['key']), isLimited: false } }],
  containerIndex: [{ containerIndex: ok({ type: 'containers', limits: ['runtime:none'], containers: {} }) }],
  containers: [{ containers: new Map([['c1', createContainerEvidence({ status: 'stopped' })]]) }],
};

test('an outcome is given again for evidence that differs only in what no outcome depends on', () => {
  const recall = createAppraiser();
  const first = createEvidence({ c1: createContainerEvidence() });
  const appraisal = recall(CONTENT, first, 'chain', POLICY);
  assert.deepEqual(appraisal, appraise(first, 'chain', POLICY));
  const { claims, quotes, receivedAtMs } = first;
  const later: VerifiedEvidence = {
    ...first,
    evidenceId: 'f'.repeat(64),
    claims: { ...claims, iat: claims.iat + 30, jti: 'BBBB', holdfast: { ...claims.holdfast, seq: 1, pending: [] } },
    quotes: quotes && { ...quotes },
    receivedAtMs: receivedAtMs + 30_000,
  };
  assert.equal(recall(CONTENT, later, 'chain', POLICY), appraisal);
});

for (const [member, changes] of Object.entries(CHANGES)) {
  test(`another ${member} is appraised anew`, () => {
    for (const change of changes) {
      const recall = createAppraiser();
      const first = createEvidence();
      const appraisal = recall(CONTENT, first, 'chain', POLICY);
      const changed: VerifiedEvidence = { ...first, ...change };
      const anew = recall(CONTENT, changed, 'chain', POLICY);
      assert.notEqual(anew, appraisal);
      assert.deepEqual(anew, appraise(changed, 'chain', POLICY));
      assert.deepEqual(recall(CONTENT, first, 'chain', POLICY), appraise(first, 'chain', POLICY));
    }
  });
}

test('another endorsement or policy is appraised anew', () => {
  const recall = createAppraiser();
  const evidence = createEvidence();
  const codes = (endorsement: 'chain' | 'withdrawn' | 'expired', policy = POLICY) =>
    recall(CONTENT, evidence, endorsement, policy).findings.map(({ code }) => code);
  assert.ok(!codes('chain').includes('EK_WITHDRAWN'));
  assert.ok(codes('withdrawn').includes('EK_WITHDRAWN'));
  assert.ok(codes('expired').includes('TRUST_EXPIRED'));
  assert.ok(!codes('chain').includes('TRUST_EXPIRED'));
  const strict = { ...POLICY, maxResultBytes: 16 * 1024 };
  assert.notEqual(recall(CONTENT, evidence, 'chain', strict), recall(CONTENT, evidence, 'chain', POLICY));
});

test('an outcome of other content is never given', () => {
  const recall = createAppraiser();
  const evidence = createEvidence();
  assert.notEqual(recall({}, evidence, 'chain', POLICY), recall({}, evidence, 'chain', POLICY));
});

test('an outcome with very many findings is not kept', () => {
  const recall = createAppraiser();
  const containers = Object.fromEntries(
    Array.from({ length: 600 }, (_, at) => [`c${at}`, createContainerEvidence({ id: `c${at}` })]),
  );
  const evidence = createEvidence(containers);
  assert.notEqual(recall(CONTENT, evidence, 'chain', POLICY), recall(CONTENT, evidence, 'chain', POLICY));
});
