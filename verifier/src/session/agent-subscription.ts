import { randomBytes } from 'node:crypto';
import { create } from '@bufbuild/protobuf';
import { Client, type ClientDuplexStream, credentials } from '@grpc/grpc-js';
import {
  type AttesterMessage,
  EvidenceService,
  openBidiStream,
  openServerStream,
  parseSnapshotFile,
  type Snapshot,
  type SubscribeRequest,
  SubscribeRequestSchema,
  type SubscribeResponse,
  type VerifierMessage,
} from '@holdfast/proto';
import type { AdoptionRequest } from '../enrolment/adopt-enrolment.ts';
import { createMessagePort, type MessagePort } from '../server/message-port.ts';
import { readPeer, requireRole } from '../server/peer.ts';
import type { TlsFiles } from '../server/tls-source.ts';
import { VerifierError } from '../verifier-error.ts';

export interface AgentSubscriptionDeps {
  /** host:port of the agent. */
  readonly address: string;
  readonly tls: TlsFiles;
  readonly maxMessageBytes: number;
  readonly converse: (port: MessagePort<AttesterMessage, VerifierMessage>, adopt: () => Promise<void>) => Promise<void>;
  /** Takes over the enrolment of who holds the conversation, from a snapshot that answers the nonce. */
  readonly adopt: (snapshot: Snapshot, request: AdoptionRequest) => void;
  /** Hears of each end of a conversation, and when the next attempt is made. */
  readonly onEnded: (error: unknown, retryMs: number) => void;
  /** Between 0 and 1. */
  readonly random: () => number;
}

/** An agent that is dialled for as long as the verifier runs. */
export interface AgentSubscription {
  close(): Promise<void>;
}

const FIRST_RETRY_MS = 500;
const MAX_RETRY_MS = 60_000;
/** A conversation that held for this long was a good one. */
const GOOD_MS = 60_000;
const MAX_SNAPSHOT_BYTES = 256 * 1024 * 1024;
const SNAPSHOT_DEADLINE_MS = 120_000;

/**
 * Dials an agent's EvidenceService and carries the conversation as a verifier, again and again with growing pauses. An
 * agent that is enrolled with another verifier alone is taken over by the certificates in a snapshot, which needs the
 * role `responder` in this verifier's certificate beside `verifier`.
 */
export function startAgentSubscription(deps: AgentSubscriptionDeps): AgentSubscription {
  const stop = new AbortController();
  const done = run(deps, stop.signal);
  return {
    close: async () => {
      stop.abort();
      await done;
    },
  };
}

async function run(deps: AgentSubscriptionDeps, signal: AbortSignal): Promise<void> {
  let failures = 0;
  while (!signal.aborted) {
    const beganMs = performance.now();
    const error = await attempt(deps, signal).catch((caught: unknown) => caught);
    if (signal.aborted) return;
    failures = performance.now() - beganMs > GOOD_MS ? 0 : failures + 1;
    const limitMs = Math.min(MAX_RETRY_MS, FIRST_RETRY_MS * 2 ** failures);
    const retryMs = Math.round(limitMs * (0.5 + deps.random() / 2));
    deps.onEnded(error, retryMs);
    await pause(retryMs, signal);
  }
}

async function attempt(deps: AgentSubscriptionDeps, signal: AbortSignal): Promise<void> {
  const client = createClient(deps);
  try {
    const first: Peer = { ueid: '', tlsSpki: '' };
    await converseOnce(client, first, deps, signal).catch(async (error: unknown) => {
      if (!needsAdoption(error)) throw error;
      await adopt(client, first, deps);
      await converseOnce(client, { ueid: '', tlsSpki: '' }, deps, signal);
    });
  } finally {
    client.close();
  }
}

function needsAdoption(error: unknown): boolean {
  if (!(error instanceof VerifierError)) return false;
  return error.code === 'ERR_VERIFIER_NOT_ENROLLED' || error.code === 'ERR_VERIFIER_CERTIFICATE_EXPIRED';
}

