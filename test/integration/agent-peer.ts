import { createHash, randomBytes } from 'node:crypto';
import { once } from 'node:events';
import { create, type MessageInitShape } from '@bufbuild/protobuf';
import { Server, ServerCredentials, type ServerDuplexStream, status } from '@grpc/grpc-js';
import {
  checkAkPublic,
  checkSigningPublic,
  computeAkQualifiedName,
  computeKid,
  computeName,
  computeTranscript,
  type EnrolledKeys,
  exportSigningJwk,
  makeCredential,
  parseBundle,
  parseClaimsSet,
  parsePublic,
  parseToken,
  publicToKeyObject,
  type SubmoduleName,
  type VerifiedToken,
  verifyCertify,
  verifyProof,
  verifyToken,
} from '@holdfast/evidence';
import {
  AttestationService,
  AttestationStatus,
  type AttesterMessage,
  type AttestRequest,
  type AttestResponse,
  AttestResponseSchema,
  createServiceDefinition,
  type EnrollRequest,
  type EnrollResponse,
  EnrollResponseSchema,
  type Evidence,
  RoundOutcome,
  type VerifierMessageSchema,
} from '@holdfast/proto';

/** One round as the peer saw it: verified, with all that came along. */
export interface SeenRound {
  token: VerifiedToken;
  sets: Map<SubmoduleName, Buffer>;
  blobs: Map<string, Buffer>;
  logs: Evidence['logs'];
  nonce: string;
}

export type AttesterStep = AttesterMessage['message'] | { case: undefined; value?: undefined };
export type VerifierStep = MessageInitShape<typeof VerifierMessageSchema>;
type Challenge = ReturnType<typeof makeCredential>;
type Enrolling = ServerDuplexStream<EnrollRequest, EnrollResponse>;
type Attesting = ServerDuplexStream<AttestRequest, AttestResponse>;

/**
 * The other end of Enroll and Attest, as small as it can be while it still checks everything that stands in a token.
 * It knows no policy and no store: it is there to test the agent without the verifier.
 */
export class AgentPeer {
  readonly rounds: SeenRound[] = [];
  readonly failures: unknown[] = [];
  enrolments = 0;
  keys: EnrolledKeys | undefined;
  /** Rounds that this peer refuses before it accepts any, with this code. */
  refuseNext: string[] = [];
  /** What the next enrolments get in the place of the right challenge, first one first. */
  bendNext: ((challenge: Challenge) => Challenge)[] = [];
  /** Digests (hex) that this peer asks for in every round where they did not come along. */
  needs: string[] = [];
  /** Told in the place of an answer to the next enrolment, which then hangs. */
  onHanging: (() => void) | undefined;
  /** Whether this peer asks for every container's claims-set and what that names. */
  isCurious = false;
  /** Everything that was ever sent or supplied, by digest. */
  readonly contents = new Map<string, Buffer>();
  #server: Server | undefined;
  #address = '127.0.0.1:0';
  readonly #waiting: (() => void)[] = [];

  get address(): string {
    return this.#address;
  }

