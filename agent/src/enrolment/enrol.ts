import { create, type MessageInitShape } from '@bufbuild/protobuf';
import { computeProof, computeTranscript } from '@holdfast/evidence';
import { type EnrollRequest, EnrollRequestSchema, type EnrollResponse } from '@holdfast/proto';
import { AgentError } from '../agent-error.ts';
import type { EnrolmentKeys } from './enrolment-keys.ts';

/** One end of the Enroll stream. */
export interface EnrolmentPort {
  send(request: EnrollRequest): Promise<void>;
  /** The next message. Rejects at the end of the stream and when none comes in time. */
  receive(): Promise<EnrollResponse>;
  close(): void;
}

export interface EnrolmentInput {
  readonly keys: EnrolmentKeys;
  readonly kubeNode: string;
  readonly tlsSpkiSha256: string;
}

type Step = NonNullable<MessageInitShape<typeof EnrollRequestSchema>['step']>;

const NONCE_BYTES = 32;

/**
 * Enrols the keys at a Verifier (design §7): EK and its certificates; nonce; AK, signing key and its certification by
 * the AK over the nonce; credential activation in the TPM; HMAC of the whole exchange with the activated secret. Returns
 * the certificates that the Verifier issued.
 *
 * Throws `AgentError` ERR_AGENT_ENROLMENT when the Verifier leaves the order; errors of the stream and of the TPM pass
 * through.
 */
export async function enrol(
  port: EnrolmentPort,
  { keys, kubeNode, tlsSpkiSha256 }: EnrolmentInput,
): Promise<{ certificates: Buffer[]; ekCertificates: Buffer[]; kid: string }> {
  const { kid, ...ek } = await keys.begin();
  const begin = { kubeNode, ...ek };
  await send(port, { case: 'begin', value: begin });
  const nonce = await receiveNonce(port);
  const offered = { ...(await keys.offer(nonce)), tlsSpkiSha256: Buffer.from(tlsSpkiSha256, 'hex') };
  await send(port, { case: 'keys', value: offered });
  const credential = await receiveChallenge(port);
  const secret = await keys.activate(credential);
  const transcript = computeTranscript({ ...begin, nonce, ...offered, ...credential });
  await send(port, { case: 'proof', value: { hmac: computeProof(secret, transcript) } });
  return { ...(await receiveEnrolled(port, kid)), ekCertificates: ek.ekCertificates };
}

async function receiveNonce(port: EnrolmentPort): Promise<Buffer> {
  const { step } = await port.receive();
  if (step.case !== 'nonce' || step.value.nonce.length !== NONCE_BYTES) throw outOfOrder();
  return Buffer.from(step.value.nonce);
}

async function receiveChallenge(port: EnrolmentPort): Promise<{ idObject: Buffer; encryptedSecret: Buffer }> {
  const { step } = await port.receive();
  if (step.case !== 'challenge') throw outOfOrder();
  return { idObject: Buffer.from(step.value.idObject), encryptedSecret: Buffer.from(step.value.encryptedSecret) };
}

async function receiveEnrolled(port: EnrolmentPort, kid: string): Promise<{ certificates: Buffer[]; kid: string }> {
  const { step } = await port.receive();
  if (step.case !== 'enrolled') throw outOfOrder();
  if (step.value.kid !== kid) throw new AgentError('ERR_AGENT_ENROLMENT', 'the verifier enrolled another signing key');
  return { certificates: step.value.certificates.map((der) => Buffer.from(der)), kid };
}

function send(port: EnrolmentPort, step: Step): Promise<void> {
  return port.send(create(EnrollRequestSchema, { step }));
}

function outOfOrder(): AgentError {
  return new AgentError('ERR_AGENT_ENROLMENT', 'the verifier answered the enrolment out of order');
}
