import type { ChangeTiming } from './journey.ts';
import type { FeedFinding, FeedResult } from './result-feed.ts';

export interface Timings {
  /** Debian packages, npm packages and native code. */
  setupMs: number;
  imagesMs: number;
  startMs: number;
  firstVerdictMs: number;
  changes: readonly ChangeTiming[];
  totalMs: number;
}

/** The machine-readable form of one moment. */
function viewMoment(result: FeedResult): object {
  return {
    kubeNode: { ...result.kubeNode, findings: result.findings.map(viewFinding) },
    containers: result.containers.map((container) => ({
      id: container.id,
      name: container.name,
      status: container.status,
      manifestDigest: container.manifestDigest,
      packages: container.packages,
      sbomDigest: container.sbomDigest,
      findings: container.findings.map(viewFinding),
    })),
  };
}

function viewFinding(finding: FeedFinding): object {
  return {
    code: finding.code,
    ...(finding.path === undefined ? {} : { path: finding.path }),
    ...(finding.purl === undefined ? {} : { purl: finding.purl }),
    message: finding.message,
  };
}

export function createReport(before: FeedResult, after: FeedResult, timings: Timings): object {
  return { before: viewMoment(before), after: viewMoment(after), timings };
}