  async listen(tls: { ca: Buffer; cert: Buffer; key: Buffer }): Promise<void> {
    const server = new Server({ 'grpc.max_receive_message_length': 16 * 1024 * 1024 });
    server.addService(createServiceDefinition(AttestationService), {
      enroll: (call: Enrolling) => this.#guard(call, this.#enrol(call)),
      attest: (call: Attesting) => this.#guard(call, this.#attest(call)),
    });
    const credentials = ServerCredentials.createSsl(tls.ca, [{ cert_chain: tls.cert, private_key: tls.key }], true);
    const port = await new Promise<number>((resolve, reject) => {
      server.bindAsync(this.#address, credentials, (error, bound) => (error ? reject(error) : resolve(bound)));
    });
    this.#address = `127.0.0.1:${port}`;
    this.#server = server;
  }

  close(): void {
    this.#server?.forceShutdown();
  }

  /** Settles when there are this many rounds. */
  async waitForRounds(count: number, timeoutMs = 20_000): Promise<SeenRound[]> {
    const end = Date.now() + timeoutMs;
    while (this.rounds.length < count) {
      if (Date.now() > end) throw new Error(`only ${this.rounds.length} rounds; failures: ${this.failures.join('; ')}`);
      const { promise, resolve } = Promise.withResolvers<void>();
      this.#waiting.push(resolve);
      const timer = setTimeout(resolve, 500);
      await promise;
      clearTimeout(timer);
    }
    return this.rounds;
  }

  #guard(call: Enrolling | Attesting, work: Promise<void>): void {
    call.on('error', () => undefined);
    work.then(
      () => call.end(),
      (error: unknown) => {
        if (call.cancelled) return;
        this.failures.push(error);
        call.emit('error', { code: status.UNAUTHENTICATED, details: String(error) });
      },
    );
  }

