import type { Drift } from '@holdfast/evidence';
import { isBootProven } from '../boot/boot-conclusion.ts';
import { isImaProven } from '../ima/appraise-ima.ts';
import { appraiseMeasuredCode } from '../ima/measured-code.ts';
import type { AppraisalPolicy, AppraisedEvidence, ContainerEvidence, Endorsement } from './appraisal-input.ts';
import { type ContainerTiers, judgeContainerTiers, judgeKubeNodeTiers, type KubeNodeTiers } from './appraisal-tiers.ts';
import { appraiseContainer } from './appraise-container.ts';
import { appraiseDrift } from './appraise-drift.ts';
import { appraiseKubeNode } from './appraise-kube-node.ts';
import { createFinding, type Finding, worseStatus } from './finding.ts';
import type { AppraisalStatus } from './finding-code.ts';
import { type FindingTally, listFindings, tallyFindings } from './finding-tally.ts';
import { chooseContainers, listContainers, type TalliedContainer } from './list-containers.ts';
import { shortenText } from './shorten-text.ts';

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
  /** Sorted by id; those that a result has room for, the worst before others. */
  readonly containers: readonly ContainerAppraisal[];
}

/** Well below the largest gRPC message, in which a result stands twice: signed in base64url, and plain. */
const MAX_RESULT_BYTES = 4 * 1024 * 1024;

/**
 * Compares verified evidence with what vouches for it, and gives the outcome. Pure: no clock, no store, no randomness.
 * No status is better than the worst finding, and what is missing is a finding. Whatever the evidence holds, the outcome
 * has a bounded size: what is not listed counts, and is told by code and number.
 */
export function appraise(evidence: AppraisedEvidence, endorsement: Endorsement, policy: AppraisalPolicy): Appraisal {
  const maxBytes = Math.min(MAX_RESULT_BYTES, policy.maxResultBytes ?? MAX_RESULT_BYTES);
  const tallied = tallyContainers(evidence, policy);
  const { chosen, bytes } = chooseContainers(tallied, maxBytes / 2);
  const left = tallied.length - chosen.length;
  const limited = left === 0 ? [] : [createFinding('CONTAINERS_LIMITED', { actual: `${left} of ${tallied.length}` })];
  const tally = tallyFindings([...appraiseKubeNode(evidence, endorsement, policy), ...limited]);
  const { status } = tally;
  return {
    status,
    overall: tallied.reduce((worst, { container }) => worseStatus(worst, container.status), status),
    base: judgeBase(evidence),
    tiers: judgeKubeNodeTiers(tally.counts.keys()),
    findings: listFindings(tally, maxBytes / 16),
    containers: listContainers(chosen, maxBytes - maxBytes / 16 - bytes),
  };
}

function judgeBase({ quotes, bootLog, imaLog }: AppraisedEvidence): AppraisalBase {
  if (quotes === null) return 'none';
  if (!isBootProven(bootLog)) return 'tpm';
  return isImaProven(imaLog) ? 'boot+ima' : 'boot';
}

function tallyContainers(evidence: AppraisedEvidence, policy: AppraisalPolicy): TalliedContainer[] {
  const pending = new Map(evidence.claims.holdfast.pending);
  const recallDrift = createDriftTallies();
  return [...evidence.containers]
    .toSorted(([a], [b]) => (a < b ? -1 : 1))
    .map(([id, container]) => {
      const { findings, drift, sbom } = appraiseContainer(id, container, pending.get(id) ?? 0, policy);
      const { imaFiles } = evidence;
      const measured = imaFiles === null ? [] : appraiseMeasuredCode(container, imaFiles.measuredCode);
      const tally = tallyFindings([...findings, ...measured], drift === null ? [] : [recallDrift(drift)]);
      return { container: describeContainer(id, container, tally, sbom), tally };
    });
}

/** Any number of containers may have one and the same drift document, which is then looked through once. */
function createDriftTallies(): (drift: Drift) => FindingTally {
  const tallies = new Map<Drift, FindingTally>();
  return (drift) => {
    const tally = tallies.get(drift) ?? tallyFindings(appraiseDrift(drift));
    tallies.set(drift, tally);
    return tally;
  };
}

function describeContainer(
  id: string,
  evidence: ContainerEvidence,
  tally: FindingTally,
  sbom: string | null,
): TalliedContainer['container'] {
  const claims = evidence.claims.state === 'ok' && evidence.claims.value.id === id ? evidence.claims.value : undefined;
  const reference = claims?.image.reference ?? null;
  return {
    id,
    name: shortenText(claims?.name ?? ''),
    namespace: claims?.namespace ?? '',
    status: tally.status,
    imageReference: reference === null ? null : shortenText(reference),
    manifest: claims?.image.manifest ?? null,
    packages: evidence.inventory?.state === 'ok' ? evidence.inventory.value.packages : null,
    sbom,
    tiers: judgeContainerTiers(tally.counts.keys()),
  };
}
