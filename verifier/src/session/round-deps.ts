import type { DatabaseSync } from 'node:sqlite';
import type { AppraisalPolicy, VerifiedEvidence } from '../appraisal/appraisal-input.ts';
import type { Appraise } from '../appraisal/recall-appraisal.ts';
import type { JudgeBoot } from '../boot/boot-judge.ts';
import type { AgentBuild } from '../references/agent-files.ts';
import type { ResultPublisher } from '../results/result-publisher.ts';
import type { BootSessionStore } from '../store/boot-session-store.ts';
import type { ChainStore } from '../store/chain-store.ts';
import type { ContentStore } from '../store/content-store.ts';
import type { LightWriter } from '../store/light-writer.ts';
import type { MeasuredFileStore } from '../store/measured-file-store.ts';
import type { NodeRegistry } from './node-registry.ts';
import type { EvidenceResolver } from './resolve-evidence.ts';
import type { VerifyRoundDeps } from './verify-round.ts';

/** What the steps of a round work with. */
export interface RoundDeps extends VerifyRoundDeps {
  readonly database: DatabaseSync;
  readonly lightWriter: LightWriter;
  readonly registry: NodeRegistry;
  readonly chain: ChainStore;
  readonly contents: ContentStore;
  readonly bootSessions: BootSessionStore;
  readonly measuredFiles: MeasuredFileStore;
  /** Signed lists of the agent's files that count now. */
  readonly findAgentBuilds: () => readonly AgentBuild[];
  readonly resolver: EvidenceResolver;
  readonly judgeBoot: JudgeBoot;
  readonly appraise: Appraise;
  /** Signed boot references that count now for the kube node of this label. */
  readonly findBoots: (label: string) => VerifiedEvidence['bootReferences'];
  readonly publisher: ResultPublisher;
  readonly policy: AppraisalPolicy;
  readonly maxRoundBytes: number;
}