  async #enrol(call: Enrolling): Promise<void> {
    const steps: AsyncIterator<EnrollRequest> = call[Symbol.asyncIterator]();
    const next = async (): Promise<EnrollRequest['step']> => (await steps.next()).value?.step ?? { case: undefined };
    const answer = (step: MessageInitShape<typeof EnrollResponseSchema>) =>
      call.write(create(EnrollResponseSchema, step));
    const begin = await next();
    if (begin.case !== 'begin') throw new Error('no begin');
    if (this.onHanging !== undefined) {
      this.onHanging();
      await once(call, 'cancelled');
      return;
    }
    const ek = parsePublic(begin.value.ekPublic);
    const nonce = randomBytes(32);
    answer({ step: { case: 'nonce', value: { nonce } } });
    const offered = await next();
    if (offered.case !== 'keys') throw new Error('no keys');
    const { akPublic, signingPublic, certifyAttest, certifySignature, tlsSpkiSha256 } = offered.value;
    const [ak, signing] = [parsePublic(akPublic), parsePublic(signingPublic)];
    checkAkPublic(ak);
    checkSigningPublic(signing);
    verifyCertify(
      { attest: certifyAttest, signature: certifySignature },
      {
        key: publicToKeyObject(ak),
        qualifyingData: nonce,
        name: computeName(signing),
        qualifiedSigner: computeAkQualifiedName(computeName(ek), ek.nameAlgorithm, ak),
      },
    );
    const secret = randomBytes(32);
    const credential = makeCredential({ ekPublic: ek, name: computeName(ak), secret, random: randomBytes });
    const bend = this.bendNext.shift();
    answer({ step: { case: 'challenge', value: bend?.(credential) ?? credential } });
    const proof = await next();
    if (proof.case !== 'proof') throw new Error('no proof');
    const { kubeNode, ekPublic, ekCertificates } = begin.value;
    const { rotationAttest, rotationSignature } = offered.value;
    const certified = { certifyAttest, certifySignature, rotationAttest, rotationSignature };
    const keys = { akPublic, signingPublic, ...certified, tlsSpkiSha256 };
    const transcript = computeTranscript({ kubeNode, ekPublic, ekCertificates, nonce, ...keys, ...credential });
    verifyProof(secret, transcript, proof.value.hmac);
    this.keys = { signingKey: publicToKeyObject(signing), akPublic: ak.encoded, ekName: computeName(ek) };
    this.enrolments += 1;
    answer({
      step: {
        case: 'enrolled',
        value: { certificates: [], kid: computeKid(exportSigningJwk(publicToKeyObject(signing))) },
      },
    });
  }

  async #attest(call: Attesting): Promise<void> {
    const messages: AsyncIterator<AttestRequest> = call[Symbol.asyncIterator]();
    const next = async (): Promise<AttesterStep> =>
      (await messages.next()).value?.message?.message ?? { case: undefined };
    const say = (message: VerifierStep) => call.write(create(AttestResponseSchema, { message }));
    await this.converse(next, say);
  }

  /** The Verifier's side of a conversation, to its end. */
  async converse(next: () => Promise<AttesterStep>, say: (message: VerifierStep) => unknown): Promise<void> {
    const hello = await next();
    if (hello.case !== 'hello') throw new Error('no hello');
    let nonce = newNonce();
    say({ message: { case: 'challenge', value: challengeOf(nonce) } });
    for (let message = await next(); message.case !== undefined; message = await next()) {
      if (message.case !== 'evidence') throw new Error(`${message.case} out of order`);
      const round = await this.#take(message.value, nonce, next, say);
      const evidenceId = Buffer.from(round.token.evidenceId, 'hex');
      nonce = newNonce();
      const code = this.refuseNext.shift();
      const outcome = code === undefined ? RoundOutcome.APPRAISED : RoundOutcome.REFUSED;
      say({
        message: {
          case: 'receipt',
          value: { evidenceId, outcome, code: code ?? '', next: challengeOf(nonce), status: AttestationStatus.WARNING },
        },
      });
      if (code === undefined) this.rounds.push(round);
      for (const resolve of this.#waiting.splice(0)) resolve();
    }
  }
  #listNamed(id: string, digest: string): string[] {
    const set = this.contents.get(digest);
    if (set === undefined) return [];
    const { inventory, baseline, drift } = parseClaimsSet(set, 'container', id);
    return [inventory, baseline, drift].flatMap((ref) => ref?.sha256 ?? []);
  }

  async #take(
    evidence: Evidence,
    nonce: string,
    next: () => Promise<AttesterStep>,
    say: (message: VerifierStep) => unknown,
  ): Promise<SeenRound> {
    if (this.keys === undefined) throw new Error('not enrolled');
    const bundle = evidence.token.case === 'bundle' ? parseBundle(evidence.token.value) : undefined;
    const unverified = bundle?.token ?? parseToken(evidence.token.value?.toString() ?? '');
    const token = verifyToken(unverified, this.keys);
    const sets = new Map(this.rounds.at(-1)?.sets ?? []);
    for (const [name, bytes] of bundle?.sets ?? []) sets.set(name, bytes);
    const blobs = new Map(evidence.blobs.map(({ content }) => [sha256(content), Buffer.from(content)]));
    const evidenceId = Buffer.from(token.evidenceId, 'hex');
    const ask = async (wanted: readonly string[]): Promise<void> => {
      for (const [digest, bytes] of blobs) this.contents.set(digest, bytes);
      const missing = wanted.filter((digest) => !blobs.has(digest));
      if (missing.length === 0) return;
      say({ message: { case: 'need', value: { evidenceId, digests: missing.map((hex) => Buffer.from(hex, 'hex')) } } });
      const supply = await next();
      if (supply.case !== 'supply') throw new Error('no supply');
      for (const { content } of supply.value.blobs) {
        blobs.set(sha256(content), Buffer.from(content));
        this.contents.set(sha256(content), Buffer.from(content));
      }
    };
    await ask(this.needs);
    const index = sets.get('containers');
    // Evidence from before the first conversation comes without claims-sets: there is nothing to be curious about.
    if (this.isCurious && index !== undefined) {
      const { containers } = parseClaimsSet(index, 'containers');
      const isNew = (digest: string) => !this.contents.has(digest);
      await ask(Object.values(containers).filter(isNew));
      const named = Object.entries(containers).flatMap(([id, digest]) => this.#listNamed(id, digest));
      await ask(named.filter(isNew));
    }
    return { token, sets, blobs, logs: evidence.logs, nonce };
  }
}

function newNonce(): string {
  return randomBytes(32).toString('base64url');
}

function challengeOf(nonce: string) {
  return { nonce, expiresAt: { seconds: BigInt(Math.floor(Date.now() / 1000) + 60), nanos: 0 } };
}

function sha256(bytes: Uint8Array): string {
  return createHash('sha256').update(bytes).digest('hex');
}
