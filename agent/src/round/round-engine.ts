import { type DeclaredLoss, encodePayload, type SubmoduleName } from '@holdfast/evidence';
import { AgentError } from '../agent-error.ts';
import type { Clock } from '../clock.ts';
import type { KeyIdentity } from '../tpm/key-identity.ts';
import type { SealingFacts, TokenSealer } from '../tpm/token-sealer.ts';
import type { ChainStore } from './chain-store.ts';
import type { ClaimsCollector, CollectedClaims } from './claims-collector.ts';
import { createTokenClaims } from './create-claims.ts';
import type { Round, RoundContent } from './round.ts';
import { computeEvidenceId, type RoundKind, type RoundRecord } from './round-record.ts';
import type { RoundReason } from './round-scheduler.ts';

const MAX_NONCES = 16;
const TOKEN_ID_BYTES = 16;
const SUBMODULES: readonly SubmoduleName[] = ['host', 'boot', 'ima', 'kernel', 'containers'];

export interface RoundEngineDeps {
  collector: Pick<ClaimsCollector, 'collect'>;
  sealer: TokenSealer;
  chain: ChainStore;
  clock: Clock;
  randomBytes: (size: number) => Buffer;
  kubeNode: string;
  image: string | null;
  tlsSpkiSha256: string;
  /** Challenges that the next token is to answer. */
  listNonces(): readonly string[];
}

/** A round off the chain, for one responder. */
export interface SnapshotRound {
  readonly token: string;
  readonly content: RoundContent;
  readonly head: { chain: string; seq: number; evidenceId: string } | undefined;
  /** Keys that sealed it; undefined without a TPM. */
  readonly keys: KeyIdentity | undefined;
}

/**
 * Makes rounds (design §3): collect, digest, payload, quotes over the payload, signature, chain head on disk. What it
 * returns may leave the machine; what throws never did. One round at a time; snapshots may come between.
 */
export class RoundEngine {
  readonly #deps: RoundEngineDeps;
  #lastContent: RoundContent | undefined;

  constructor(deps: RoundEngineDeps) {
    this.#deps = deps;
  }

  /** Throws `AgentError` or the TPM's error; the chain then stands where it stood. */
  async makeRound(reason: RoundReason): Promise<Round> {
    const { chain, sealer } = this.#deps;
    const claims = await this.#deps.collector.collect();
    const facts = await sealer.readFacts();
    await chain.adopt(facts.owner);
    await chain.retireOthers(facts.kid, facts.retiredKid);
    const nonces = [...new Set(this.#deps.listNonces())].slice(0, MAX_NONCES);
    const { head } = chain.chain;
    const seq = head === undefined ? 0 : head.seq + 1;
    const place = { chain: chain.chain.chain, seq, prev: head?.evidenceId ?? null };
    const { lost } = chain.chain;
    const { token, kid } = await this.#seal(claims, nonces, place, lost);
    const kind = this.#chooseKind(claims, reason);
    const record: RoundRecord = { seq, kind, kid, token, evidenceId: computeEvidenceId(token) };
    await chain.add(record, lost);
    this.#lastContent = claims.content;
    return { record, nonces, content: claims.content };
  }

  /** Makes a complete token for a responder's nonce; the chain does not move and is only named. */
  async makeSnapshot(nonce: string): Promise<SnapshotRound> {
    const claims = await this.#deps.collector.collect();
    const { chain, head } = this.#deps.chain.chain;
    const place = { chain, seq: null, prev: head?.evidenceId ?? null };
    const { token, keys } = await this.#seal(claims, [nonce], place, []);
    return { token, content: claims.content, head: head && { chain, ...head }, keys };
  }

  async #seal(
    claims: CollectedClaims,
    nonces: readonly string[],
    place: { chain: string; seq: number | null; prev: string | null },
    lost: readonly DeclaredLoss[],
  ): Promise<{ token: string; kid: string; keys: KeyIdentity | undefined }> {
    const { sealer, clock, kubeNode, image, tlsSpkiSha256, randomBytes } = this.#deps;
    let kid = '';
    let keys: KeyIdentity | undefined;
    const token = await sealer.seal((facts) => {
      this.#checkOwner(facts);
      kid = facts.kid;
      keys = facts.keys;
      const fixed = { nowMs: clock.nowMs(), tokenId: randomBytes(TOKEN_ID_BYTES), kubeNode, image, tlsSpkiSha256 };
      return encodePayload(createTokenClaims({ facts, claims, nonces, place, lost, ...fixed }));
    });
    return { token, kid, keys };
  }

  /** The TPM may be another one since the chain was chosen. */
  #checkOwner({ owner }: SealingFacts): void {
    if (owner !== this.#deps.chain.chain.owner) {
      throw new AgentError('ERR_AGENT_KEYS', 'the keys changed while a round was made; it is made again');
    }
  }

  #chooseKind({ content, pending }: CollectedClaims, reason: RoundReason): RoundKind {
    const before = this.#lastContent?.digests;
    if (before === undefined || reason === 'start' || pending.length > 0) return 'change';
    const isSame = SUBMODULES.every((name) => content.digests[name] === before[name]);
    return isSame ? 'heartbeat' : 'change';
  }
}
