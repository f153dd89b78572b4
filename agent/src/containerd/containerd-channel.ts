import { stat } from 'node:fs/promises';
import { connect } from 'node:net';
import { Client, credentials, InterceptingCall, type Interceptor, status } from '@grpc/grpc-js';
import { AgentError } from '../agent-error.ts';

/** Largest message taken from the runtime, in bytes; a container's specification alone may have some hundred KiB. */
const MAX_MESSAGE_BYTES = 32 << 20;
const CONNECT_TIMEOUT_MS = 5_000;

/** Opens a gRPC channel over containerd's socket. Nothing is sent before the first call; grpc-js reconnects by itself. */
export function openContainerdChannel(address: string): Client {
  return new Client(`unix://${address}`, credentials.createInsecure(), {
    'grpc.max_receive_message_length': MAX_MESSAGE_BYTES,
    'grpc.initial_reconnect_backoff_ms': 200,
    'grpc.max_reconnect_backoff_ms': 5_000,
  });
}

/**
 * Checks that something listens at the address: that the path exists, that it is a socket, that this process may
 * connect. Throws `AgentError` with ERR_AGENT_RUNTIME_ADDRESS or ERR_AGENT_RUNTIME_PERMISSION.
 */
export async function checkContainerdSocket(address: string): Promise<void> {
  const found = await stat(address).catch((cause: NodeJS.ErrnoException) => {
    throw createSocketError(address, cause);
  });
  if (!found.isSocket()) {
    throw new AgentError(
      'ERR_AGENT_RUNTIME_ADDRESS',
      `${address} is not a socket: give the path of containerd's socket`,
    );
  }
  await new Promise<void>((resolve, reject) => {
    const socket = connect(address);
    socket.setTimeout(CONNECT_TIMEOUT_MS, () => socket.destroy(new Error('connecting took too long')));
    socket.once('connect', () => {
      socket.destroy();
      resolve();
    });
    socket.once('error', (cause) => reject(createSocketError(address, cause)));
  });
}

function createSocketError(address: string, cause: NodeJS.ErrnoException): AgentError {
  if (cause.code === 'EACCES' || cause.code === 'EPERM') {
    const message = `no permission for ${address}: run as root or as a member of the group that owns containerd's socket`;
    return new AgentError('ERR_AGENT_RUNTIME_PERMISSION', message, { cause });
  }
  const message = `no containerd at ${address}: start it, or give the path of its socket`;
  return new AgentError('ERR_AGENT_RUNTIME_ADDRESS', message, { cause });
}

/** Adds the namespace that containerd asks for with nearly every call. */
export function createNamespaceInterceptor(namespace: string): Interceptor {
  return (options, nextCall) =>
    new InterceptingCall(nextCall(options), {
      start(metadata, listener, next) {
        metadata.set('containerd-namespace', namespace);
        next(metadata, listener);
      },
    });
}

/** Whether containerd answered that there is no such thing. */
export function isNotFound(error: unknown): boolean {
  return readStatus(error) === status.NOT_FOUND;
}

/** Turns what a call threw into an `AgentError` whose code tells whose fault it is. */
export function toRuntimeError(address: string, error: unknown): AgentError {
  if (error instanceof AgentError) return error;
  switch (readStatus(error)) {
    case status.UNIMPLEMENTED:
      return createError('ERR_AGENT_RUNTIME_SERVICE', `what listens at ${address} is not containerd`, error);
    case status.PERMISSION_DENIED:
    case status.UNAUTHENTICATED:
      return createError('ERR_AGENT_RUNTIME_PERMISSION', `containerd at ${address} refuses the agent`, error);
    case status.RESOURCE_EXHAUSTED:
    case status.OUT_OF_RANGE:
    case status.INTERNAL:
      return createError('ERR_AGENT_RUNTIME_DATA', `an answer of containerd at ${address} was not usable`, error);
    default:
      return createError('ERR_AGENT_RUNTIME_UNAVAILABLE', `containerd at ${address} does not answer`, error);
  }
}

function createError(code: AgentError['code'], message: string, cause: unknown): AgentError {
  return new AgentError(code, message, { cause });
}

function readStatus(error: unknown): number | undefined {
  if (!(error instanceof Error) || !('code' in error)) return undefined;
  return typeof error.code === 'number' ? error.code : undefined;
}
