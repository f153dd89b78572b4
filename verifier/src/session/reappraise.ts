import { EvidenceError, parseToken, type VerifiedToken, verifyToken } from '@holdfast/evidence';
import type { FindingCode } from '../appraisal/finding-code.ts';
import type { Publication } from '../results/result-publisher.ts';
import { runLightTransaction, runTransaction } from '../store/open-database.ts';
import { appraiseEvidence, mergeCodes } from './appraise-evidence.ts';
import { recallIma } from './conclude-logs.ts';
import { joinMeasured } from './join-measured.ts';
import type { NodeState } from './node-registry.ts';
import type { RoundDeps } from './round-deps.ts';
import { readQuotes } from './verify-round.ts';

type Standing = NonNullable<NodeState['standing']>;

/** Stores what was found about a kube node beside its evidence, and publishes what follows from it. */
export async function recordIncidents(state: NodeState, codes: readonly FindingCode[], deps: RoundDeps): Promise<void> {
  if (codes.length === 0) return;
  const nowMs = deps.now();
  runTransaction(deps.database, () => {
    for (const code of codes) deps.chain.addIncident(state.node.ueid, code, nowMs);
  });
  state.incidents = mergeCodes(state.incidents, codes);
  await reappraise(state, deps);
}

/** Appraises the standing evidence again; publishes only what differs from the last result. */
export async function reappraise(state: NodeState, deps: RoundDeps): Promise<void> {
  const standing = loadStanding(state, deps);
  if (standing === undefined) return;
  const { ueid } = state.node;
  const { token, receivedAtMs } = standing;
  const resolved = deps.resolver.resolve(token.claims, {
    has: (digest) => state.contents.has(digest),
    read: (digest) => deps.contents.readContent(ueid, digest),
  });
  const userspaceLog = state.bootSession?.userspaceLog ?? null;
  const bootLog = token.quotes === null ? null : deps.judgeBoot(resolved, token.quotes[0], userspaceLog);
  const imaFiles = joinMeasured(state, token.claims, resolved.sets, undefined, deps);
  const logs = { bootLog, imaLog: recallIma(state.bootSession), imaFiles };
  const parts = { token, quotes: readQuotes(token), resolved, logs, receivedAtMs, chainFindings: state.incidents };
  const publication = await appraiseEvidence(state, parts, deps);
  // A round that ended while this was signed knows more.
  if (publication === undefined || state.standing !== standing) return;
  // The next round makes it again, and a new trust file appraises every kube node at once.
  runLightTransaction(deps.database, () => deps.publisher.save(publication));
  announce(state, publication, deps);
}

/** Makes a stored result the last one of this process and tells those who watch. */
export function announce(state: NodeState, publication: Publication, deps: Pick<RoundDeps, 'publisher'>): void {
  state.published = publication.state;
  deps.publisher.announce(publication);
}

/** The evidence that the standing result rests on, verified again where another process accepted it. */
export function loadStanding(state: NodeState, deps: RoundDeps): Standing | undefined {
  if (state.standing !== undefined) return state.standing;
  const stored = deps.contents.readStanding(state.node.ueid);
  const token = stored && verifyAgain(stored.token, state);
  state.standing = stored && token && { token, receivedAtMs: stored.receivedAtMs };
  return state.standing;
}

/** Evidence of keys that were replaced since no longer stands for anything. */
function verifyAgain(compact: string, state: NodeState): VerifiedToken | undefined {
  try {
    return verifyToken(parseToken(compact), state.keys);
  } catch (error) {
    if (error instanceof EvidenceError) return undefined;
    throw error;
  }
}
