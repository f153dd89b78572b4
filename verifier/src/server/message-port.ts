/** One end of a stream of messages, as a conversation sees it. */
export interface MessagePort<In, Out> {
  /** SHA-256 of the peer's SubjectPublicKeyInfo, hex. */
  readonly peerSpki: string;
  /**
   * The next message; undefined at the end of the stream, `'timeout'` when none came in time. A call that ran into its
   * time may be repeated: nothing is lost.
   */
  receive(timeoutMs: number): Promise<In | undefined | 'timeout'>;
  /** Waits while the peer does not read. */
  send(message: Out): Promise<void>;
}

/** What a Duplex of grpc-js is to a port. */
export interface DuplexLike<Out> {
  iterator(options: { destroyOnReturn: boolean }): AsyncIterableIterator<unknown>;
  write(message: Out): boolean;
  once(event: 'drain' | 'close' | 'error', listener: () => void): unknown;
  off(event: 'drain' | 'close' | 'error', listener: () => void): unknown;
  readonly destroyed: boolean;
}

/** Makes a port of a duplex stream. `decode` is called for each message as it is asked for, and may refuse it. */
export function createMessagePort<In, Out>(
  stream: DuplexLike<Out>,
  peerSpki: string,
  decode: (message: unknown) => In,
): MessagePort<In, Out> {
  const messages = stream.iterator({ destroyOnReturn: false });
  let pending: Promise<IteratorResult<unknown>> | undefined;
  return {
    peerSpki,
    receive: async (timeoutMs) => {
      pending ??= messages.next();
      const result = await withTimeout(pending, timeoutMs);
      if (result === 'timeout') return result;
      pending = undefined;
      return result.done === true ? undefined : decode(result.value);
    },
    send: async (message) => {
      if (!stream.destroyed && !stream.write(message)) await waitForDrain(stream);
    },
  };
}

async function withTimeout<T>(work: Promise<T>, timeoutMs: number): Promise<T | 'timeout'> {
  const { promise, resolve } = Promise.withResolvers<'timeout'>();
  const timer = setTimeout(() => resolve('timeout'), timeoutMs);
  try {
    return await Promise.race([work, promise]);
  } finally {
    clearTimeout(timer);
  }
}

async function waitForDrain(stream: DuplexLike<never>): Promise<void> {
  const events = ['drain', 'close', 'error'] as const;
  const { promise, resolve } = Promise.withResolvers<void>();
  for (const event of events) stream.once(event, resolve);
  if (stream.destroyed) resolve();
  await promise;
  for (const event of events) stream.off(event, resolve);
}
