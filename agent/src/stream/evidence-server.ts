import { X509Certificate } from 'node:crypto';
import { create, type DescMessage, fromBinary, type MessageShape, toBinary } from '@bufbuild/protobuf';
import { Server, type ServerDuplexStream, type ServerWritableStream, status } from '@grpc/grpc-js';
import {
  EvidenceService,
  GetSnapshotRequestSchema,
  GetSnapshotResponseSchema,
  SubscribeRequestSchema,
  SubscribeResponseSchema,
  type VerifierMessage,
} from '@holdfast/proto';
import { AgentError } from '../agent-error.ts';
import type { Clock } from '../clock.ts';
import { createAgentServerCredentials } from '../tls/channel-credentials.ts';
import { type Peer, type PeerRole, readPeer } from '../tls/peer.ts';
import type { TlsIdentity } from '../tls/tls-files-source.ts';
import { CallRefused, toCallStatus } from './call-refused.ts';
import type { ConversationHub } from './conversation-hub.ts';
import { addHealthService } from './health-service.ts';
import { writeMessage } from './message-stream.ts';
import { PeerLimits } from './peer-limits.ts';

export interface EvidenceServerDeps {
  listen: string;
  tls: TlsIdentity;
  hub: ConversationHub;
  clock: Clock;
  /** Whether receipts of subscribers empty the spool: where no Verifier is dialled. */
  subscribersConfirm: boolean;
  /** The bytes of one snapshot file for this nonce. */
  makeSnapshot(nonce: string): Promise<Buffer>;
  /** Told of failures that are the agent's own. */
  onFailure(method: string, error: unknown): void;
  onPeer(event: 'subscribed' | 'unsubscribed' | 'snapshot' | 'refused', peer: string): void;
}

/** A server that listens. */
export interface ListeningServer {
  readonly listenAddress: string;
  close(): Promise<void>;
}

type BytesWriter = ServerWritableStream<Buffer, Buffer>;
type BytesDuplex = ServerDuplexStream<Buffer, Buffer>;

const CHUNK_BYTES = 256 * 1024;
const GRACE_MS = 2_000;
const NONCE = /^[A-Za-z0-9_-]{43,88}$/;
/** One token answers 16 challenges at most, the dialled Verifier's among them. */
const SUBSCRIBE_LIMITS = { maxCalls: 15, maxCallsPerPeer: 2, perSecond: 0.5, burst: 10 };
const SNAPSHOT_LIMITS = { maxCalls: 2, maxCallsPerPeer: 1, perSecond: 0.5, burst: 5 };
const SERVER_OPTIONS = {
  'grpc.max_receive_message_length': 4 * 1024 * 1024,
  'grpc.max_send_message_length': 64 * 1024 * 1024,
  'grpc.max_concurrent_streams': 32,
  'grpc.keepalive_time_ms': 30_000,
  'grpc.keepalive_timeout_ms': 10_000,
  'grpc.enable_channelz': 0,
};

/**
 * Serves `EvidenceService` and the standard health service over TLS with client certificates: `Subscribe` for the role
 * `verifier`, `GetSnapshot` for the role `responder`. Role and limits are checked before a request is parsed.
 *
 * Throws `AgentError` ERR_AGENT_LISTEN when the address cannot be used.
 */
export async function startEvidenceServer(deps: EvidenceServerDeps): Promise<ListeningServer> {
  const server = new Server(SERVER_OPTIONS);
  let isClosing = false;
  addEvidenceService(server, deps);
  addHealthService(server, EvidenceService.typeName, () => !isClosing);
  const port = await bind(server, deps);
  return {
    listenAddress: deps.listen.replace(/:\d+$/, `:${port}`),
    close: async () => {
      isClosing = true;
      await shutDown(server);
    },
  };
}

function addEvidenceService(server: Server, deps: EvidenceServerDeps): void {
  const limits = {
    subscribe: new PeerLimits(deps.clock, SUBSCRIBE_LIMITS),
    snapshot: new PeerLimits(deps.clock, SNAPSHOT_LIMITS),
  };
  const codec = (bytes: Buffer) => bytes;
  const codecs = {
    responseStream: true,
    requestSerialize: codec,
    requestDeserialize: codec,
    responseSerialize: codec,
    responseDeserialize: codec,
  };
  const path = `/${EvidenceService.typeName}/`;
  server.addService(
    {
      subscribe: { path: `${path}Subscribe`, requestStream: true, ...codecs },
      getSnapshot: { path: `${path}GetSnapshot`, requestStream: false, ...codecs },
    },
    {
      subscribe: (call: BytesDuplex) =>
        serve(call, 'Subscribe', 'verifier', limits.subscribe, deps, () => converse(call, deps)),
      getSnapshot: (call: BytesWriter) =>
        serve(call, 'GetSnapshot', 'responder', limits.snapshot, deps, (peer) => sendSnapshot(call, peer, deps)),
    },
  );
}

