import type { HoldfastClaims } from '@holdfast/evidence';
import type { QuoteFacts } from '../appraisal/appraisal-input.ts';
import type { FindingCode } from '../appraisal/finding-code.ts';
import type { ChainHead } from '../store/chain-store.ts';
import type { VerifierErrorCode } from '../verifier-error.ts';

/** The TPM's clock in both quotes of a round, milliseconds. */
export interface QuotedClock {
  readonly firstMs: number;
  readonly lastMs: number;
  /** Whether the TPM says that it never reported a later time, by the first quote. */
  readonly safe: boolean;
}

/** Verified evidence as the chain sees it. */
export interface ChainLink {
  readonly evidenceId: string;
  readonly holdfast: Pick<HoldfastClaims, 'chain' | 'seq' | 'prev' | 'lost'>;
  /** Name of the AK that quoted, hex. */
  readonly akName: string;
  readonly quotes: Pick<QuoteFacts, 'resetCount' | 'restartCount'>;
  readonly clock: QuotedClock;
  /** Whether it answers a nonce of ours that is still good: then it was made just now. */
  readonly fresh: boolean;
}

/** What the store knows beyond the head. */
export interface ChainMemory {
  hasEvidence(evidenceId: string): boolean;
  hasChain(chain: string): boolean;
}

export type ChainJudgement =
  | {
      readonly kind: 'accept';
      readonly head: ChainHead;
      /** Stays visible until an operator acknowledges it. */
      readonly incidents: readonly FindingCode[];
    }
  | {
      readonly kind: 'refuse';
      readonly code: VerifierErrorCode;
      readonly message: string;
      readonly incidents: readonly FindingCode[];
    };

/**
 * Decides where evidence belongs in the chain of its kube node, in this order: snapshots are off the chain; what was
 * seen before is a replay; a TPM whose counters went back under the same AK was rolled back; then chain, number and
 * predecessor against the head; last the TPM's clock, for a TPM that went back by less than one boot. Losses that the
 * agent declared are no gap; another chain is one.
 *
 * Incidents are only made of evidence that was made just now, so that a replayed copy cannot cause one.
 */
export function judgeChain(link: ChainLink, head: ChainHead | undefined, memory: ChainMemory): ChainJudgement {
  const { chain, seq } = link.holdfast;
  if (seq === null) return refuse('ERR_VERIFIER_ORDER', 'a snapshot is not part of the chain');
  if (memory.hasEvidence(link.evidenceId)) return refuse('ERR_VERIFIER_REPLAY', 'this evidence was accepted before');
  const next: ChainHead = {
    chain,
    seq,
    evidenceId: link.evidenceId,
    akName: link.akName,
    resetCount: link.quotes.resetCount,
    restartCount: link.quotes.restartCount,
    clockMs: link.clock.lastMs,
  };
  if (head === undefined) return { kind: 'accept', head: next, incidents: [] };
  if (isRolledBack(next, head)) {
    return refuse('ERR_VERIFIER_TPM_ROLLBACK', 'the counters of the TPM went back', link.fresh && 'TPM_ROLLBACK');
  }
  const place = chain === head.chain ? judgeSameChain(link, next, head) : judgeNewChain(link, next, memory);
  if (place.kind === 'refuse' || !isClockBack(link.clock, next, head)) return place;
  return refuse('ERR_VERIFIER_TPM_ROLLBACK', 'the clock of the TPM went back', link.fresh && 'TPM_ROLLBACK');
}

function judgeNewChain(link: ChainLink, next: ChainHead, memory: ChainMemory): ChainJudgement {
  if (memory.hasChain(next.chain)) {
    if (!link.fresh) return refuse('ERR_VERIFIER_REPLAY', 'this chain was left before');
    return refuse('ERR_VERIFIER_FORK', 'the agent went back to a chain that it had left', 'CHAIN_FORK');
  }
  return { kind: 'accept', head: next, incidents: ['CHAIN_GAP'] };
}

function judgeSameChain(link: ChainLink, next: ChainHead, head: ChainHead): ChainJudgement {
  if (next.seq <= head.seq) {
    if (!link.fresh) return refuse('ERR_VERIFIER_REPLAY', 'the chain is past this place');
    return refuse('ERR_VERIFIER_FORK', 'another piece of evidence stands at this place of the chain', 'CHAIN_FORK');
  }
  if (next.seq === head.seq + 1 && link.holdfast.prev !== head.evidenceId) {
    return refuse('ERR_VERIFIER_FORK', 'the evidence follows another one than the last', 'CHAIN_FORK');
  }
  const isWhole = isCovered(head.seq + 1, next.seq - 1, link.holdfast.lost);
  return { kind: 'accept', head: next, incidents: isWhole ? [] : ['CHAIN_GAP'] };
}

/** Both counters only rise under one AK: a cleared TPM would not load it any more. */
function isRolledBack(next: ChainHead, head: ChainHead): boolean {
  if (next.akName !== head.akName || next.resetCount > head.resetCount) return false;
  return next.resetCount < head.resetCount || next.restartCount < head.restartCount;
}

/**
 * Whether the clock contradicts the TPM itself: within one run it only rises, and with safe=YES it is later than any that
 * was ever reported (TPM 2.0 part 1, clock). A copy of a TPM's state that was started as often as the original has the
 * same counters, but not the same time. After a dirty power-off (safe=NO) it may go back. Software TPMs keep their clock on
 * disk only now and then, and call it safe again some seconds after a power cut although it is behind: so across a reset
 * it says nothing.
 */
function isClockBack({ firstMs, safe }: QuotedClock, next: ChainHead, head: ChainHead): boolean {
  if (head.clockMs === null || next.akName !== head.akName || firstMs >= head.clockMs) return false;
  return next.resetCount === head.resetCount && (safe || next.restartCount === head.restartCount);
}

/** Whether the declared losses cover every number from `from` to `to`. */
function isCovered(from: number, to: number, lost: ChainLink['holdfast']['lost']): boolean {
  let uncovered = from;
  for (const loss of lost.toSorted((a, b) => a.from - b.from)) {
    if (loss.from <= uncovered) uncovered = Math.max(uncovered, loss.to + 1);
  }
  return uncovered > to;
}

function refuse(code: VerifierErrorCode, message: string, incident: FindingCode | false = false): ChainJudgement {
  return { kind: 'refuse', code, message, incidents: incident === false ? [] : [incident] };
}
