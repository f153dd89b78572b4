import type { AttesterMessage, VerifierMessage } from '@holdfast/proto';
import type { AgentError } from '../agent-error.ts';

/** The stream below a conversation, whoever dialled. */
export interface MessageStream {
  /** Ends when the peer ends the stream, throws when it breaks. */
  readonly messages: AsyncIterable<VerifierMessage>;
  /** Waits while the peer does not read. */
  send(message: AttesterMessage): Promise<void>;
  /** Ends the stream from this side; `messages` then ends or throws. */
  abort(reason: AgentError): void;
}

/** What a Duplex of grpc-js is to a writer. */
interface WritableLike<T> {
  write(message: T): boolean;
  once(event: 'drain' | 'close' | 'error', listener: () => void): unknown;
  off(event: 'drain' | 'close' | 'error', listener: () => void): unknown;
  readonly destroyed: boolean;
}

const WRITABLE_EVENTS = ['drain', 'close', 'error'] as const;

/** Writes and waits while the other end does not read; settles too when the stream ends meanwhile. */
export async function writeMessage<T>(stream: WritableLike<T>, message: T): Promise<void> {
  if (stream.destroyed || stream.write(message)) return;
  const { promise, resolve } = Promise.withResolvers<void>();
  for (const event of WRITABLE_EVENTS) stream.once(event, resolve);
  if (stream.destroyed) resolve();
  await promise;
  for (const event of WRITABLE_EVENTS) stream.off(event, resolve);
}
