import { hash } from 'node:crypto';
import { parseToken } from '@holdfast/evidence';
import { AgentError } from '../agent-error.ts';

/** Whether a round carries news. Heartbeats are the first to be dropped where room is short. */
export type RoundKind = 'change' | 'heartbeat';

/** One token of the chain, as it is kept until a Verifier has it. */
export interface RoundRecord {
  readonly seq: number;
  readonly kind: RoundKind;
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

/** Thumbprint of the key that signed a token of this agent; undefined for one that does not parse. */
export function readKid(token: string): string | undefined {
  try {
    return parseToken(token).header.kid;
  } catch {
    return undefined;
  }
}
