import {
  type DescMessage,
  type DescMethodBiDiStreaming,
  type DescMethodServerStreaming,
  type DescMethodUnary,
  type DescService,
  fromBinary,
  type Message,
  type MessageShape,
  toBinary,
} from '@bufbuild/protobuf';
import type {
  ServerDuplexStream,
  ServerUnaryCall,
  ServerWritableStream,
  ServiceDefinition,
  sendUnaryData,
  UntypedHandleCall,
} from '@grpc/grpc-js';
import { VerifierError } from '../verifier-error.ts';
import { createMessagePort, type MessagePort } from './message-port.ts';
import { type Peer, type PeerRole, readPeer, requireRole } from './peer.ts';
import { type Gate, type Place, type RateLimiter, takePlace } from './rate-limiter.ts';
import { isInternal, toStatus } from './status.ts';
import { waitForDrain } from './wait-for-drain.ts';

/** What every call goes through before its message is looked at. */
export interface Guard {
  readonly messages: RateLimiter;
  readonly streams: Gate;
  /** Hears of errors that are the verifier's own fault. */
  readonly onError: (error: unknown, method: string) => void;
  /** Ends streams when the verifier ends. */
  readonly signal: AbortSignal;
}

/** One method with its implementation. */
export interface Route {
  readonly name: string;
  readonly handle: UntypedHandleCall;
}

type AnyCall =
  | ServerUnaryCall<Buffer, Message>
  | ServerWritableStream<Buffer, Message>
  | ServerDuplexStream<Buffer, Message>;

/**
 * The grpc-js definition of the methods of a service that are served here. Requests arrive as bytes: the guard decides
 * about role and rate before anything is parsed, and what does not parse is INVALID_ARGUMENT.
 */
export function createRawDefinition(service: DescService, routes: readonly Route[]): ServiceDefinition {
  const served = service.methods.filter((method) => routes.some((route) => route.name === method.localName));
  const entries = served.map((method) => [
    method.localName,
    {
      path: `/${service.typeName}/${method.name}`,
      requestStream: method.methodKind === 'client_streaming' || method.methodKind === 'bidi_streaming',
      responseStream: method.methodKind === 'server_streaming' || method.methodKind === 'bidi_streaming',
      requestSerialize: (bytes: Buffer) => bytes,
      requestDeserialize: (bytes: Buffer) => bytes,
      responseSerialize: (message: Message) => Buffer.from(toBinary(method.output, message)),
      responseDeserialize: (bytes: Buffer) => fromBinary(method.output, bytes),
    },
  ]);
  return Object.fromEntries(entries);
}

/** A method with one request and one answer. */
export function createUnaryRoute<I extends DescMessage, O extends DescMessage>(
  method: DescMethodUnary<I, O>,
  roles: readonly PeerRole[],
  guard: Guard,
  answer: (request: MessageShape<I>, peer: Peer) => MessageShape<O>,
): Route {
  const handle = (call: ServerUnaryCall<Buffer, Message>, done: sendUnaryData<Message>): void => {
    try {
      const peer = admit(call, roles, guard);
      done(null, answer(decode(method.input, call.request), peer));
    } catch (error) {
      report(error, method.name, guard);
      done(toStatus(error));
    }
  };
  return { name: method.localName, handle };
}

/** A method with one request and a stream of answers; `signal` of the answer ends with the call. */
export function createServerStreamRoute<I extends DescMessage, O extends DescMessage>(
  method: DescMethodServerStreaming<I, O>,
  roles: readonly PeerRole[],
  guard: Guard,
  answer: (request: MessageShape<I>, signal: AbortSignal) => AsyncIterable<MessageShape<O>>,
): Route {
  const serve = async (call: ServerWritableStream<Buffer, Message>): Promise<void> => {
    await holdStream(call, roles, guard, async ({ signal }) => {
      for await (const message of answer(decode(method.input, call.request), signal)) {
        if (signal.aborted) return;
        if (!call.write(message)) await waitForDrain(call, signal);
      }
    });
  };
  return {
    name: method.localName,
    handle: (call: ServerWritableStream<Buffer, Message>) => finish(call, serve(call), method.name, guard),
  };
}

