import type { VerifiedToken } from '@holdfast/evidence';
import type { QuoteFacts, VerifiedEvidence } from '../appraisal/appraisal-input.ts';
import type { FindingCode } from '../appraisal/finding-code.ts';
import type { Publication } from '../results/result-publisher.ts';
import type { NodeState } from './node-registry.ts';
import type { ResolvedEvidence } from './resolve-evidence.ts';
import type { RoundDeps } from './round-deps.ts';

/** A verified token with what it names. */
export interface EvidenceParts {
  readonly token: VerifiedToken;
  readonly quotes: QuoteFacts;
  readonly resolved: ResolvedEvidence;
  readonly logs: Pick<VerifiedEvidence, 'bootLog' | 'imaLog' | 'imaFiles'>;
  readonly receivedAtMs: number;
  readonly chainFindings: readonly FindingCode[];
}

/** Appraises evidence and signs the result; undefined when the last result says the same and is young enough. */
export async function appraiseEvidence(
  state: NodeState,
  parts: EvidenceParts,
  deps: Pick<RoundDeps, 'publisher' | 'policy' | 'endorse' | 'findBoots' | 'appraise'>,
): Promise<Publication | undefined> {
  const { token, quotes, resolved, logs, receivedAtMs, chainFindings } = parts;
  const { evidenceId, claims } = token;
  const evidence: VerifiedEvidence = {
    evidenceId,
    kubeNode: state.node.label,
    claims,
    quotes,
    receivedAtMs,
    chainFindings,
    bootReferences: deps.findBoots(state.node.label),
    ...logs,
    ...resolved.sets,
  };
  const appraisal = deps.appraise(resolved, evidence, deps.endorse(state.node), deps.policy);
  return await deps.publisher.prepare(state, evidence, appraisal);
}

/** Both lists without repeats; the first itself when the second adds nothing. */
export function mergeCodes(a: readonly FindingCode[], b: readonly FindingCode[]): readonly FindingCode[] {
  return b.every((code) => a.includes(code)) ? a : [...new Set([...a, ...b])].toSorted();
}
