import { create } from '@bufbuild/protobuf';
import { timestampFromMs } from '@bufbuild/protobuf/wkt';
import { EvidenceError } from '@holdfast/evidence';
import {
  type AttesterMessage,
  type Challenge,
  ChallengeSchema,
  type Evidence,
  type Hello,
  RoundOutcome,
  type VerifierMessage,
  VerifierMessageSchema,
} from '@holdfast/proto';
import type { NonceIssuer } from '../nonce/nonce-issuer.ts';
import { toStatusMessage } from '../results/build-result.ts';
import type { MessagePort } from '../server/message-port.ts';
import { VerifierError, type VerifierErrorCode } from '../verifier-error.ts';
import type { RoundReply } from './accept-round.ts';
import { createAsk } from './ask-for-content.ts';
import type { NodeRegistry } from './node-registry.ts';
import { identifyEvidence } from './parse-round.ts';
import type { RoundProcessor } from './round-processor.ts';
import { checkEnrolment, type VerifyRoundDeps } from './verify-round.ts';

export interface ConversationDeps extends Pick<VerifyRoundDeps, 'endorse' | 'now' | 'verifierId'> {
  readonly nonces: NonceIssuer;
  readonly registry: NodeRegistry;
  readonly rounds: RoundProcessor;
  /** Largest message that the Attester may send. */
  readonly maxMessageBytes: number;
  /** Hears of refused evidence. */
  readonly onRefused: (refusal: Refusal) => void;
}

/** Evidence that was refused. */
export interface Refusal {
  readonly ueid: string;
  readonly kubeNode: string;
  readonly code: string;
  readonly message: string;
}

type Port = MessagePort<AttesterMessage, VerifierMessage>;

const HELLO_TIMEOUT_MS = 10_000;
/** Before the nonce that the agent holds runs out, it gets another one: that is also a wish to hear from it. */
const CHALLENGE_EVERY_MS = 55_000;
const ADOPT_EVERY_MS = 60_000;
/** After these there is nothing more to say: the agent has to enrol, or is not wanted. */
const FINAL: ReadonlySet<VerifierErrorCode> = new Set([
  ...(['ERR_VERIFIER_NOT_ENROLLED', 'ERR_VERIFIER_CERTIFICATE_EXPIRED', 'ERR_VERIFIER_EK_REVOKED'] as const),
  ...(['ERR_VERIFIER_UNKNOWN_KEY', 'ERR_VERIFIER_RATE', 'ERR_VERIFIER_DEADLINE', 'ERR_VERIFIER_SUPPLY'] as const),
]);

/**
 * The Verifier's side of one conversation, whoever dialled: hello, challenge, then rounds, each with what is needed and
 * a receipt that brings the next nonce. Evidence that is refused ends its round, not the conversation. Returns when the
 * Attester ends it. In a conversation that the Verifier dialled nobody enrols again: `adopt` then takes the enrolment
 * over anew when the Attester has other keys, as after a rotation, and its evidence is looked at once more.
 *
 * Throws `VerifierError` when the Attester is not enrolled, has too many streams, or does not keep to the order or the time.
 */
export async function converse(port: Port, deps: ConversationDeps, adopt?: () => Promise<void>): Promise<void> {
  const { ueid } = await receiveHello(port);
  const state = deps.registry.open(ueid);
  if (state === undefined) {
    throw new VerifierError('ERR_VERIFIER_NOT_ENROLLED', 'this kube node is not enrolled: enrol first');
  }
  checkEnrolment(state.node, deps);
  port.identify(ueid);
  const peer = { ueid, kubeNode: state.node.label, adopt: limitAdoption(adopt, deps) };
  await sendChallenge(port, ueid, deps);
  for (;;) {
    const received = await port.receive(CHALLENGE_EVERY_MS);
    if (received === undefined) return;
    if (received === 'timeout') await sendChallenge(port, ueid, deps);
    else if (received.message.case === 'evidence') await takeEvidence(port, received.message.value, peer, deps);
    else throw new VerifierError('ERR_VERIFIER_ORDER', 'evidence was expected here');
  }
}

