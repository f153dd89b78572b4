import { hash } from 'node:crypto';
import { AgentError } from '../agent-error.ts';

/** Whether a round carries news. Heartbeats are the first to be dropped where room is short. */
export type RoundKind = 'change' | 'heartbeat';

/** One token of the chain, as it is kept until a Verifier has it. */
export interface RoundRecord {
  readonly seq: number;
  readonly kind: RoundKind;
  /** Thumbprint of the key that signed it. */
  readonly kid: string;
  /** Compact JWT. */
  readonly token: string;
  /** SHA-256 of the token's signing input, hex. */
  readonly evidenceId: string;
}

/** Evidence id of a compact JWT (design §4.2). Throws `AgentError` ERR_AGENT_STATE when it has no signature part. */
export function computeEvidenceId(token: string): string {
  const end = token.lastIndexOf('.');
  if (end <= token.indexOf('.')) throw new AgentError('ERR_AGENT_STATE', 'not a compact JWT');
  return hash('sha256', token.slice(0, end));
}
