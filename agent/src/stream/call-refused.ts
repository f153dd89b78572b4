import { status } from '@grpc/grpc-js';
import { AgentError, type AgentErrorCode } from '../agent-error.ts';

/** A call that is answered with a status of its own; the sentence is for the peer. */
export class CallRefused extends Error {
  override readonly name = 'CallRefused';
  readonly code: status;
  readonly details: string;

  constructor(code: status, details: string) {
    super(details);
    this.code = code;
    this.details = details;
  }
}

const STATUS: Partial<Record<AgentErrorCode, status>> = {
  ERR_AGENT_TPM: status.UNAVAILABLE,
  ERR_AGENT_KEYS: status.UNAVAILABLE,
  ERR_AGENT_STATE: status.UNAVAILABLE,
  ERR_AGENT_RUNTIME_UNAVAILABLE: status.UNAVAILABLE,
  ERR_AGENT_CONVERSATION: status.FAILED_PRECONDITION,
};

/** The status for anything that was thrown. What nobody foresaw is INTERNAL and tells the peer nothing. */
export function toCallStatus(error: unknown): { code: status; details: string } {
  if (error instanceof CallRefused) return { code: error.code, details: error.details };
  if (error instanceof AgentError) {
    return { code: STATUS[error.code] ?? status.INTERNAL, details: `${error.code}: ${error.message}` };
  }
  const isTpm = error instanceof Error && 'rc' in error;
  if (isTpm) return { code: status.UNAVAILABLE, details: 'the TPM failed; the log of the agent says more' };
  return { code: status.INTERNAL, details: 'the agent failed; its log says more' };
}
