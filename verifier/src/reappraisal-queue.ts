/** Kube nodes whose standing evidence is to be appraised again, one after another. */
export interface ReappraisalQueue {
  /** Adds kube nodes; one that waits already is not added twice. */
  add(ueids: Iterable<string>): void;
  /** Stops after the one that is being appraised. */
  close(): Promise<void>;
}

/** Creates a queue that runs `work` for one kube node at a time, so that rounds which come in meanwhile are not held up. */
export function createReappraisalQueue(
  work: (ueid: string) => Promise<void>,
  onError: (error: unknown, ueid: string) => void,
): ReappraisalQueue {
  const waiting = new Set<string>();
  let running: Promise<void> | undefined;
  let isClosed = false;
  const run = async (): Promise<void> => {
    for (const ueid of waiting) {
      if (isClosed) return;
      waiting.delete(ueid);
      await work(ueid).catch((error: unknown) => onError(error, ueid));
      await new Promise((resolve) => setImmediate(resolve));
    }
    running = undefined;
  };
  return {
    add: (ueids) => {
      for (const ueid of ueids) waiting.add(ueid);
      if (!isClosed && waiting.size > 0) running ??= run();
    },
    close: async () => {
      isClosed = true;
      await running;
    },
  };
}
