import { create, type MessageInitShape } from '@bufbuild/protobuf';
import type { ClientDuplexStream } from '@grpc/grpc-js';
import { computeProof, computeTranscript } from '@holdfast/evidence';
import {
  AttestationService,
  type AttesterMessageSchema,
  AttestRequestSchema,
  type Challenge,
  type EnrollBegin,
  type Enrolled,
  type EnrollKeys,
  EnrollRequestSchema,
  type Evidence,
  openBidiStream,
  type Receipt,
  type VerifierMessage,
} from '@holdfast/proto';
import { createFullEvidence, type MadeRound } from './software-attester.ts';
import type { SoftwareTpm } from './software-tpm.ts';
import type { DialledClient } from './verifier-world.ts';

type Fields<T> = { -readonly [K in keyof Omit<T, '$typeName' | '$unknown'>]: T[K] };

/** Where a test bends an enrolment. Each gets what is right and gives what is sent. */
export interface EnrolmentChanges {
  begin?: (fields: Fields<EnrollBegin>) => Fields<EnrollBegin>;
  keys?: (fields: Fields<EnrollKeys>, nonce: Buffer) => Fields<EnrollKeys>;
  proof?: (hmac: Buffer) => Buffer;
  /** Name for which the credential is opened. */
  activateFor?: Buffer;
  /** Sent in the place of the second message. */
  skipKeys?: boolean;
}

/** Enrols a TPM in software; rejects with grpc-js's ServiceError. */
export async function enrolSoftware(
  { client, spkiSha256 }: DialledClient,
  tpm: SoftwareTpm,
  kubeNode: string,
  changes: EnrolmentChanges = {},
): Promise<Fields<Enrolled>> {
  const call = openBidiStream(client, AttestationService.method.enroll);
  call.on('error', () => undefined);
  const answers = call[Symbol.asyncIterator]();
  const say = (step: MessageInitShape<typeof EnrollRequestSchema>['step']) =>
    call.write(create(EnrollRequestSchema, step === undefined ? {} : { step }));
  const next = async () => (await answers.next()).value?.step;
  try {
    const right = { kubeNode, ekPublic: tpm.ek.public, ekCertificates: [] };
    const begin = changes.begin?.(right) ?? right;
    say({ case: 'begin', value: begin });
    const first = await next();
    if (first?.case !== 'nonce') throw new Error('no nonce');
    const nonce = Buffer.from(first.value.nonce);
    const keys = makeKeys(tpm, spkiSha256, nonce, changes);
    if (changes.skipKeys === true) say({ case: 'proof', value: { hmac: Buffer.alloc(32) } });
    else say({ case: 'keys', value: keys });
    const second = await next();
    if (second?.case !== 'challenge') throw new Error('no challenge');
    const idObject = Buffer.from(second.value.idObject);
    const encryptedSecret = Buffer.from(second.value.encryptedSecret);
    const secret = tpm.activate(idObject, encryptedSecret, changes.activateFor);
    const transcript = computeTranscript({ ...begin, nonce, ...keys, idObject, encryptedSecret });
    const hmac = computeProof(secret, transcript);
    say({ case: 'proof', value: { hmac: changes.proof?.(hmac) ?? hmac } });
    const third = await next();
    if (third?.case !== 'enrolled') throw new Error('not enrolled');
    return third.value;
  } finally {
    call.cancel();
  }
}

function makeKeys(tpm: SoftwareTpm, spki: string, nonce: Buffer, { keys: change }: EnrolmentChanges) {
  const { attest, signature } = tpm.certify(nonce);
  const right = {
    akPublic: tpm.ak.public,
    signingPublic: tpm.signing.public,
    certifyAttest: attest,
    certifySignature: signature,
    tlsSpkiSha256: Buffer.from(spki, 'hex'),
    rotationAttest: Buffer.alloc(0),
    rotationSignature: Buffer.alloc(0),
  };
  return change?.(right, nonce) ?? right;
}

type AttesterStep = MessageInitShape<typeof AttesterMessageSchema>['message'];
type VerifierStep = VerifierMessage['message'];
type EvidenceInit = Pick<Evidence, 'token'> & { blobs: { content: Buffer }[] };

/** The Attester's end of one conversation, driven step by step. */
export class AttestStream {
  readonly #call: ClientDuplexStream<
    ReturnType<typeof create<typeof AttestRequestSchema>>,
    { message?: VerifierMessage | undefined }
  >;
  readonly #answers: AsyncIterator<{ message?: VerifierMessage | undefined }>;

  constructor({ client }: DialledClient) {
    this.#call = openBidiStream(client, AttestationService.method.attest);
    this.#call.on('error', () => undefined);
    this.#answers = this.#call[Symbol.asyncIterator]();
  }

  /** Says hello and gives the first challenge. */
  async open(tpm: SoftwareTpm, kubeNode: string): Promise<Challenge> {
    this.say({ case: 'hello', value: { kubeNode, ueid: tpm.ueid, agentVersion: '0.1.0' } });
    const answer = await this.next();
    if (answer?.case !== 'challenge') throw new Error(`no challenge but ${answer?.case}`);
    return answer.value;
  }

  say(message: AttesterStep): void {
    this.#call.write(create(AttestRequestSchema, { message: message === undefined ? {} : { message } }));
  }

  /** The next message; rejects with grpc-js's ServiceError, undefined at the end. */
  async next(): Promise<VerifierStep | undefined> {
    return (await this.#answers.next()).value?.message?.message;
  }

  /** Sends a round with all that it names and gives the receipt. */
  async send(round: MadeRound): Promise<Receipt> {
    return await this.sendEvidence(createFullEvidence(round));
  }

  async sendEvidence(evidence: EvidenceInit): Promise<Receipt> {
    this.say({ case: 'evidence', value: evidence });
    const answer = await this.next();
    if (answer?.case !== 'receipt') throw new Error(`no receipt but ${answer?.case}`);
    return answer.value;
  }

  close(): void {
    this.#call.cancel();
  }
}
