import { create } from '@bufbuild/protobuf';
import {
  type AttesterMessage,
  AttesterMessageSchema,
  type Challenge,
  LogKind,
  type Need,
  type Receipt,
  RoundOutcome,
  type VerifierMessage,
} from '@holdfast/proto';
import { AgentError } from '../agent-error.ts';
import type { ImaSegment } from '../boot/ima-claims.ts';
import type { Clock } from '../clock.ts';
import type { Round, RoundContent } from '../round/round.ts';
import { createEvidenceMessage, findContent, takeWithin } from './evidence-message.ts';
import { type HeldNonce, holdNonce } from './held-nonce.ts';

export interface ConversationDeps {
  hello: { kubeNode: string; ueid: string; agentVersion: string };
  clock: Clock;
  /** Waits while the peer does not read; rejects when the stream is gone. */
  send(message: AttesterMessage): Promise<void>;
  /** Rounds that no Verifier has yet, oldest first. */
  listBacklog(): readonly Round[];
  requestRound(): void;
  readEventLog(): Buffer | undefined;
  /** What the operating system measured since the boot; it grows. */
  readUserspaceLog(): Buffer | undefined;
  readImaSegment(offset: number): ImaSegment | undefined;
  /** Content of the newest round by its SHA-256, hex. */
  findContent(digest: string): Buffer | undefined;
  /** The Verifier answered this round; what it said is in the receipt. */
  onReceipt(round: Round, receipt: Receipt): Promise<void>;
  /** The conversation cannot go on; called once. */
  onFailure(error: AgentError): void;
}

interface EvidenceLog {
  kind: LogKind;
  offset: bigint;
  content: Buffer;
}

interface CurrentRound {
  readonly round: Round;
  imaNext: number;
  readonly userspaceLog: Buffer | undefined;
  needs: number;
}

/** The Verifier has this evidence, by another conversation or from before the stream broke. */
const KNOWN_ALREADY = 'ERR_VERIFIER_REPLAY';
const KEPT_NONCES = 4;
const CHALLENGE_MS = 20_000;
const RECEIPT_MS = 60_000;
const MAX_QUEUE = 4_096;
const MAX_NEEDS = 64;
const MAX_NEED_ENTRIES = 20_000;
/** Below the 16 MiB that a Verifier takes as one message. */
const MAX_SUPPLY_BYTES = 12 * 1024 * 1024;
const FIRST_REFUSAL_PAUSE_MS = 1_000;
const MAX_REFUSAL_PAUSE_MS = 60_000;

/**
 * The Attester's side of one conversation (proto/holdfast/v1/conversation.proto), whoever dialled: hello; then, once
 * challenged, one round after another, each with its needs and its receipt. What the Verifier confirmed is not sent again.
 *
 * The Verifier's messages decide nothing but what is sent; what does not fit the order ends the conversation.
 */
export class Conversation {
  readonly #deps: ConversationDeps;
  readonly #queue: Round[] = [];
  #current: CurrentRound | undefined;
  #known: RoundContent | undefined;
  #nonce: HeldNonce | undefined;
  #heldNonces: string[] = [];
  #isChallenged = false;
  #isBootLogSent = false;
  #imaOffset = 0;
  #userspaceLog: Buffer | undefined;
  #refusals = 0;
  #cancelTimer: (() => void) | undefined;
  #cancelPause: (() => void) | undefined;
  #isClosed = false;

  constructor(deps: ConversationDeps) {
    this.#deps = deps;
  }

  /** Says hello; the Verifier then has 20 s for its challenge. */
  async start(): Promise<void> {
    this.#expect(CHALLENGE_MS, 'the verifier sent no challenge in time');
    await this.#send(create(AttesterMessageSchema, { message: { case: 'hello', value: this.#deps.hello } }));
  }

  /** True once the Verifier asked for evidence: heartbeats make sense. */
  get isChallenged(): boolean {
    return this.#isChallenged && !this.#isClosed;
  }

