import { create } from '@bufbuild/protobuf';
import { timestampFromMs } from '@bufbuild/protobuf/wkt';
import { listNonces } from '@holdfast/evidence';
import {
  AttestationStatus,
  type ContainerResult,
  ContainerResultSchema,
  type Finding as FindingMessage,
  FindingSchema,
  type Result,
  ResultSchema,
  FindingSeverity as Severity,
} from '@holdfast/proto';
import type { VerifiedEvidence } from '../appraisal/appraisal-input.ts';
import type { Appraisal, ContainerAppraisal } from '../appraisal/appraise.ts';
import type { Finding } from '../appraisal/finding.ts';
import type { AppraisalStatus, FindingSeverity } from '../appraisal/finding-code.ts';
import type { Ear, EarSubmodule } from '../ear/ear.ts';
import { containerVector, kubeNodeVector } from './trust-vector.ts';

/** Id of the rules that this verifier appraises by, until policies are signed and named by digest. */
const POLICY_ID = 'urn:holdfast:policy:base:1';

const STATUSES: Record<AppraisalStatus, AttestationStatus> = {
  none: AttestationStatus.NONE,
  affirming: AttestationStatus.AFFIRMING,
  warning: AttestationStatus.WARNING,
  contraindicated: AttestationStatus.CONTRAINDICATED,
};
const SEVERITIES: Record<FindingSeverity, Severity> = {
  info: Severity.INFO,
  warning: Severity.WARNING,
  contraindicated: Severity.CONTRAINDICATED,
};

/** The status as the protocol has it. */
export function toStatusMessage(status: AppraisalStatus): AttestationStatus {
  return STATUSES[status];
}

export interface EarOptions {
  readonly issuedAtMs: number;
  readonly lifetimeMs: number;
  readonly id: string;
  readonly verifierId: string;
  /** Version of the verifier's build. */
  readonly build: string;
}

/** The Attestation Result to sign: `node`, and `container:<id>` for each container. */
export function buildEar(evidence: VerifiedEvidence, appraisal: Appraisal, options: EarOptions): Ear {
  const issuedAt = Math.floor(options.issuedAtMs / 1000);
  const [nonce] = listNonces(evidence.claims);
  const common = { policyIds: [POLICY_ID], ...(nonce === undefined ? {} : { nonce }) };
  const containers = appraisal.containers.map((container) => [
    `container:${container.id}`,
    { ...common, ...buildContainerSubmodule(container) },
  ]);
  const node: EarSubmodule = {
    ...common,
    status: appraisal.status,
    vector: kubeNodeVector(appraisal),
    details: {
      kubeNode: evidence.kubeNode,
      ueid: evidence.claims.ueid,
      evidence: evidence.evidenceId,
      chain: evidence.claims.holdfast.chain,
      seq: evidence.claims.holdfast.seq,
      base: appraisal.base,
      findings: appraisal.findings,
    },
  };
  return {
    issuedAt,
    expiresAt: issuedAt + Math.ceil(options.lifetimeMs / 1000),
    id: options.id,
    verifier: { developer: options.verifierId, build: options.build },
    submods: { node, ...Object.fromEntries(containers) },
  };
}

function buildContainerSubmodule(container: ContainerAppraisal): Omit<EarSubmodule, 'policyIds'> {
  const { name, namespace, manifest, packages, sbom, findings, status } = container;
  return {
    status,
    vector: containerVector(container),
    details: { name, namespace, manifest, packages, sbom, findings },
  };
}

/** The result as the protocol has it. Freshness is left open: it depends on when somebody asks. */
export function buildResult(evidence: VerifiedEvidence, appraisal: Appraisal, ear: string, nowMs: number): Result {
  const { claims } = evidence;
  return create(ResultSchema, {
    kubeNode: evidence.kubeNode,
    ueid: claims.ueid,
    ear,
    status: STATUSES[appraisal.status],
    appraisedAt: timestampFromMs(nowMs),
    evidenceId: evidence.evidenceId,
    chain: claims.holdfast.chain,
    seq: BigInt(claims.holdfast.seq ?? 0),
    base: appraisal.base,
    findings: appraisal.findings.map(buildFinding),
    containers: appraisal.containers.map(buildContainer),
  });
}

function buildContainer(container: ContainerAppraisal): ContainerResult {
  return create(ContainerResultSchema, {
    id: container.id,
    name: container.name,
    namespace: container.namespace,
    status: STATUSES[container.status],
    imageReference: container.imageReference ?? '',
    manifestDigest: container.manifest ?? '',
    ...(container.packages === null ? {} : { packages: container.packages }),
    sbomDigest: container.sbom ?? '',
    findings: container.findings.map(buildFinding),
  });
}

/** A finding as the protocol has it. */
export function buildFinding(finding: Finding): FindingMessage {
  return create(FindingSchema, {
    code: finding.code,
    severity: SEVERITIES[finding.severity],
    message: finding.message,
    path: finding.path ?? '',
    purl: finding.purl ?? '',
    expected: finding.expected ?? '',
    actual: finding.actual ?? '',
  });
}
