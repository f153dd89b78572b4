/** Tells watchers whose result is new. */
export interface ResultFeed {
  publish(ueid: string): void;
  /**
   * Kube nodes with a new result since the call, each once however often it changed while the watcher was busy: the
   * memory that a slow watcher takes is bounded by the number of kube nodes. Ends with the signal.
   */
  watch(signal: AbortSignal): AsyncGenerator<string>;
}

/** Creates a feed; watchers that begin later hear only of what comes later. */
export function createResultFeed(): ResultFeed {
  const watchers = new Set<{ pending: Set<string>; wake: () => void }>();
  return {
    publish: (ueid) => {
      for (const watcher of watchers) {
        watcher.pending.add(ueid);
        watcher.wake();
      }
    },
    watch: (signal) => {
      const watcher = { pending: new Set<string>(), wake: (): void => undefined };
      // Before the first read: what is published from here on must not be missed.
      watchers.add(watcher);
      const stop = (): void => {
        watchers.delete(watcher);
        watcher.wake();
      };
      signal.addEventListener('abort', stop, { once: true });
      return drain(watcher, signal, () => watchers.delete(watcher));
    },
  };
}

async function* drain(
  watcher: { pending: Set<string>; wake: () => void },
  signal: AbortSignal,
  leave: () => void,
): AsyncGenerator<string> {
  try {
    while (!signal.aborted) {
      const [next] = watcher.pending;
      if (next === undefined) {
        await new Promise<void>((resolve) => {
          watcher.wake = resolve;
          if (signal.aborted || watcher.pending.size > 0) resolve();
        });
        continue;
      }
      watcher.pending.delete(next);
      yield next;
    }
  } finally {
    leave();
  }
}
