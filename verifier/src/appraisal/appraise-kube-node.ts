import { appraiseBoot } from '../boot/appraise-boot.ts';
import { appraiseAgent } from '../ima/appraise-agent.ts';
import { appraiseIma } from '../ima/appraise-ima.ts';
import { appraiseKernel } from '../kernel/appraise-kernel.ts';
import { isInScope } from '../trust/scope.ts';
import type { AppraisalPolicy, AppraisedEvidence, Endorsement, Resolved } from './appraisal-input.ts';
import { createFinding, type Finding } from './finding.ts';
import type { FindingCode } from './finding-code.ts';

const ENDORSEMENT_CODES: Record<Endorsement, FindingCode | undefined> = {
  chain: undefined,
  pinned: 'EK_NOT_ENDORSED',
  withdrawn: 'EK_WITHDRAWN',
  expired: 'TRUST_EXPIRED',
};
const MAX_SKEW_MS = 60_000;

/**
 * Appraises what the evidence says of the kube node itself: endorsement, TPM and chain; boot; IMA; kernel; whether the
 * list of containers can be complete. A claims-set that is not there leaves nothing decided.
 */
export function appraiseKubeNode(
  evidence: AppraisedEvidence,
  endorsement: Endorsement,
  policy: AppraisalPolicy,
): Finding[] {
  return [
    ...appraiseIdentity(evidence, endorsement),
    ...withClaims(evidence.host, 'host', (host) => checkLabel(host.kubeNode, evidence.kubeNode)),
    ...withClaims(evidence.boot, 'boot', (boot) => appraiseBoot(boot, evidence, policy)),
    ...withClaims(evidence.ima, 'ima', (ima) => appraiseIma(ima, evidence.quotes, evidence.imaLog)),
    ...appraiseAgent(evidence),
    ...withClaims(evidence.kernel, 'kernel', (kernel) => appraiseKernel(kernel, policy.judgeKernel)),
    ...appraiseContainerList(evidence, policy),
  ];
}

/** Findings about a claims-set, or the one that says why there are none. */
export function withClaims<T>(resolved: Resolved<T>, what: string, appraise: (value: T) => Finding[]): Finding[] {
  if (resolved.state === 'ok') return appraise(resolved.value);
  if (resolved.state === 'missing') {
    return [createFinding('CLAIMS_MISSING', { expected: what }, `The ${what} claims could not be had.`)];
  }
  return [
    createFinding('CLAIMS_MALFORMED', { expected: what }, `The ${what} claims were refused: ${resolved.reason}.`),
  ];
}

/** How far the clock of the kube node is from the verifier's, in words; undefined where it is near enough. */
export function judgeSkew({ claims, receivedAtMs }: Pick<AppraisedEvidence, 'claims' | 'receivedAtMs'>) {
  const skewMs = claims.iat * 1000 - receivedAtMs;
  return Math.abs(skewMs) > MAX_SKEW_MS ? `${Math.round(skewMs / 60_000)} min` : undefined;
}

function appraiseIdentity(evidence: AppraisedEvidence, endorsement: Endorsement): Finding[] {
  const skew = judgeSkew(evidence);
  const endorsementCode = ENDORSEMENT_CODES[endorsement];
  const lost = evidence.claims.holdfast.lost.filter(({ kind }) => kind === 'change');
  return [
    ...(endorsementCode === undefined ? [] : [createFinding(endorsementCode)]),
    ...evidence.chainFindings.map((code) => createFinding(code)),
    ...(evidence.quotes?.safe === false ? [createFinding('TPM_CLOCK_UNSAFE')] : []),
    ...(skew === undefined ? [] : [createFinding('CLOCK_SKEW', { actual: skew })]),
    ...lost.map(({ from, to }) => createFinding('EVIDENCE_LOST', { actual: `${from}-${to}` })),
  ];
}

function checkLabel(actual: string, expected: string): Finding[] {
  return actual === expected ? [] : [createFinding('CLAIMS_IDENTITY', { expected, actual })];
}

/** Only the agent's plain word that there is no runtime can be expected: one that does not answer may hide containers. */
function nameRuntimeLimit(
  limit: string,
  kubeNode: string,
  { machinesWithoutRuntime = [] }: AppraisalPolicy,
): FindingCode {
  const isExpected = limit === 'runtime:none' && isInScope(kubeNode, machinesWithoutRuntime);
  return isExpected ? 'RUNTIME_NOT_EXPECTED' : 'RUNTIME_UNAVAILABLE';
}

function appraiseContainerList(evidence: AppraisedEvidence, policy: AppraisalPolicy): Finding[] {
  const index = withClaims(evidence.containerIndex, 'containers', ({ limits }) =>
    limits.map((limit) => createFinding(nameRuntimeLimit(limit, evidence.kubeNode, policy), { actual: limit })),
  );
  const unseen = evidence.claims.holdfast.pending
    .filter(([id, ms]) => ms > policy.maxPendingMs && !evidence.containers.has(id))
    .map(([id]) => createFinding('SCAN_PENDING', { actual: id }, `Container ${id} was never scanned.`));
  return [...index, ...unseen, createFinding('CONTAINERS_NOT_COMPARED')];
}
