/** Every way in which the surroundings of the agent can fail it. One row each in docs/protocol.md. */
export type AgentErrorCode =
  | 'ERR_AGENT_RUNTIME_ADDRESS'
  | 'ERR_AGENT_RUNTIME_PERMISSION'
  | 'ERR_AGENT_RUNTIME_SERVICE'
  | 'ERR_AGENT_RUNTIME_UNAVAILABLE'
  | 'ERR_AGENT_RUNTIME_LIMIT'
  | 'ERR_AGENT_RUNTIME_DATA'
  | 'ERR_AGENT_SCAN';

/**
 * The agent's environment failed: a missing socket, a refused permission, a runtime that answers with what it should
 * not. The message says what to do; `cause` holds the first failure. Wrong arguments are a `TypeError` instead.
 */
export class AgentError extends Error {
  override readonly name = 'AgentError';
  readonly code: AgentErrorCode;

  constructor(code: AgentErrorCode, message: string, options?: { cause?: unknown }) {
    super(message, options);
    this.code = code;
  }
}
