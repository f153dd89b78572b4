import type { TokenClaims } from '@holdfast/evidence';
import type { AgentConclusion } from '../ima/agent-conclusion.ts';
import { type AgentBasis, type ImaFileFacts, joinImaFiles, type MeasuredLookup } from '../ima/ima-file-facts.ts';
import type { AgentBuild } from '../references/agent-files.ts';
import type { ConcludedLogs } from './conclude-logs.ts';
import type { NodeState } from './node-registry.ts';
import type { ResolvedEvidence } from './resolve-evidence.ts';
import type { RoundDeps } from './round-deps.ts';

/** A conclusion about an agent's files and all that it rests on. */
export interface RememberedAgent {
  readonly basis: AgentBasis;
  /** Entries of the IMA list that were known. */
  readonly entries: number;
  readonly conclusion: AgentConclusion;
}

type MeasuredDeps = Pick<RoundDeps, 'measuredFiles' | 'findAgentBuilds'>;

/**
 * Joins the files that IMA measured on a kube node, kept ones and those of this round, with claims. Null while no list
 * holds. Without a round the kept ones count alone. An unchanged agent costs no read.
 */
export function joinMeasured(
  state: NodeState,
  claims: TokenClaims,
  sets: ResolvedEvidence['sets'],
  logs: ConcludedLogs | undefined,
  deps: MeasuredDeps,
): ImaFileFacts | null {
  const session = logs?.session ?? state.bootSession;
  if (session?.outcome !== 'matched') return null;
  const { entries } = session.ima.replay;
  const isAnew = logs?.files.isAnew === true;
  return joinImaFiles(
    { ...sets, claims },
    createLookup(state, logs, deps),
    deps.findAgentBuilds(),
    (basis, conclude) => {
      const last = isAnew ? undefined : state.agent;
      if (last?.entries === entries && isSameBasis(last.basis, basis)) return last.conclusion;
      state.agent = { basis, entries, conclusion: conclude() };
      return state.agent.conclusion;
    },
  );
}

/** Joins the files of the list that travelled with evidence, and of no other. */
export function joinOffline(
  sets: ResolvedEvidence['sets'],
  claims: TokenClaims,
  logs: ConcludedLogs | undefined,
  builds: readonly AgentBuild[],
): ImaFileFacts | null {
  if (logs?.ima.outcome !== 'matched') return null;
  const { keys, agentFiles, isLimited } = logs.files.added;
  const lookup = { isLimited, hasKey: (key: string) => keys.has(key), listAgentFiles: () => [...agentFiles] };
  return joinImaFiles({ ...sets, claims }, lookup, builds);
}

/** Directory of the agent's build as the claims have it; null where they name none. */
export function findAgentRoot({ ima }: Pick<ResolvedEvidence['sets'], 'ima'>): string | null {
  return ima.state === 'ok' ? (ima.value.agent?.root ?? null) : null;
}

/** Keeps what a round added. Runs inside the caller's transaction; an unchanged list costs no write. */
export function saveMeasured(
  { node, measured }: NodeState,
  logs: ConcludedLogs | undefined,
  { measuredFiles }: Pick<RoundDeps, 'measuredFiles'>,
): void {
  if (logs?.ima.outcome !== 'matched') return;
  const { added, state, isAnew } = logs.files;
  const isSameState = measured?.known === state.known && measured.isLimited === state.isLimited;
  const isSame = isSameState && measured.agentRoot === state.agentRoot && added.keys.size === 0;
  if (!isSame) measuredFiles.addFiles(node.ueid, added, state, isAnew);
}

function createLookup(
  { node: { ueid }, measured }: NodeState,
  logs: ConcludedLogs | undefined,
  { measuredFiles }: MeasuredDeps,
): MeasuredLookup {
  const isKept = logs === undefined || !logs.files.isAnew;
  const added = logs?.files.added;
  return {
    isLimited: (logs?.files.state ?? measured)?.isLimited === true,
    hasKey: (key) => added?.keys.has(key) === true || (isKept && measuredFiles.hasKey(ueid, key)),
    listAgentFiles: () => [...(added?.agentFiles ?? []), ...(isKept ? measuredFiles.listAgentFiles(ueid) : [])],
  };
}

/** Claims-sets and references are parsed once: the same content is the same object. */
function isSameBasis(a: AgentBasis, b: AgentBasis): boolean {
  const isSameList = a.builds.length === b.builds.length && a.builds.every((build, at) => build === b.builds[at]);
  return a.files === b.files && a.version === b.version && isSameList;
}