async function receiveHello(port: Port): Promise<Hello> {
  const first = await port.receive(HELLO_TIMEOUT_MS);
  if (first === 'timeout') throw new VerifierError('ERR_VERIFIER_DEADLINE', 'no hello came in time');
  if (first?.message.case !== 'hello')
    throw new VerifierError('ERR_VERIFIER_ORDER', 'a conversation begins with hello');
  return first.message.value;
}

async function takeEvidence(
  port: Port,
  evidence: Evidence,
  { adopt, ...peer }: { ueid: string; kubeNode: string; adopt: () => Promise<boolean> },
  deps: ConversationDeps,
): Promise<void> {
  const { ueid } = peer;
  const arrival = { peerSpki: port.peerSpki, receivedAtMs: deps.now() };
  try {
    const process = async () => await deps.rounds.process(ueid, evidence, arrival, createAsk(port, deps));
    const reply = await process().catch(async (error: unknown) => {
      const isOtherKey = error instanceof EvidenceError && error.code === 'ERR_EVIDENCE_KEY';
      if (isOtherKey && (await adopt())) return await process();
      throw error;
    });
    await sendReceipt(port, ueid, reply, deps);
  } catch (error) {
    const isRefusal = error instanceof EvidenceError || error instanceof VerifierError;
    if (!isRefusal || (error instanceof VerifierError && isFinal(error))) throw error;
    deps.onRefused({ ...peer, code: error.code, message: error.message });
    await sendRefusal(port, ueid, evidence, error, deps);
  }
}

/** Whether an enrolment was taken over: never more often than keys are rotated, whatever the Attester sends. */
function limitAdoption(adopt: (() => Promise<void>) | undefined, { now }: ConversationDeps): () => Promise<boolean> {
  let againAtMs = 0;
  return async () => {
    if (adopt === undefined || now() < againAtMs) return false;
    againAtMs = now() + ADOPT_EVERY_MS;
    await adopt();
    return true;
  };
}

function isFinal({ code }: VerifierError): boolean {
  return FINAL.has(code) || code === 'ERR_VERIFIER_STORE' || code === 'ERR_VERIFIER_INTERNAL';
}

async function sendReceipt(port: Port, ueid: string, reply: RoundReply, deps: ConversationDeps): Promise<void> {
  const value = {
    evidenceId: Buffer.from(reply.evidenceId, 'hex'),
    outcome: RoundOutcome.APPRAISED,
    fresh: reply.fresh,
    detail: reply.fresh ? '' : 'accepted as history: it answers no challenge that is still good',
    next: issueChallenge(ueid, deps),
    status: toStatusMessage(reply.overall),
  };
  await port.send(create(VerifierMessageSchema, { message: { case: 'receipt', value } }));
}

async function sendRefusal(
  port: Port,
  ueid: string,
  evidence: Evidence,
  error: EvidenceError | VerifierError,
  deps: ConversationDeps,
): Promise<void> {
  const value = {
    evidenceId: identifyEvidence(evidence),
    outcome: RoundOutcome.REFUSED,
    code: error.code,
    detail: error.message,
    next: issueChallenge(ueid, deps),
  };
  await port.send(create(VerifierMessageSchema, { message: { case: 'receipt', value } }));
}

async function sendChallenge(port: Port, ueid: string, deps: ConversationDeps): Promise<void> {
  await port.send(create(VerifierMessageSchema, { message: { case: 'challenge', value: issueChallenge(ueid, deps) } }));
}

function issueChallenge(ueid: string, deps: ConversationDeps): Challenge {
  const scope = { verifierId: deps.verifierId, ueid, purpose: 'evidence' } as const;
  const { nonce, expiresAtMs } = deps.nonces.issue(scope);
  return create(ChallengeSchema, { nonce, expiresAt: timestampFromMs(expiresAtMs) });
}
