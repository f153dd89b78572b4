import { fork } from 'node:child_process';
import { Worker } from 'node:worker_threads';
import type { WorkerAnswer, WorkerRequest } from './scan-protocol.ts';

/** Where requests are carried out: something that hostile bytes may exhaust or crash. */
export interface LaneHost {
  post(message: { readonly id: number; readonly request: WorkerRequest }): void;
  /** Whether it keeps this process alive. */
  hold(isHeld: boolean): void;
  /** Ends it at once, or as soon as the system call that it is in returns. */
  end(): Promise<void>;
}

/** First word of a worker: its modules are loaded. */
export const READY = 'ready';

export interface HostEvents {
  /** It can take requests: until then its time does not run. */
  onReady(): void;
  onAnswer(answer: WorkerAnswer): void;
  /** It ended by itself. */
  onEnd(cause: unknown): void;
}

export interface HostOptions {
  /** Module that is run. */
  readonly module: URL;
  /** Largest heap, MiB. */
  readonly maxHeapMb: number;
}

/**
 * Starts a thread of this process: cheap, but V8 ends the whole process where one allocation passes the thread's heap limit
 * by far. Only for requests whose own limits keep them from it.
 */
export function startThread({ module, maxHeapMb }: HostOptions, events: HostEvents): LaneHost {
  const resourceLimits = { maxOldGenerationSizeMb: maxHeapMb, maxYoungGenerationSizeMb: 4 };
  const worker = new Worker(module, { resourceLimits, env: {}, execArgv: [] });
  worker.on('message', (word: typeof READY | WorkerAnswer) => tell(word, events));
  worker.on('error', (error) => events.onEnd(error));
  worker.on('exit', () => events.onEnd(undefined));
  return {
    post: (message) => worker.postMessage(message),
    hold: (isHeld) => (isHeld ? worker.ref() : worker.unref()),
    end: async () => void (await worker.terminate()),
  };
}

/** Starts a process: whatever the bytes do to it, it ends alone. */
export function startProcess({ module, maxHeapMb }: HostOptions, events: HostEvents): LaneHost {
  const execArgv = [`--max-old-space-size=${maxHeapMb}`, '--max-semi-space-size=8', '--disable-sigusr1'];
  const child = fork(module, [], {
    execArgv,
    env: {},
    serialization: 'advanced',
    stdio: ['ignore', 'ignore', 'ignore', 'ipc'],
  });
  const ended = new Promise<void>((resolve) => {
    child.once('exit', () => resolve());
    child.once('error', () => resolve());
  });
  child.on('message', (word: typeof READY | WorkerAnswer) => tell(word, events));
  child.on('error', (error) => events.onEnd(error));
  child.on('exit', () => events.onEnd(undefined));
  return {
    post: (message) => void child.send(message, () => undefined),
    hold: (isHeld) => {
      if (isHeld) child.ref();
      else child.unref();
      if (isHeld) child.channel?.ref();
      else child.channel?.unref();
    },
    end: async () => {
      // An idle one does not hold its parent, which may have nothing else left to wait for.
      child.ref();
      if (!child.kill('SIGKILL')) return;
      await ended;
    },
  };
}

function tell(word: typeof READY | WorkerAnswer, events: HostEvents): void {
  if (word === READY) events.onReady();
  else events.onAnswer(word);
}
