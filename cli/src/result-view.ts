import {
  AttestationStatus,
  type ContainerResult,
  type Finding,
  FindingSeverity,
  Freshness,
  type KubeNode,
  type Result,
} from '@holdfast/proto';
import { formatTime } from './format-time.ts';

export type StatusText = 'none' | 'affirming' | 'warning' | 'contraindicated';

export interface FindingView {
  code: string;
  severity: 'info' | 'warning' | 'contraindicated';
  message: string;
  path?: string;
  purl?: string;
  expected?: string;
  actual?: string;
}

export interface ContainerView {
  id: string;
  name: string;
  namespace: string;
  status: StatusText;
  imageReference: string;
  manifestDigest: string;
  packages: number | null;
  sbomDigest: string | null;
  findings: FindingView[];
}

export interface ResultView {
  kubeNode: { name: string; ueid: string; status: StatusText; freshness: FreshnessText };
  appraisedAt: string | null;
  evidenceId: string;
  chain: string;
  seq: number;
  base: string;
  findings: FindingView[];
  containers: ContainerView[];
  ear: string;
}

export type FreshnessText = 'fresh' | 'stale' | 'never';

/** The plain form of a result, as --json prints it. */
export function viewResult(result: Result): ResultView {
  return {
    kubeNode: {
      name: result.kubeNode,
      ueid: result.ueid,
      status: statusText(result.status),
      freshness: freshnessText(result.freshness),
    },
    appraisedAt: viewTime(result.appraisedAt),
    evidenceId: result.evidenceId,
    chain: result.chain,
    seq: Number(result.seq),
    base: result.base,
    findings: result.findings.map(viewFinding),
    containers: result.containers.map(viewContainer),
    ear: result.ear,
  };
}

function viewContainer(container: ContainerResult): ContainerView {
  return {
    id: container.id,
    name: container.name,
    namespace: container.namespace,
    status: statusText(container.status),
    imageReference: container.imageReference,
    manifestDigest: container.manifestDigest,
    packages: container.packages ?? null,
    sbomDigest: container.sbomDigest === '' ? null : container.sbomDigest,
    findings: container.findings.map(viewFinding),
  };
}

function viewFinding(finding: Finding): FindingView {
  return {
    code: finding.code,
    severity: severityText(finding.severity),
    message: finding.message,
    ...(finding.path === '' ? {} : { path: finding.path }),
    ...(finding.purl === '' ? {} : { purl: finding.purl }),
    ...(finding.expected === '' ? {} : { expected: finding.expected }),
    ...(finding.actual === '' ? {} : { actual: finding.actual }),
  };
}

export interface KubeNodeView {
  name: string;
  ueid: string;
  status: StatusText;
  freshness: FreshnessText;
  enrolledAt: string | null;
  lastGoodAt: string | null;
  containers: number;
}

export function viewKubeNode(node: KubeNode): KubeNodeView {
  return {
    name: node.name,
    ueid: node.ueid,
    status: statusText(node.status),
    freshness: freshnessText(node.freshness),
    enrolledAt: viewTime(node.enrolledAt),
    lastGoodAt: viewTime(node.lastGoodAt),
    containers: node.containers,
  };
}

/** A time that somebody else states; null where there is none. */
export function viewTime(time: { seconds: bigint; nanos: number } | undefined): string | null {
  return time === undefined ? null : formatTime(Number(time.seconds) * 1000 + time.nanos / 1e6);
}

/** An unknown status is none: what this version cannot name it does not praise. */
function statusText(status: AttestationStatus): StatusText {
  switch (status) {
    case AttestationStatus.AFFIRMING:
      return 'affirming';
    case AttestationStatus.WARNING:
      return 'warning';
    case AttestationStatus.CONTRAINDICATED:
      return 'contraindicated';
    default:
      return 'none';
  }
}

function freshnessText(freshness: Freshness): FreshnessText {
  if (freshness === Freshness.FRESH) return 'fresh';
  return freshness === Freshness.NEVER ? 'never' : 'stale';
}

function severityText(severity: FindingSeverity): FindingView['severity'] {
  if (severity === FindingSeverity.INFO) return 'info';
  return severity === FindingSeverity.WARNING ? 'warning' : 'contraindicated';
}
