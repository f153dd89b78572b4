import { create } from '@bufbuild/protobuf';
import { Client, type ClientDuplexStream } from '@grpc/grpc-js';
import {
  AttestationService,
  type AttestRequest,
  AttestRequestSchema,
  type AttestResponse,
  type EnrollRequest,
  type EnrollResponse,
  openBidiStream,
  type Receipt,
  RoundOutcome,
  type VerifierMessage,
} from '@holdfast/proto';
import { AgentError } from '../agent-error.ts';
import type { Clock } from '../clock.ts';
import type { EnrolmentPort } from '../enrolment/enrol.ts';
import type { Enroller } from '../enrolment/enroller.ts';
import { createVerifierCredentials } from '../tls/channel-credentials.ts';
import type { TlsIdentity } from '../tls/tls-files-source.ts';
import type { ConversationHub } from './conversation-hub.ts';
import { describeFailure, type GrpcFailure } from './grpc-failure.ts';
import { type MessageStream, writeMessage } from './message-stream.ts';
import { renewLater } from './renew-later.ts';

export interface AttestClientDeps {
  address: string;
  tls: TlsIdentity;
  hub: ConversationHub;
  /** Undefined without a TPM: there is nothing to enrol. */
  enroller: Enroller | undefined;
  clock: Clock;
  random(): number;
  onConnected(): void;
  /** The conversation ended or could not begin; it is tried again after `retryMs`. */
  onDisconnected(failure: GrpcFailure | undefined, retryMs: number): void;
  onReceipt(receipt: Receipt): void;
}

const FIRST_BACKOFF_MS = 500;
const MAX_BACKOFF_MS = 20_000;
const ENROL_DEADLINE_MS = 180_000;
/** Refusals and statuses by which a Verifier says that it does not know these keys. */
const UNKNOWN_KEY_CODES = new Set([
  'ERR_VERIFIER_NOT_ENROLLED',
  'ERR_VERIFIER_UNKNOWN_KEY',
  'ERR_VERIFIER_CERTIFICATE_EXPIRED',
  'ERR_EVIDENCE_KEY',
]);
const CHANNEL_OPTIONS = {
  'grpc.keepalive_time_ms': 20_000,
  'grpc.keepalive_timeout_ms': 10_000,
  'grpc.keepalive_permit_without_calls': 0,
  'grpc.max_receive_message_length': 4 * 1024 * 1024,
  'grpc.max_send_message_length': 64 * 1024 * 1024,
  'grpc.enable_retries': 0,
  'grpc.use_local_subchannel_pool': 1,
  'grpc.enable_channelz': 0,
};

/**
 * Dials the Verifier for as long as the agent runs: enrols where there is need, carries the conversation of `Attest`, and
 * begins again when it ends, after a pause that grows with each failure and is spread by chance, so that a Verifier's
 * restart is no stampede.
 */
export class AttestClient {
  readonly #deps: AttestClientDeps;
  readonly #stop = new AbortController();
  #failures = 0;
  #done: Promise<void> | undefined;

  constructor(deps: AttestClientDeps) {
    this.#deps = deps;
  }

  start(): void {
    this.#done ??= this.#run();
  }

  async close(): Promise<void> {
    this.#stop.abort();
    await this.#done;
  }