/** The outermost frame of a call: role, limits, work, status; nothing is thrown past it. */
function serve(
  call: BytesWriter | BytesDuplex,
  method: string,
  role: PeerRole,
  limits: PeerLimits,
  deps: EvidenceServerDeps,
  work: (peer: Peer) => Promise<void>,
): void {
  let isAnswered = false;
  call.once('error', () => {
    isAnswered = true;
  });
  call.on('error', () => undefined);
  const run = async (): Promise<void> => {
    const peer = admit(call, role, deps);
    const leave = limits.enter(peer.spkiSha256);
    if (leave === undefined) throw new CallRefused(status.RESOURCE_EXHAUSTED, 'too many calls; try again later');
    try {
      if (method === 'Subscribe') deps.onPeer('subscribed', peer.spkiSha256);
      await work(peer);
    } finally {
      leave();
      if (method === 'Subscribe') deps.onPeer('unsubscribed', peer.spkiSha256);
    }
  };
  run().then(
    () => call.end(),
    (error: unknown) => {
      if (call.cancelled || isAnswered) return;
      const answer = toCallStatus(error);
      if (answer.code === status.INTERNAL || answer.code === status.UNAVAILABLE) deps.onFailure(method, error);
      call.emit('error', answer);
    },
  );
}

function admit(call: BytesWriter | BytesDuplex, role: PeerRole, deps: EvidenceServerDeps): Peer {
  const certificate = call.getAuthContext().sslPeerCertificate;
  const peer = certificate && readPeer(new X509Certificate(certificate.raw));
  if (peer?.roles.has(role)) return peer;
  deps.onPeer('refused', peer?.spkiSha256 ?? '');
  throw new CallRefused(status.PERMISSION_DENIED, `this call needs a client certificate with the role ${role}`);
}

async function converse(call: BytesDuplex, { hub, subscribersConfirm }: EvidenceServerDeps): Promise<void> {
  await hub.converse({
    confirms: subscribersConfirm,
    stream: {
      messages: readMessages(call),
      send: (message) =>
        writeMessage(call, encode(SubscribeResponseSchema, create(SubscribeResponseSchema, { message }))),
      abort: (reason) => call.emit('error', toCallStatus(reason)),
    },
  });
}

async function* readMessages(call: BytesDuplex): AsyncGenerator<VerifierMessage> {
  const chunks: AsyncIterable<unknown> = call.iterator({ destroyOnReturn: false });
  for await (const bytes of chunks) {
    const { message } = decode(SubscribeRequestSchema, bytes);
    if (message === undefined) throw new CallRefused(status.INVALID_ARGUMENT, 'the message is empty');
    yield message;
  }
}

async function sendSnapshot(call: BytesWriter, peer: Peer, deps: EvidenceServerDeps): Promise<void> {
  const { nonce } = decode(GetSnapshotRequestSchema, call.request);
  if (!NONCE.test(nonce) || Buffer.from(nonce, 'base64url').toString('base64url') !== nonce) {
    throw new CallRefused(status.INVALID_ARGUMENT, 'the nonce must be 43 to 88 characters of base64url');
  }
  deps.onPeer('snapshot', peer.spkiSha256);
  const file = await deps.makeSnapshot(nonce);
  for (let at = 0; at < file.length && !call.cancelled; at += CHUNK_BYTES) {
    const chunk = file.subarray(at, at + CHUNK_BYTES);
    await writeMessage(call, encode(GetSnapshotResponseSchema, create(GetSnapshotResponseSchema, { chunk })));
  }
}

function encode<D extends DescMessage>(schema: D, message: MessageShape<D>): Buffer {
  return Buffer.from(toBinary(schema, message));
}

function decode<D extends DescMessage>(schema: D, bytes: unknown): MessageShape<D> {
  if (!(bytes instanceof Uint8Array)) throw new TypeError('a raw request is bytes');
  try {
    return fromBinary(schema, bytes, { readUnknownFields: false });
  } catch {
    throw new CallRefused(status.INVALID_ARGUMENT, `the message is no ${schema.typeName}`);
  }
}

function bind(server: Server, { listen, tls }: EvidenceServerDeps): Promise<number> {
  return new Promise((resolve, reject) => {
    server.bindAsync(listen, createAgentServerCredentials(tls), (error, port) => {
      if (error === null) return resolve(port);
      server.forceShutdown();
      const isBusy = /EADDRINUSE|in use/i.test(error.message);
      const reason = isBusy ? 'another program uses it; choose another with "listen"' : error.message;
      return reject(new AgentError('ERR_AGENT_LISTEN', `cannot listen on ${listen}: ${reason}`, { cause: error }));
    });
  });
}

async function shutDown(server: Server): Promise<void> {
  const { promise, resolve } = Promise.withResolvers<void>();
  const timer = setTimeout(() => {
    server.forceShutdown();
    resolve();
  }, GRACE_MS);
  server.tryShutdown(() => resolve());
  await promise;
  clearTimeout(timer);
}
