import { type Receipt, RoundOutcome } from '@holdfast/proto';
import { AgentError } from '../agent-error.ts';
import type { ImaSegment } from '../boot/ima-claims.ts';
import type { Clock } from '../clock.ts';
import type { ChainStore } from '../round/chain-store.ts';
import type { Round, RoundContent } from '../round/round.ts';
import { AGENT_VERSION } from '../version.ts';
import { Conversation, isRefusal } from './conversation.ts';
import { findContent } from './evidence-message.ts';
import type { MessageStream } from './message-stream.ts';

export interface ConversationHubDeps {
  chain: ChainStore;
  clock: Clock;
  kubeNode: string;
  /** Who this agent is now. */
  readFacts(): Promise<{ ueid: string; kid: string; retiredKid?: string }>;
  requestRound(): void;
  readEventLog(): Buffer | undefined;
  readUserspaceLog(): Buffer | undefined;
  readImaSegment(offset: number): ImaSegment | undefined;
  /** The Verifier that counts took this content as evidence of its moment. */
  onTaken(content: RoundContent): void;
}

export interface ConversationOptions {
  stream: MessageStream;
  /** Whether a receipt in this conversation means that the Verifier which counts has the evidence. */
  confirms: boolean;
  /** May throw: the conversation then ends, and the evidence is sent again in another one. */
  onReceipt?: (receipt: Receipt) => void;
}

/** Contents of rounds that are kept for a Verifier which asks for them late. */
const MAX_KEPT_ROUNDS = 64;

/**
 * All conversations under way: every standing Verifier gets every token of the chain, and one token answers the
 * challenges of all of them.
 */
export class ConversationHub {
  readonly #deps: ConversationHubDeps;
  readonly #conversations = new Set<Conversation>();
  readonly #streams = new Set<MessageStream>();
  /** By evidence id, oldest first. */
  readonly #rounds = new Map<string, Round>();
  #newest: Round | undefined;

  constructor(deps: ConversationHubDeps) {
    this.#deps = deps;
  }

  /** Challenges that the next token is to answer. */
  listNonces(): string[] {
    return [...this.#conversations].flatMap(({ nonce }) => nonce ?? []);
  }

  /** Whether any Verifier listens; nobody needs a heartbeat otherwise. */
  get isWatched(): boolean {
    return [...this.#conversations].some(({ isChallenged }) => isChallenged);
  }

  /** Gives a round to every conversation. It is on disk already. */
  publish(round: Round): void {
    this.#newest = round;
    this.#rounds.set(round.record.evidenceId, round);
    const unsent = new Set(this.#deps.chain.chain.unsent.slice(-MAX_KEPT_ROUNDS).map(({ evidenceId }) => evidenceId));
    for (const id of this.#rounds.keys()) if (!unsent.has(id)) this.#rounds.delete(id);
    for (const conversation of this.#conversations) conversation.offer(round);
  }

  /** Carries one conversation to its end. Rejects with the reason when it did not end in order. */
  async converse({ stream, confirms, onReceipt }: ConversationOptions): Promise<void> {
    let failure: AgentError | undefined;
    const { ueid, kid, retiredKid } = await this.#deps.readFacts();
    const conversation = new Conversation({
      ...this.#deps,
      hello: { kubeNode: this.#deps.kubeNode, ueid, agentVersion: AGENT_VERSION },
      send: (message) => stream.send(message),
      listBacklog: () => this.#listBacklog([kid, retiredKid]),
      findContent: (digest) => this.#newest?.content && findContent(this.#newest.content, digest),
      onReceipt: async (round, receipt) => {
        if (confirms && (await this.#isDead(round, receipt))) {
          await this.#deps.chain.giveUp(round.record);
          return;
        }
        onReceipt?.(receipt);
        if (!confirms) return;
        if (isRefusal(receipt)) {
          await this.#deps.chain.giveUp(round.record);
          return;
        }
        if (receipt.fresh && round.content !== undefined) this.#deps.onTaken(round.content);
        await this.#deps.chain.confirm(round.record.seq);
      },
      onFailure: (error) => {
        failure = error;
        stream.abort(error);
      },
    });
    this.#conversations.add(conversation);
    this.#streams.add(stream);
    try {
      await conversation.start();
      for await (const message of stream.messages) await conversation.receive(message);
    } catch (error) {
      throw failure ?? error;
    } finally {
      conversation.close();
      this.#conversations.delete(conversation);
      this.#streams.delete(stream);
    }
    if (failure !== undefined) throw failure;
  }

  /**
   * Whether a Verifier refused a token for its key while the agent has another one by now: a Verifier that started anew
   * has forgotten the keys of before the rotation. Refused for the present key, the agent has to enrol.
   */
  async #isDead({ record }: Round, { outcome, code }: Receipt): Promise<boolean> {
    if (outcome !== RoundOutcome.REFUSED || code !== 'ERR_EVIDENCE_KEY') return false;
    return (await this.#deps.readFacts()).kid !== record.kid;
  }

  /** Tokens of keys that were replaced are of no use to anybody, but for those of a moment ago. */
  #listBacklog(kids: readonly (string | undefined)[]): Round[] {
    return this.#deps.chain.chain.unsent
      .filter((record) => kids.includes(record.kid))
      .map((record) => this.#rounds.get(record.evidenceId) ?? { record, nonces: [], content: undefined });
  }

  /** Ends every conversation. */
  close(): void {
    for (const stream of this.#streams) stream.abort(new AgentError('ERR_AGENT_CONVERSATION', 'the agent stops'));
  }
}
