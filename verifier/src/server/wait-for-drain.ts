/** What of a stream tells that it takes more, or never will. */
export interface DrainingStream {
  once(event: 'drain' | 'close' | 'error', listener: () => void): unknown;
  off(event: 'drain' | 'close' | 'error', listener: () => void): unknown;
  readonly destroyed: boolean;
}

const EVENTS = ['drain', 'close', 'error'] as const;

/** Waits until a stream takes more, ends, or the signal does; leaves no listener behind, for one stream waits many times. */
export async function waitForDrain(stream: DrainingStream, signal: AbortSignal): Promise<void> {
  const { promise, resolve } = Promise.withResolvers<void>();
  const wake = (): void => resolve();
  for (const event of EVENTS) stream.once(event, wake);
  signal.addEventListener('abort', wake, { once: true });
  if (stream.destroyed || signal.aborted) wake();
  await promise;
  for (const event of EVENTS) stream.off(event, wake);
  signal.removeEventListener('abort', wake);
}