  async #run(): Promise<void> {
    while (!this.#stop.signal.aborted) {
      const failure = await this.#attempt();
      if (this.#stop.signal.aborted) return;
      const limitMs = Math.min(MAX_BACKOFF_MS, FIRST_BACKOFF_MS * 2 ** this.#failures);
      this.#failures += 1;
      const retryMs = Math.round(limitMs * (0.5 + this.#deps.random() / 2));
      this.#deps.onDisconnected(failure, retryMs);
      await this.#pause(retryMs);
    }
  }

  async #attempt(): Promise<GrpcFailure | undefined> {
    const { address, tls, enroller } = this.#deps;
    const client = new Client(address, createVerifierCredentials(tls), CHANNEL_OPTIONS);
    const close = () => client.close();
    this.#stop.signal.addEventListener('abort', close);
    try {
      await enroller?.ensure(() => openEnrolment(client, this.#stop.signal));
      await this.#converse(client);
      return undefined;
    } catch (error) {
      const failure = describeFailure(error);
      if (failure.status === 'UNAUTHENTICATED' || error instanceof UnknownKey) enroller?.forget();
      return failure;
    } finally {
      this.#stop.signal.removeEventListener('abort', close);
      client.close();
    }
  }

  async #converse(client: Client): Promise<void> {
    const call = openBidiStream(client, AttestationService.method.attest);
    ignoreErrorEvent(call);
    const abort = () => call.cancel();
    this.#stop.signal.addEventListener('abort', abort);
    const cancelRenewal = this.#renewLater(client);
    try {
      const stream = createCallStream(call, () => this.#deps.onConnected());
      const onReceipt = (receipt: Receipt) => this.#takeReceipt(receipt);
      await this.#deps.hub.converse({ stream, confirms: true, onReceipt });
    } finally {
      cancelRenewal();
      this.#stop.signal.removeEventListener('abort', abort);
      call.cancel();
    }
  }

  #takeReceipt(receipt: Receipt): void {
    const isAppraised = receipt.outcome === RoundOutcome.APPRAISED;
    if (isAppraised) this.#failures = 0;
    this.#deps.onReceipt(receipt);
    // The evidence stays unconfirmed: it is sent again after the enrolment.
    if (!isAppraised && UNKNOWN_KEY_CODES.has(receipt.code)) throw new UnknownKey();
  }

  /** Renews the certificates while the conversation goes on. */
  #renewLater(client: Client): () => void {
    const { enroller, clock } = this.#deps;
    if (enroller === undefined) return () => undefined;
    return renewLater({
      clock,
      readRenewalInMs: () => enroller.renewalInMs,
      ensure: () => enroller.ensure(() => openEnrolment(client, this.#stop.signal)),
    });
  }

  async #pause(delayMs: number): Promise<void> {
    const { promise, resolve } = Promise.withResolvers<void>();
    const cancel = this.#deps.clock.setTimer(delayMs, resolve);
    const stop = () => resolve();
    this.#stop.signal.addEventListener('abort', stop);
    await promise;
    this.#stop.signal.removeEventListener('abort', stop);
    cancel();
  }
}

class UnknownKey extends AgentError {
  constructor() {
    super('ERR_AGENT_ENROLMENT', 'the verifier does not know the keys of this agent');
  }
}

function createCallStream(call: ClientDuplexStream<AttestRequest, AttestResponse>, onFirst: () => void): MessageStream {
  return {
    messages: readMessages(call, onFirst),
    send: (message) => writeMessage(call, create(AttestRequestSchema, { message })),
    abort: () => call.cancel(),
  };
}

async function* readMessages(
  call: AsyncIterable<AttestResponse>,
  onFirst: () => void,
): AsyncGenerator<VerifierMessage> {
  let isFirst = true;
  for await (const { message } of call) {
    if (isFirst) onFirst();
    isFirst = false;
    if (message === undefined) throw new AgentError('ERR_AGENT_CONVERSATION', 'the verifier sent an empty message');
    yield message;
  }
}

function openEnrolment(client: Client, stop: AbortSignal): EnrolmentPort {
  const call: ClientDuplexStream<EnrollRequest, EnrollResponse> = openBidiStream(
    client,
    AttestationService.method.enroll,
    { deadline: Date.now() + ENROL_DEADLINE_MS },
  );
  ignoreErrorEvent(call);
  const cancel = () => call.cancel();
  stop.addEventListener('abort', cancel);
  if (stop.aborted) cancel();
  const answers: AsyncIterator<EnrollResponse> = call[Symbol.asyncIterator]();
  return {
    send: (request) => writeMessage(call, request),
    receive: async () => {
      const result = await answers.next();
      if (result.done === true) throw new AgentError('ERR_AGENT_ENROLMENT', 'the verifier ended the enrolment early');
      return result.value;
    },
    close: () => {
      stop.removeEventListener('abort', cancel);
      cancel();
    },
  };
}

/** Errors come out of the iteration; the event of a call that nobody iterates any more would end the process. */
function ignoreErrorEvent(call: { on(event: 'error', listener: () => void): unknown }): void {
  call.on('error', () => undefined);
}
