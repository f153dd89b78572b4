import { type DrainingStream, waitForDrain } from './wait-for-drain.ts';

/** One end of a stream of messages, as a conversation sees it. */
export interface MessagePort<In, Out> {
  /** SHA-256 of the peer's SubjectPublicKeyInfo, hex. */
  readonly peerSpki: string;
  /**
   * Says which of those that may share the peer's TLS key it is: from then on the stream counts among that one's alone.
   * Only for names that are bounded, as those of enrolled kube nodes are. Throws `VerifierError` ERR_VERIFIER_LIMIT.
   */
  identify(name: string): void;
  /**
   * The next message; undefined at the end of the stream, `'timeout'` when none came in time. A call that ran into its
   * time may be repeated: nothing is lost.
   */
  receive(timeoutMs: number): Promise<In | undefined | 'timeout'>;
  /** Waits while the peer does not read. */
  send(message: Out): Promise<void>;
}

/** What a Duplex of grpc-js is to a port. */
export interface DuplexLike<Raw, Out> extends DrainingStream {
  iterator(options: { destroyOnReturn: boolean }): AsyncIterator<Raw>;
  write(message: Out): boolean;
}

export interface MessagePortOptions<Raw, In> {
  readonly peerSpki: string;
  readonly identify?: (name: string) => void;
  /** Called for each message as it is asked for; may refuse it by throwing. */
  readonly decode: (raw: Raw) => In;
  /** Ends what is received, as if the peer had ended it. */
  readonly signal: AbortSignal;
}

/** Makes a port of a duplex stream. */
export function createMessagePort<Raw, In, Out>(
  stream: DuplexLike<Raw, Out>,
  { peerSpki, identify, decode, signal }: MessagePortOptions<Raw, In>,
): MessagePort<In, Out> {
  const messages = stream.iterator({ destroyOnReturn: false });
  let pending: Promise<IteratorResult<Raw>> | undefined;
  return {
    peerSpki,
    identify: (name) => identify?.(name),
    receive: async (timeoutMs) => {
      pending ??= messages.next();
      const result = await waitFor(pending, timeoutMs, signal);
      if (result === 'timeout') return result;
      if (result === 'aborted') return undefined;
      pending = undefined;
      return result.done === true ? undefined : decode(result.value);
    },
    send: async (message) => {
      if (!stream.destroyed && !stream.write(message)) await waitForDrain(stream, signal);
    },
  };
}

async function waitFor<T>(
  work: Promise<T>,
  timeoutMs: number,
  signal: AbortSignal,
): Promise<T | 'timeout' | 'aborted'> {
  const { promise, resolve } = Promise.withResolvers<'timeout' | 'aborted'>();
  const timer = setTimeout(() => resolve('timeout'), timeoutMs);
  const abort = (): void => resolve('aborted');
  signal.addEventListener('abort', abort, { once: true });
  if (signal.aborted) abort();
  try {
    return await Promise.race([work, promise]);
  } finally {
    clearTimeout(timer);
    signal.removeEventListener('abort', abort);
  }
}
