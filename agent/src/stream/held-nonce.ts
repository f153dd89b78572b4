import type { Challenge } from '@holdfast/proto';
import { AgentError } from '../agent-error.ts';
import type { Clock } from '../clock.ts';

const NONCE = /^[A-Za-z0-9_-]{43,88}$/;
/** No Verifier's nonce lives longer (design §4.6). */
const MAX_LIFE_MS = 60_000;
/** Taken where the Verifier's clock and ours do not agree. */
const UNKNOWN_LIFE_MS = 45_000;
/** The token must still travel and be appraised. */
const MARGIN_MS = 2_000;

/** A challenge and, by a clock that does not jump, until when it is of use. */
export interface HeldNonce {
  readonly nonce: string;
  readonly usableUntilMs: number;
}

/** Takes a challenge. Throws `AgentError` ERR_AGENT_CONVERSATION when its nonce has not the form of one. */
export function holdNonce(challenge: Challenge, clock: Clock): HeldNonce {
  const { nonce, expiresAt } = challenge;
  if (!NONCE.test(nonce)) throw new AgentError('ERR_AGENT_CONVERSATION', 'the verifier sent a nonce of another form');
  const leftMs = expiresAt === undefined ? Number.NaN : Number(expiresAt.seconds) * 1000 - clock.nowMs();
  const lifeMs = leftMs > 0 && leftMs <= MAX_LIFE_MS ? leftMs : UNKNOWN_LIFE_MS;
  return { nonce, usableUntilMs: clock.monotonicMs() + Math.max(0, lifeMs - MARGIN_MS) };
}
