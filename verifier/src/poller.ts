/** Something that is done again and again, one at a time. */
export interface Poller {
  /** Ends it and waits for the one that runs. */
  stop(): Promise<void>;
}

/**
 * Runs `work` every `intervalMs` after the last run ended. What it throws goes to `onError`, and it goes on. The timer
 * alone does not keep the process alive.
 */
export function startPoller(intervalMs: number, work: () => Promise<void>, onError: (error: unknown) => void): Poller {
  let timer: NodeJS.Timeout | undefined;
  let running = Promise.resolve();
  let isStopped = false;
  const schedule = (): void => {
    if (isStopped) return;
    timer = setTimeout(() => {
      running = work().then(schedule, (error: unknown) => {
        onError(error);
        schedule();
      });
    }, intervalMs);
    timer.unref();
  };
  schedule();
  return {
    stop: async () => {
      isStopped = true;
      clearTimeout(timer);
      await running;
    },
  };
}
