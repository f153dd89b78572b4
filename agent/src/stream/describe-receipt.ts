import { AttestationStatus, type Receipt, RoundOutcome } from '@holdfast/proto';
import type { LogFields } from '../agent-log.ts';

const VERDICTS: Record<number, string> = {
  [AttestationStatus.NONE]: 'none',
  [AttestationStatus.AFFIRMING]: 'affirming',
  [AttestationStatus.WARNING]: 'warning',
  [AttestationStatus.CONTRAINDICATED]: 'contraindicated',
};
const MAX_DETAIL = 300;

/** What a receipt says, fit for a log line. The Verifier's word; the agent decides nothing by it. */
export function describeReceipt({ outcome, code, detail, status }: Receipt): LogFields {
  if (outcome === RoundOutcome.APPRAISED) return { outcome: 'appraised', verdict: VERDICTS[status] ?? 'unknown' };
  return { outcome: 'refused', code: code.slice(0, MAX_DETAIL), detail: detail.slice(0, MAX_DETAIL) };
}
