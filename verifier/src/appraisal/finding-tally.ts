import { createFinding, type Finding, statusOfCodes } from './finding.ts';
import { type AppraisalStatus, FINDING_RULES, type FindingCode, type FindingSeverity } from './finding-code.ts';

/** All findings about one thing, counted, and those of them that a result can list. */
export interface FindingTally {
  /** Of all findings. What is decided is decided from these. */
  readonly counts: ReadonlyMap<FindingCode, number>;
  readonly total: number;
  readonly status: AppraisalStatus;
  /** The worst first, at least one of each code, no more than a result lists. */
  readonly kept: readonly Finding[];
}

/** A result that lists more is of no more use to anybody. */
const MAX_FINDINGS = 1000;
const SEVERITY_ORDER: Record<FindingSeverity, number> = { contraindicated: 0, warning: 1, info: 2 };

/** Counts findings, those of earlier tallies among them. */
export function tallyFindings(findings: readonly Finding[], others: readonly FindingTally[] = []): FindingTally {
  const counts = new Map<FindingCode, number>();
  const add = (code: FindingCode, count: number) => counts.set(code, (counts.get(code) ?? 0) + count);
  for (const { code } of findings) add(code, 1);
  for (const other of others) for (const [code, count] of other.counts) add(code, count);
  const kept = others.reduce<readonly Finding[]>((all, other) => all.concat(other.kept), findings);
  return {
    counts,
    total: [...counts.values()].reduce((sum, count) => sum + count, 0),
    status: statusOfCodes(counts.keys()),
    kept: keepWorst(kept, MAX_FINDINGS),
  };
}

/** What a result lists: all findings, or what is kept of them and one that says how many there are. */
export function listFindings({ kept, total }: FindingTally): readonly Finding[] {
  if (total <= MAX_FINDINGS) return kept;
  return [...keepWorst(kept, MAX_FINDINGS - 1), createFinding('FINDINGS_LIMITED', { actual: String(total) })];
}

/** By code, then by place, so that equal evidence gives equal results; of no code all are dropped for another's sake. */
function keepWorst(findings: readonly Finding[], max: number): Finding[] {
  const codes = [...Map.groupBy(findings, ({ code }) => code)].toSorted(([a], [b]) => compareCodes(a, b));
  let free = max - codes.length;
  return codes.flatMap(([, group]) => {
    const more = Math.min(group.length - 1, Math.max(0, free));
    free -= more;
    return group.sort(comparePlaces).slice(0, 1 + more);
  });
}

function compareCodes(a: FindingCode, b: FindingCode): number {
  const [first, second] = [a, b].map((code) => SEVERITY_ORDER[FINDING_RULES[code].severity]);
  return (first ?? 0) - (second ?? 0) || compareText(a, b);
}

function comparePlaces(a: Finding, b: Finding): number {
  return (
    compareText(a.path, b.path) ||
    compareText(a.purl, b.purl) ||
    compareText(a.expected, b.expected) ||
    compareText(a.actual, b.actual) ||
    compareText(a.message, b.message)
  );
}

function compareText(a = '', b = ''): number {
  return a < b ? -1 : Number(a > b);
}
