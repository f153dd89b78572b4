import { type ContainerGroup, ContainerGroups } from './container-group.ts';
import type { LookReply, LookRequest, NO_GROUP, PeekAsked, PeekReply, PeekRequest } from './look-protocol.ts';

/** What was seen, or that the processes are not known. */
export type LookOutcome = LookReply | typeof NO_GROUP;

/** Looks at processes apart from the event loop. */
export interface ProcessLooker {
  /** `group`: on whose account the time goes. Rejects with `AgentError` ERR_AGENT_SCAN where the look failed. */
  look(request: Omit<LookRequest, 'kind' | 'hostRoot' | 'budgetMs'>, group: string): Promise<LookOutcome>;
  /** For each container a text that stays while nothing is seen to change. Errors as `look`. */
  peek(asked: readonly PeekAsked[]): Promise<readonly string[]>;
  /** Undefined where it cannot be told; see `ContainerGroups`. */
  readGroup(first: number, cgroupsPath: string): ContainerGroup | undefined;
}

/** Carries out looks in a worker. */
export interface LookWorker {
  look(request: LookRequest, group: string): Promise<LookOutcome>;
  peek(request: PeekRequest): Promise<PeekReply>;
}

const BUDGET_MS = 2_000;

/** Creates a looker over the processes of the host whose root directory this process sees at `hostRoot`. */
export function createProcessLooker(worker: LookWorker, hostRoot: string): ProcessLooker {
  const groups = new ContainerGroups(hostRoot);
  return {
    look: (request, group) => worker.look({ ...request, kind: 'look', hostRoot, budgetMs: BUDGET_MS }, group),
    peek: async (asked) => (await worker.peek({ kind: 'peek', hostRoot, asked })).signatures,
    readGroup: (first, cgroupsPath) => groups.read(first, cgroupsPath),
  };
}
