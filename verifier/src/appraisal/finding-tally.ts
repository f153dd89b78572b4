import { createFinding, type Finding, statusOfCodes } from './finding.ts';
import { type AppraisalStatus, FINDING_RULES, type FindingCode, type FindingSeverity } from './finding-code.ts';
import { shortenText } from './shorten-text.ts';

/** All findings about one thing, counted, and those of them that a result can list. */
export interface FindingTally {
  /** Of all findings, the worst code first. What is decided is decided from these. */
  readonly counts: ReadonlyMap<FindingCode, number>;
  readonly total: number;
  readonly status: AppraisalStatus;
  /** The worst first, at least one of each code, no more than a result lists. */
  readonly kept: readonly Finding[];
}

/** A result that lists more is of no more use to anybody. */
const MAX_FINDINGS = 1000;
const SEVERITY_ORDER: Record<FindingSeverity, number> = { contraindicated: 0, warning: 1, info: 2 };
/** What the finding that tells of others takes at the most, as `measureJson` counts. */
export const LIMITED_BYTES = 1024;
const MAX_NAMED_CODES = 16;

/** Counts findings, those of other tallies among them. */
export function tallyFindings(findings: readonly Finding[], others: readonly FindingTally[] = []): FindingTally {
  const counts = new Map<FindingCode, number>();
  const add = (code: FindingCode, count: number) => counts.set(code, (counts.get(code) ?? 0) + count);
  for (const { code } of findings) add(code, 1);
  for (const other of others) for (const [code, count] of other.counts) add(code, count);
  const kept = others.reduce<readonly Finding[]>((all, other) => all.concat(other.kept), findings);
  return {
    counts: new Map([...counts].toSorted(([a], [b]) => compareCodes(a, b))),
    total: [...counts.values()].reduce((sum, count) => sum + count, 0),
    status: statusOfCodes(counts.keys()),
    kept: keepWorst(kept),
  };
}

/** Bytes of all findings in a result, or a little more than `maxBytes` where they take more. */
export function measureFindings({ kept }: FindingTally, maxBytes: number): number {
  let bytes = LIMITED_BYTES;
  for (const finding of kept) {
    if (bytes > maxBytes) break;
    bytes += measureJson(shortenFinding(finding));
  }
  return bytes;
}

/**
 * What a result lists in so many bytes: all findings; else one of each code and then the worst, as far as they go, and a
 * last one that says how many there are and which are left out. Long texts are cut and say so (see `shortenText`).
 */
export function listFindings(tally: FindingTally, maxBytes: number): Finding[] {
  const { kept, total } = tally;
  const isWhole = kept.length === total && measureFindings(tally, maxBytes) <= maxBytes;
  if (isWhole) return kept.map(shortenFinding);
  const listed = chooseFindings(kept, maxBytes - LIMITED_BYTES);
  return [...listed, nameRest(tally, listed)];
}

/** Bytes of a value in the JSON of a result, with the comma. */
export function measureJson(value: unknown): number {
  return Buffer.byteLength(JSON.stringify(value)) + 1;
}

function chooseFindings(kept: readonly Finding[], maxBytes: number): Finding[] {
  const firsts = new Map(kept.toReversed().map((finding) => [finding.code, finding]));
  const chosen = new Map<Finding, Finding>();
  let left = maxBytes;
  const take = (finding: Finding): boolean => {
    const short = shortenFinding(finding);
    const bytes = measureJson(short);
    if (bytes > left) return false;
    left -= bytes;
    chosen.set(finding, short);
    return true;
  };
  for (const finding of kept) if (firsts.get(finding.code) === finding) take(finding);
  for (const finding of kept) {
    if (chosen.size >= MAX_FINDINGS - 1 || (firsts.get(finding.code) !== finding && !take(finding))) break;
  }
  return kept.flatMap((finding) => chosen.get(finding) ?? []);
}

function nameRest({ counts, total }: FindingTally, listed: readonly Finding[]): Finding {
  const left = [...counts].flatMap(([code, count]) => {
    const rest = count - listed.filter((finding) => finding.code === code).length;
    return rest === 0 ? [] : [`${code} ${rest}`];
  });
  const more = left.length > MAX_NAMED_CODES ? ` and ${left.length - MAX_NAMED_CODES} more codes` : '';
  const names = `${left.slice(0, MAX_NAMED_CODES).join(', ')}${more}`;
  const message = `${FINDING_RULES.FINDINGS_LIMITED.meaning} Not listed: ${names}.`;
  return createFinding('FINDINGS_LIMITED', { actual: String(total) }, message);
}

function shortenFinding(finding: Finding): Finding {
  const entries = Object.entries(finding).map(([name, value]) => [name, shortenText(value)]);
  return { ...finding, ...Object.fromEntries(entries) };
}

/** By code, then by place, so that equal evidence gives equal results; of no code all are dropped for another's sake. */
function keepWorst(findings: readonly Finding[]): Finding[] {
  const codes = [...Map.groupBy(findings, ({ code }) => code)].toSorted(([a], [b]) => compareCodes(a, b));
  let free = MAX_FINDINGS - codes.length;
  return codes.flatMap(([, group]) => {
    const more = Math.min(group.length - 1, free);
    free -= more;
    return group.sort(comparePlaces).slice(0, 1 + more);
  });
}

function compareCodes(a: FindingCode, b: FindingCode): number {
  const order = SEVERITY_ORDER[FINDING_RULES[a].severity] - SEVERITY_ORDER[FINDING_RULES[b].severity];
  return order || compareText(a, b);
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