/** A method with streams both ways. */
export function createBidiRoute<I extends DescMessage, O extends DescMessage>(
  method: DescMethodBiDiStreaming<I, O>,
  roles: readonly PeerRole[],
  guard: Guard,
  converse: (port: MessagePort<MessageShape<I>, MessageShape<O>>) => Promise<void>,
): Route {
  const serve = async (call: ServerDuplexStream<Buffer, MessageShape<O>>): Promise<void> => {
    await holdStream(call, roles, guard, async ({ peer: { spkiSha256 }, place, signal }) => {
      const port = createMessagePort<Buffer, MessageShape<I>, MessageShape<O>>(call, {
        peerSpki: spkiSha256,
        signal,
        identify: (name) => {
          if (!place.move(`${spkiSha256}/${name}`)) throw placeError();
        },
        decode: (bytes) => {
          if (!guard.messages.take(place.key)) throw rateError();
          return decode(method.input, bytes);
        },
      });
      await converse(port);
    });
  };
  return {
    name: method.localName,
    handle: (call: ServerDuplexStream<Buffer, MessageShape<O>>) => finish(call, serve(call), method.name, guard),
  };
}

async function holdStream(
  call: ServerWritableStream<Buffer, Message> | ServerDuplexStream<Buffer, Message>,
  roles: readonly PeerRole[],
  guard: Guard,
  work: (held: { peer: Peer; place: Place; signal: AbortSignal }) => Promise<void>,
): Promise<void> {
  const peer = admit(call, roles, guard);
  const place = takePlace(guard.streams, peer.spkiSha256);
  if (place === undefined) throw placeError();
  const cancelled = new AbortController();
  call.once('cancelled', () => cancelled.abort());
  try {
    await work({ peer, place, signal: AbortSignal.any([cancelled.signal, guard.signal]) });
  } finally {
    place.leave();
  }
}

/** The outermost frame of a stream: nothing is thrown past it. */
function finish(
  call: ServerWritableStream<Buffer, Message> | ServerDuplexStream<Buffer, Message>,
  work: Promise<void>,
  method: string,
  guard: Guard,
): void {
  call.on('error', () => undefined);
  work.then(
    () => call.end(),
    (error: unknown) => {
      if (call.cancelled) return;
      report(error, method, guard);
      call.emit('error', toStatus(error));
    },
  );
}

function admit(call: AnyCall, roles: readonly PeerRole[], guard: Guard): Peer {
  const certificate = call.getAuthContext().sslPeerCertificate;
  if (certificate === undefined) throw new VerifierError('ERR_VERIFIER_ROLE', 'this call needs a client certificate');
  const peer = readPeer(certificate.raw);
  if (!guard.messages.take(peer.spkiSha256)) throw rateError();
  requireRole(peer, roles);
  return peer;
}

function placeError(): VerifierError {
  return new VerifierError('ERR_VERIFIER_LIMIT', 'this peer holds too many streams');
}

function rateError(): VerifierError {
  return new VerifierError('ERR_VERIFIER_RATE', 'this peer sends too much; try again later');
}

function report(error: unknown, method: string, guard: Guard): void {
  if (isInternal(error)) guard.onError(error, method);
}

function decode<D extends DescMessage>(schema: D, bytes: unknown): MessageShape<D> {
  if (!(bytes instanceof Uint8Array)) throw new TypeError('a raw request is bytes');
  try {
    return fromBinary(schema, bytes, { readUnknownFields: false });
  } catch (cause) {
    throw new VerifierError('ERR_VERIFIER_MESSAGE', `the message is no ${schema.typeName}`, { cause });
  }
}