  /** The challenge to answer next; undefined where there is none or it is too old. */
  get nonce(): string | undefined {
    const held = this.#nonce;
    if (held === undefined || this.#isClosed) return undefined;
    return this.#deps.clock.monotonicMs() < held.usableUntilMs ? held.nonce : undefined;
  }

  /** Takes a new round of the chain. Before the first challenge it stays in the backlog. */
  offer(round: Round): void {
    if (!this.isChallenged) return;
    // The backlog may have brought it already.
    const { evidenceId } = round.record;
    if ([this.#current?.round, ...this.#queue].some((known) => known?.record.evidenceId === evidenceId)) return;
    if (this.#queue.length >= MAX_QUEUE) this.#fail('the verifier is too slow');
    else this.#queue.push(round);
    this.#pump();
  }

  /** Takes the next message of the Verifier. */
  async receive({ message }: VerifierMessage): Promise<void> {
    if (this.#isClosed) return;
    try {
      if (message.case === 'challenge') this.#takeChallenge(message.value);
      else if (message.case === 'need') await this.#takeNeed(message.value);
      else if (message.case === 'receipt') await this.#takeReceipt(message.value);
      else throw new AgentError('ERR_AGENT_CONVERSATION', 'the verifier sent an empty message');
    } catch (error) {
      this.#failWith(error);
    }
  }

  /** Nothing is sent after this. */
  close(): void {
    this.#isClosed = true;
    this.#cancelTimer?.();
    this.#cancelPause?.();
  }

  #takeChallenge(challenge: Challenge): void {
    this.#hold(challenge);
    if (!this.#isChallenged) {
      this.#isChallenged = true;
      this.#cancelTimer?.();
      this.#queue.push(...this.#deps.listBacklog());
    }
    this.#deps.requestRound();
    this.#pump();
  }

  #pump(): void {
    if (this.#current !== undefined || this.#isClosed) return;
    const round = this.#queue.shift();
    if (round === undefined) return;
    const boot = this.#isBootLogSent ? undefined : this.#deps.readEventLog();
    const ima = this.#deps.readImaSegment(this.#imaOffset);
    const userspaceLog = this.#deps.readUserspaceLog();
    this.#current = { round, imaNext: ima?.next ?? this.#imaOffset, userspaceLog, needs: 0 };
    this.#expect(RECEIPT_MS, 'the verifier sent no receipt in time');
    const isSent = userspaceLog === undefined || this.#userspaceLog?.equals(userspaceLog) === true;
    const userspace = isSent ? undefined : userspaceLog;
    this.#sendSoon(createEvidenceMessage(round, this.#known, { boot, ima, userspace }));
  }

  async #takeNeed(need: Need): Promise<void> {
    const current = this.#current;
    if (current === undefined || toHex(need.evidenceId) !== current.round.record.evidenceId) throw unasked('a need');
    current.needs += 1;
    if (current.needs > MAX_NEEDS || need.digests.length + need.logs.length > MAX_NEED_ENTRIES)
      throw unasked('too many needs');
    this.#expect(RECEIPT_MS, 'the verifier sent no receipt in time');
    const found = need.digests.flatMap((digest) => this.#find(current.round, toHex(digest)) ?? []);
    const blobs = takeWithin(found, MAX_SUPPLY_BYTES).map((content) => ({ content }));
    const logs = need.logs.flatMap(({ kind, offset }) => this.#findLog(current, kind, offset) ?? []);
    const value = { evidenceId: need.evidenceId, blobs, logs };
    await this.#send(create(AttesterMessageSchema, { message: { case: 'supply', value } }));
  }

  /** A round of an earlier run has no content of its own, but most of it is unchanged. */
  #find({ content }: Round, digest: string): Buffer | undefined {
    return (content && findContent(content, digest)) ?? this.#deps.findContent(digest);
  }

  #findLog(current: { imaNext: number }, kind: LogKind, offset: bigint): EvidenceLog | undefined {
    if (kind === LogKind.BOOT && offset === 0n) {
      const content = this.#deps.readEventLog();
      return content && { kind, offset, content };
    }
    if (kind === LogKind.USERSPACE && offset === 0n) {
      const content = this.#deps.readUserspaceLog();
      return content && { kind, offset, content };
    }
    if (kind !== LogKind.IMA || offset > BigInt(Number.MAX_SAFE_INTEGER)) return undefined;
    const segment = this.#deps.readImaSegment(Number(offset));
    current.imaNext = segment?.next ?? current.imaNext;
    return segment && { kind, offset, content: segment.content };
  }

  async #takeReceipt(receipt: Receipt): Promise<void> {
    const current = this.#current;
    if (current === undefined || toHex(receipt.evidenceId) !== current.round.record.evidenceId)
      throw unasked('a receipt');
    this.#cancelTimer?.();
    const isOurs = current.round.nonces.some((nonce) => this.#heldNonces.includes(nonce));
    this.#hold(receipt.next);
    const isAppraised = receipt.outcome === RoundOutcome.APPRAISED;
    if (isAppraised) this.#confirm(current);
    const isRefused = isRefusal(receipt);
    this.#refusals = isRefused ? this.#refusals + 1 : 0;
    await this.#deps.onReceipt(current.round, receipt);
    this.#current = undefined;
    this.#pump();
    if (this.#current !== undefined || this.#nonce === undefined) return;
    if (isRefused) this.#askLater();
    // What answers no challenge counts as history only.
    else if (!isOurs) this.#deps.requestRound();
  }

  #hold(challenge: Challenge | undefined): void {
    this.#nonce = challenge && holdNonce(challenge, this.#deps.clock);
    if (challenge !== undefined) this.#heldNonces = [...this.#heldNonces, challenge.nonce].slice(-KEPT_NONCES);
  }

  #confirm({ round, imaNext, userspaceLog }: CurrentRound): void {
    this.#isBootLogSent = true;
    this.#userspaceLog = userspaceLog;
    this.#imaOffset = imaNext;
    this.#known = round.content ?? this.#known;
  }

  #askLater(): void {
    const pauseMs = Math.min(MAX_REFUSAL_PAUSE_MS, FIRST_REFUSAL_PAUSE_MS * 2 ** (this.#refusals - 1));
    this.#cancelPause?.();
    this.#cancelPause = this.#deps.clock.setTimer(pauseMs, () => this.#deps.requestRound());
  }

  #expect(timeoutMs: number, sentence: string): void {
    this.#cancelTimer?.();
    this.#cancelTimer = this.#deps.clock.setTimer(timeoutMs, () => this.#fail(sentence));
  }

  #sendSoon(message: AttesterMessage): void {
    this.#send(message).catch((error: unknown) => this.#failWith(error));
  }

  async #send(message: AttesterMessage): Promise<void> {
    if (!this.#isClosed) await this.#deps.send(message);
  }

  #fail(sentence: string): void {
    this.#failWith(new AgentError('ERR_AGENT_CONVERSATION', sentence));
  }

  #failWith(error: unknown): void {
    if (this.#isClosed) return;
    this.close();
    const isOurs = error instanceof AgentError;
    this.#deps.onFailure(
      isOurs ? error : new AgentError('ERR_AGENT_CONVERSATION', 'the stream failed', { cause: error }),
    );
  }
}

/** Whether the Verifier does not have the evidence that it answers, and will not take it. */
export function isRefusal({ outcome, code }: Receipt): boolean {
  return outcome !== RoundOutcome.APPRAISED && code !== KNOWN_ALREADY;
}

function unasked(what: string): AgentError {
  return new AgentError('ERR_AGENT_CONVERSATION', `the verifier sent ${what} out of order`);
}

function toHex(bytes: Uint8Array): string {
  return Buffer.from(bytes.buffer, bytes.byteOffset, bytes.byteLength).toString('hex');
}
