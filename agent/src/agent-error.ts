/** Every way in which the agent's surroundings can fail it. One row each in docs/protocol.md. */
export type AgentErrorCode =
  | 'ERR_AGENT_CONFIG'
  | 'ERR_AGENT_STATE'
  | 'ERR_AGENT_TLS'
  | 'ERR_AGENT_LISTEN'
  | 'ERR_AGENT_TPM'
  | 'ERR_AGENT_KEYS'
  | 'ERR_AGENT_ENROLMENT'
  | 'ERR_AGENT_CONVERSATION'
  | 'ERR_AGENT_RUNTIME_ADDRESS'
  | 'ERR_AGENT_RUNTIME_PERMISSION'
  | 'ERR_AGENT_RUNTIME_SERVICE'
  | 'ERR_AGENT_RUNTIME_UNAVAILABLE'
  | 'ERR_AGENT_RUNTIME_DATA'
  | 'ERR_AGENT_SCAN';

/**
 * A failure of what surrounds the agent: its settings, its state directory, its TLS files, the TPM, the peer.
 *
 * The message is one sentence for people that says what is wrong and, where it can, what to do. Wrong arguments of a
 * caller are a `TypeError`; foreign bytes are an `EvidenceError` of `@holdfast/evidence`.
 */
export class AgentError extends Error {
  override readonly name = 'AgentError';
  readonly code: AgentErrorCode;

  constructor(code: AgentErrorCode, message: string, options?: { cause?: unknown }) {
    super(message, options);
    this.code = code;
  }
}
