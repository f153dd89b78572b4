import { isBootProven } from '../boot/boot-conclusion.ts';
import { isImaProven } from '../ima/appraise-ima.ts';
import { appraiseMeasuredCode } from '../ima/measured-code.ts';
import type { AppraisalPolicy, ContainerEvidence, Endorsement, VerifiedEvidence } from './appraisal-input.ts';
import { appraiseContainer } from './appraise-container.ts';
import { appraiseKubeNode } from './appraise-kube-node.ts';
import { createFinding, type Finding, statusOf, worseStatus } from './finding.ts';
import { type AppraisalStatus, FINDING_RULES, type FindingSeverity } from './finding-code.ts';

/** What a result rests on. */
export type AppraisalBase = 'none' | 'tpm' | 'boot' | 'boot+ima';

export interface ContainerAppraisal {
  readonly id: string;
  readonly name: string;
  /** Namespace of the runtime. */
  readonly namespace: string;
  readonly status: AppraisalStatus;
  readonly imageReference: string | null;
  readonly manifest: string | null;
  readonly packages: number | null;
  /** `sha256:…` of the envelope of the SBOM that was compared. */
  readonly sbom: string | null;
  readonly findings: readonly Finding[];
}

/** The outcome for one kube node: a value, whatever the evidence holds. */
export interface Appraisal {
  /** Of the kube node itself. */
  readonly status: AppraisalStatus;
  /** The worst of the kube node and its containers. */
  readonly overall: AppraisalStatus;
  readonly base: AppraisalBase;
  readonly findings: readonly Finding[];
  /** Sorted by id. */
  readonly containers: readonly ContainerAppraisal[];
}

/** A result that lists more is of no more use to anybody. */
const MAX_FINDINGS = 1000;
const SEVERITY_ORDER: Record<FindingSeverity, number> = { contraindicated: 0, warning: 1, info: 2 };

/**
 * Compares verified evidence with what vouches for it, and gives the outcome. Pure: no clock, no store, no randomness.
 * No status is better than the worst finding, and what is missing is a finding.
 */
export function appraise(evidence: VerifiedEvidence, endorsement: Endorsement, policy: AppraisalPolicy): Appraisal {
  const pending = new Map(evidence.claims.holdfast.pending);
  const containers = [...evidence.containers]
    .toSorted(([a], [b]) => (a < b ? -1 : 1))
    .map(([id, container]) => toContainer(id, container, pending.get(id) ?? 0, evidence.imaFiles, policy));
  const findings = appraiseKubeNode(evidence, endorsement, policy);
  const status = statusOf(findings);
  return {
    status,
    overall: containers.reduce((worst, container) => worseStatus(worst, container.status), status),
    base: judgeBase(evidence),
    findings: limitFindings(findings),
    containers,
  };
}

function judgeBase({ quotes, bootLog, imaLog }: VerifiedEvidence): AppraisalBase {
  if (quotes === null) return 'none';
  if (!isBootProven(bootLog)) return 'tpm';
  return isImaProven(imaLog) ? 'boot+ima' : 'boot';
}

function toContainer(
  id: string,
  evidence: ContainerEvidence,
  pendingMs: number,
  imaFiles: VerifiedEvidence['imaFiles'],
  policy: AppraisalPolicy,
): ContainerAppraisal {
  const { findings: own, sbom } = appraiseContainer(id, evidence, pendingMs, policy);
  const findings = imaFiles === null ? own : [...own, ...appraiseMeasuredCode(evidence, imaFiles.measuredCode)];
  const claims = evidence.claims.state === 'ok' && evidence.claims.value.id === id ? evidence.claims.value : undefined;
  return {
    id,
    name: claims?.name ?? '',
    namespace: claims?.namespace ?? '',
    status: statusOf(findings),
    imageReference: claims?.image.reference ?? null,
    manifest: claims?.image.manifest ?? null,
    packages: evidence.inventory?.state === 'ok' ? evidence.inventory.value.packages : null,
    sbom,
    findings: limitFindings(findings),
  };
}

/** The worst first, then by code and place, so that equal evidence gives equal results. */
function limitFindings(findings: readonly Finding[]): Finding[] {
  const keyed = findings.map((finding): [Finding, string] => [finding, sortKey(finding)]);
  const sorted = keyed.sort(([, a], [, b]) => compareText(a, b)).map(([finding]) => finding);
  if (sorted.length <= MAX_FINDINGS) return sorted;
  const limited = createFinding('FINDINGS_LIMITED', { actual: String(sorted.length) });
  return [...sorted.slice(0, MAX_FINDINGS - 1), limited];
}

function sortKey({ code, path, purl, expected, actual }: Finding): string {
  const severity = SEVERITY_ORDER[FINDING_RULES[code].severity];
  return JSON.stringify([severity, code, path ?? '', purl ?? '', expected ?? '', actual ?? '']);
}

function compareText(a: string, b: string): number {
  return a < b ? -1 : Number(a > b);
}
