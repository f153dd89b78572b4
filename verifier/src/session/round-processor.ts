import type { Evidence } from '@holdfast/proto';
import { VerifierError } from '../verifier-error.ts';
import { acceptRound, type RoundReply } from './accept-round.ts';
import type { Ask } from './ask-for-content.ts';
import { admitContents, listOwnDigests } from './content-allowance.ts';
import { parseRound } from './parse-round.ts';
import { reappraise } from './reappraise.ts';
import type { RoundDeps } from './round-deps.ts';
import { type Arrival, verifyRound } from './verify-round.ts';

export interface RoundProcessor {
  /** Takes one round. Throws what refused it. */
  process(ueid: string, evidence: Evidence, arrival: Arrival, ask: Ask): Promise<RoundReply>;
  /** Appraises the standing evidence again, after something that it is compared with changed. */
  reappraise(ueid: string): Promise<void>;
}

/** Times that the head is looked at again when another stream of the same kube node moved it. */
const MAX_RACES = 3;

/** Creates the pipeline of design §8: parse, token, quotes, binding, nonce, chain, claims, appraisal, result. */
export function createRoundProcessor(deps: RoundDeps): RoundProcessor {
  return {
    process: async (ueid, evidence, arrival, ask) => {
      const round = parseRound(evidence, deps.maxRoundBytes);
      const state = deps.registry.open(ueid);
      if (state === undefined) throw new VerifierError('ERR_VERIFIER_NOT_ENROLLED', 'this kube node is not enrolled');
      const verified = verifyRound(round.token, state, arrival, deps);
      // Only now: what somebody else sent in its name takes nothing from a kube node.
      if (verified.fresh && round.contents.size > 0) {
        const own = listOwnDigests(round.token.claims);
        admitContents(round.contents, { known: state.contents, own }, state.contentAllowance);
      }
      for (let race = 0; race < MAX_RACES; race += 1) {
        const reply = await acceptRound(state, round, verified, ask, deps);
        if (reply !== 'lost race') return reply;
      }
      throw new VerifierError('ERR_VERIFIER_ORDER', 'another stream of this kube node is ahead');
    },
    reappraise: async (ueid) => {
      const state = deps.registry.open(ueid);
      if (state !== undefined) await reappraise(state, deps);
    },
  };
}