function createClient({ address, tls, maxMessageBytes }: AgentSubscriptionDeps): Client {
  const channel = credentials.createSsl(tls.ca, tls.key, tls.cert);
  return new Client(address, channel, {
    'grpc.max_receive_message_length': maxMessageBytes,
    'grpc.max_send_message_length': maxMessageBytes,
    'grpc.keepalive_time_ms': 20_000,
    'grpc.keepalive_timeout_ms': 10_000,
    'grpc.enable_retries': 0,
    'grpc.use_local_subchannel_pool': 1,
    'grpc.enable_channelz': 0,
  });
}

/** Who holds a conversation: empty until it is known. */
interface Peer {
  ueid: string;
  tlsSpki: string;
}

async function converseOnce(
  client: Client,
  peer: Peer,
  deps: AgentSubscriptionDeps,
  signal: AbortSignal,
): Promise<void> {
  const call = openBidiStream(client, EvidenceService.method.subscribe);
  // Errors come out of the iteration; without a listener the event would end the process.
  call.on('error', () => undefined);
  const cancel = (): void => call.cancel();
  signal.addEventListener('abort', cancel);
  try {
    await deps.converse(createAgentPort(call, peer, signal), async () => await adopt(client, peer, deps));
  } finally {
    signal.removeEventListener('abort', cancel);
    cancel();
  }
}

function createAgentPort(
  call: ClientDuplexStream<SubscribeRequest, SubscribeResponse>,
  peer: Peer,
  signal: AbortSignal,
): MessagePort<AttesterMessage, VerifierMessage> {
  const inner = createMessagePort<SubscribeResponse, SubscribeResponse, SubscribeRequest>(call, {
    peerSpki: '',
    signal,
    decode: (message) => message,
  });
  return {
    get peerSpki() {
      return peer.tlsSpki;
    },
    identify: (name) => inner.identify(name),
    receive: async (timeoutMs) => {
      const received = await inner.receive(timeoutMs);
      if (received === undefined || received === 'timeout') return received;
      if (peer.tlsSpki === '') peer.tlsSpki = readAgentKey(call);
      const { message } = received;
      if (message === undefined) throw new VerifierError('ERR_VERIFIER_MESSAGE', 'the message is empty');
      if (peer.ueid === '' && message.message.case === 'hello') peer.ueid = message.message.value.ueid;
      return message;
    },
    send: async (message) => await inner.send(create(SubscribeRequestSchema, { message })),
  };
}

function readAgentKey(call: ClientDuplexStream<SubscribeRequest, SubscribeResponse>): string {
  const certificate = call.getAuthContext()?.sslPeerCertificate;
  if (certificate === undefined) throw new VerifierError('ERR_VERIFIER_ROLE', 'the agent shows no certificate');
  const peer = readPeer(certificate.raw);
  requireRole(peer, ['agent']);
  return peer.spkiSha256;
}

async function adopt(client: Client, { ueid, tlsSpki }: Peer, deps: AgentSubscriptionDeps): Promise<void> {
  const nonce = randomBytes(32).toString('base64url');
  deps.adopt(await pullSnapshot(client, nonce), { ueid, peerSpki: tlsSpki, nonce });
}

async function pullSnapshot(client: Client, nonce: string): Promise<Snapshot> {
  const options = { deadline: Date.now() + SNAPSHOT_DEADLINE_MS };
  const chunks: Uint8Array[] = [];
  let total = 0;
  const answers: AsyncIterable<{ chunk: Uint8Array }> = openServerStream(
    client,
    EvidenceService.method.getSnapshot,
    { nonce },
    options,
  );
  for await (const { chunk } of answers) {
    total += chunk.length;
    if (total > MAX_SNAPSHOT_BYTES) throw new VerifierError('ERR_VERIFIER_LIMIT', 'the snapshot is too long');
    chunks.push(chunk);
  }
  return parseSnapshotFile(Buffer.concat(chunks));
}

async function pause(delayMs: number, signal: AbortSignal): Promise<void> {
  const { promise, resolve } = Promise.withResolvers<void>();
  const timer = setTimeout(resolve, delayMs);
  const stop = (): void => resolve();
  signal.addEventListener('abort', stop);
  await promise;
  signal.removeEventListener('abort', stop);
  clearTimeout(timer);
}
