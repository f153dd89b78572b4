import type { AgentFilesClaims } from '@holdfast/evidence';
import type { VerifiedEvidence } from '../appraisal/appraisal-input.ts';
import type { AgentBuild } from '../references/agent-files.ts';
import { type AgentConclusion, concludeAgent } from './agent-conclusion.ts';
import { listForeignCode } from './measured-code.ts';
import { keyMeasured } from './measured-files.ts';

/** What the files that IMA measured say of the agent and of containers. */
export interface ImaFileFacts {
  /** Null where the agent names none of its files. */
  readonly agent: AgentConclusion | null;
  /** Keys of code in containers that differs from its image, as far as IMA measured it; see `keyMeasured`. */
  readonly measuredCode: ReadonlySet<string>;
  /** Whether what is not among the measured files may have been measured nevertheless. */
  readonly isLimited: boolean;
}

/** Looks up measured files of a kube node in its boot session. */
export interface MeasuredLookup {
  hasKey(key: string): boolean;
  listAgentFiles(): readonly string[];
  readonly isLimited: boolean;
}

/** Joins claims with measured files. `recallAgent` may give an earlier conclusion instead of making it again. */
export function joinImaFiles(
  { ima, containers, claims }: Pick<VerifiedEvidence, 'ima' | 'containers' | 'claims'>,
  lookup: MeasuredLookup,
  builds: readonly AgentBuild[],
  recallAgent: RecallAgent = (_, conclude) => conclude(),
): ImaFileFacts {
  const agentFiles = ima.state === 'ok' ? ima.value.agent : null;
  const { version } = claims.holdfast.agent;
  const conclude = (files: AgentFilesClaims) =>
    concludeAgent({
      claims: files,
      version,
      measured: { agentFiles: new Set(lookup.listAgentFiles()) },
      builds,
    });
  const keys = keysOf.get(containers) ?? listKeys(containers);
  keysOf.set(containers, keys);
  return {
    agent: agentFiles === null ? null : recallAgent({ files: agentFiles, version, builds }, () => conclude(agentFiles)),
    measuredCode: new Set(keys.filter((key) => lookup.hasKey(key))),
    isLimited: lookup.isLimited,
  };
}

/** Containers that nothing changed in are one and the same map from round to round. */
const keysOf = new WeakMap<VerifiedEvidence['containers'], readonly string[]>();

function listKeys(containers: VerifiedEvidence['containers']): string[] {
  return [...containers.values()].flatMap((container) =>
    listForeignCode(container).flatMap(({ path, sha256 }) => keyMeasured(path, sha256) ?? []),
  );
}

/** What a conclusion about an agent rests on, beside the measured files. */
export interface AgentBasis {
  readonly files: AgentFilesClaims;
  readonly version: string;
  readonly builds: readonly AgentBuild[];
}

export type RecallAgent = (basis: AgentBasis, conclude: () => AgentConclusion) => AgentConclusion;
