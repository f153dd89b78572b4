import { type AppraisalStatus, FINDING_RULES, type FindingCode, type FindingSeverity } from './finding-code.ts';

/** One thing that an appraisal found. Severity and ceiling follow from the code alone. */
export interface Finding {
  readonly code: FindingCode;
  readonly severity: FindingSeverity;
  /** A sentence for people. */
  readonly message: string;
  /** Slash at the front; bytes that are not UTF-8 are percent-encoded. */
  readonly path?: string;
  readonly purl?: string;
  /** Hex SHA-256, a version or another detail that the code defines. */
  readonly expected?: string;
  readonly actual?: string;
}

interface FindingDetail {
  path?: string | undefined;
  purl?: string | undefined;
  expected?: string | undefined;
  actual?: string | undefined;
}

/** Makes a finding; details that are undefined are left out. `message` defaults to the code's meaning. */
export function createFinding(code: FindingCode, detail: FindingDetail = {}, message?: string): Finding {
  const rule = FINDING_RULES[code];
  return {
    code,
    severity: rule.severity,
    message: message ?? rule.meaning,
    ...(detail.path === undefined ? {} : { path: detail.path }),
    ...(detail.purl === undefined ? {} : { purl: detail.purl }),
    ...(detail.expected === undefined ? {} : { expected: detail.expected }),
    ...(detail.actual === undefined ? {} : { actual: detail.actual }),
  };
}

/** From best to worst: what cannot be decided is worse than what is merely questionable. */
const BADNESS: Record<AppraisalStatus, number> = { affirming: 0, warning: 1, none: 2, contraindicated: 3 };

/** How bad a status is, from 0 for affirming. */
export function badnessOf(status: AppraisalStatus): number {
  return BADNESS[status];
}

/** The worse of two statuses: contraindicated, then none, then warning, then affirming. */
export function worseStatus(a: AppraisalStatus, b: AppraisalStatus): AppraisalStatus {
  return BADNESS[a] >= BADNESS[b] ? a : b;
}

/** The status that findings with these codes leave: never better than the worst ceiling among them. */
export function statusOfCodes(codes: Iterable<FindingCode>): AppraisalStatus {
  let status: AppraisalStatus = 'affirming';
  for (const code of codes) status = worseStatus(status, FINDING_RULES[code].ceiling);
  return status;
}
