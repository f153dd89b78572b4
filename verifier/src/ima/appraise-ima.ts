import type { ImaClaims } from '@holdfast/evidence';
import type { QuoteFacts } from '../appraisal/appraisal-input.ts';
import { createFinding, type Finding } from '../appraisal/finding.ts';
import type { ImaConclusion } from './ima-conclusion.ts';

/**
 * Appraises what IMA says, in this order: that claims and quote agree on whether it measures at all; that the list gives
 * the quoted PCR 10; that it belongs to the quoted boot; that it measures anything; violations.
 */
export function appraiseIma(ima: ImaClaims, quotes: QuoteFacts | null, conclusion: ImaConclusion | null): Finding[] {
  if (quotes !== null && ima.active === quotes.imaPcrIsZero) {
    const actual = quotes.imaPcrIsZero ? 'PCR 10 is zero' : 'PCR 10 is not zero';
    return [createFinding('IMA_CONTRADICTION', { expected: ima.active ? 'IMA is active' : 'no IMA', actual })];
  }
  if (!ima.active) return [createFinding('IMA_INACTIVE')];
  if (conclusion === null || conclusion.outcome === 'missing') return [createFinding('IMA_LOG_MISSING')];
  return [...(conclusion.isRestarted ? [createFinding('BOOT_SESSION_NEW')] : []), ...appraiseList(conclusion)];
}

function appraiseList({ outcome, aggregate, entries, extended, violations }: ImaConclusion): Finding[] {
  if (outcome === 'mismatch') return [createFinding('IMA_LOG_MISMATCH', { actual: `${entries} entries hold` })];
  return [
    ...(aggregate === false ? [createFinding('IMA_BOOT_AGGREGATE')] : []),
    ...(extended <= 1 ? [createFinding('IMA_MEASURES_NOTHING')] : []),
    ...(violations > 0 ? [createFinding('IMA_VIOLATIONS', { actual: String(violations) })] : []),
  ];
}

/** Whether the quote vouches for a list that measures something and belongs to this boot. */
export function isImaProven(conclusion: ImaConclusion | null): boolean {
  return conclusion?.outcome === 'matched' && conclusion.aggregate !== false && conclusion.extended > 1;
}
