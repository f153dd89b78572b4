import type { LookReply, LookRequest, PeekReply, PeekRequest } from './look-protocol.ts';

/** Looks at processes apart from the event loop. */
export interface ProcessLooker {
  /** `group`: on whose account the time goes. Rejects with `AgentError` ERR_AGENT_SCAN where the look failed. */
  look(request: Omit<LookRequest, 'kind' | 'hostRoot' | 'budgetMs'>, group: string): Promise<LookReply>;
  /** For each first process a text that stays while nothing is seen to change. Errors as `look`. */
  peek(pids: readonly number[]): Promise<readonly string[]>;
}

/** Carries out looks in a worker. */
export interface LookWorker {
  look(request: LookRequest, group: string): Promise<LookReply>;
  peek(request: PeekRequest): Promise<PeekReply>;
}

const BUDGET_MS = 2_000;

/** Creates a looker over the processes of the host whose root directory this process sees at `hostRoot`. */
export function createProcessLooker(worker: LookWorker, hostRoot: string): ProcessLooker {
  return {
    look: (request, group) => worker.look({ ...request, kind: 'look', hostRoot, budgetMs: BUDGET_MS }, group),
    peek: async (pids) => (await worker.peek({ kind: 'peek', hostRoot, pids })).signatures,
  };
}
