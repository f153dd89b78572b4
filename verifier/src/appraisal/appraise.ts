import { isBootProven } from '../boot/boot-conclusion.ts';
import { isImaProven } from '../ima/appraise-ima.ts';
import { appraiseMeasuredCode } from '../ima/measured-code.ts';
import type { AppraisalPolicy, ContainerEvidence, Endorsement, VerifiedEvidence } from './appraisal-input.ts';
import { type ContainerTiers, judgeContainerTiers, judgeKubeNodeTiers, type KubeNodeTiers } from './appraisal-tiers.ts';
import { appraiseContainer } from './appraise-container.ts';
import { appraiseKubeNode } from './appraise-kube-node.ts';
import { type Finding, worseStatus } from './finding.ts';
import type { AppraisalStatus } from './finding-code.ts';
import { listFindings, tallyFindings } from './finding-tally.ts';

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
  /** From all findings, those that are not listed among them. */
  readonly tiers: ContainerTiers;
  readonly findings: readonly Finding[];
}

/** The outcome for one kube node: a value, whatever the evidence holds. */
export interface Appraisal {
  /** Of the kube node itself. */
  readonly status: AppraisalStatus;
  /** The worst of the kube node and its containers. */
  readonly overall: AppraisalStatus;
  readonly base: AppraisalBase;
  /** From all findings, those that are not listed among them. */
  readonly tiers: KubeNodeTiers;
  readonly findings: readonly Finding[];
  /** Sorted by id. */
  readonly containers: readonly ContainerAppraisal[];
}

/**
 * Compares verified evidence with what vouches for it, and gives the outcome. Pure: no clock, no store, no randomness.
 * No status is better than the worst finding, and what is missing is a finding.
 */
export function appraise(evidence: VerifiedEvidence, endorsement: Endorsement, policy: AppraisalPolicy): Appraisal {
  const pending = new Map(evidence.claims.holdfast.pending);
  const containers = [...evidence.containers]
    .toSorted(([a], [b]) => (a < b ? -1 : 1))
    .map(([id, container]) => toContainer(id, container, pending.get(id) ?? 0, evidence.imaFiles, policy));
  const tally = tallyFindings(appraiseKubeNode(evidence, endorsement, policy));
  const { status } = tally;
  return {
    status,
    overall: containers.reduce((worst, container) => worseStatus(worst, container.status), status),
    base: judgeBase(evidence),
    tiers: judgeKubeNodeTiers(tally.counts.keys()),
    findings: listFindings(tally),
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
  const measured = imaFiles === null ? [] : appraiseMeasuredCode(evidence, imaFiles.measuredCode);
  const tally = tallyFindings([...own, ...measured]);
  const claims = evidence.claims.state === 'ok' && evidence.claims.value.id === id ? evidence.claims.value : undefined;
  return {
    id,
    name: claims?.name ?? '',
    namespace: claims?.namespace ?? '',
    status: tally.status,
    imageReference: claims?.image.reference ?? null,
    manifest: claims?.image.manifest ?? null,
    packages: evidence.inventory?.state === 'ok' ? evidence.inventory.value.packages : null,
    sbom,
    tiers: judgeContainerTiers(tally.counts.keys()),
    findings: listFindings(tally),
  };
}
