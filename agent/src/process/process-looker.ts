import { Worker } from 'node:worker_threads';
import { AgentError } from '../agent-error.ts';
import type { LookReply, LookRequest, PeekReply, PeekRequest } from './look-protocol.ts';

/** Looks at processes apart from the event loop. */
export interface ProcessLooker {
  /** Rejects with `AgentError` ERR_AGENT_SCAN where the look did not end in time or ended its thread. */
  look(request: Omit<LookRequest, 'kind' | 'hostRoot' | 'budgetMs'>): Promise<LookReply>;
  /** For each first process a text that stays while nothing is seen to change. Errors as `look`. */
  peek(pids: readonly number[]): Promise<readonly string[]>;
  close(): Promise<void>;
}

type Request = LookRequest | PeekRequest;
type Answer = { readonly id: number } & ({ readonly reply: LookReply | PeekReply } | { readonly failure: string });

interface Job {
  readonly request: Request;
  readonly resolve: (reply: LookReply | PeekReply) => void;
  readonly reject: (error: AgentError) => void;
}

const BUDGET_MS = 2_000;
/** What a look may take beyond its budget: it may be in the middle of one large file. */
const TIMEOUT_MS = 10_000;
const MAX_HEAP_MB = 64;

/** Creates a looker over the processes of the host whose root directory this process sees at `hostRoot`. */
export function createProcessLooker(hostRoot: string): ProcessLooker {
  const module = new URL(import.meta.url.endsWith('.ts') ? './look-worker.ts' : './look-worker.js', import.meta.url);
  const thread = new LookThread(module);
  return {
    look: async (request) => {
      const reply = await thread.run({ ...request, kind: 'look', hostRoot, budgetMs: BUDGET_MS });
      if (!('code' in reply)) throw new TypeError('a look answers with what runs');
      return reply;
    },
    peek: async (pids) => {
      const reply = await thread.run({ kind: 'peek', hostRoot, pids });
      if (!('signatures' in reply)) throw new TypeError('a peek answers with signatures');
      return reply.signatures;
    },
    close: () => thread.close(),
  };
}

/** One thread that answers one request after the other; one that fails to is ended, and the next request gets another. */
class LookThread {
  readonly #module: URL;
  readonly #queue: Job[] = [];
  #current: Job | undefined;
  #worker: Worker | undefined;
  #timer: NodeJS.Timeout | undefined;
  #id = 0;
  #isClosed = false;

  constructor(module: URL) {
    this.#module = module;
  }

  run(request: Request): Promise<LookReply | PeekReply> {
    return new Promise((resolve, reject) => {
      if (this.#isClosed) {
        reject(createFailure('the process looker is closed'));
        return;
      }
      this.#queue.push({ request, resolve, reject });
      this.#next();
    });
  }

  async close(): Promise<void> {
    this.#isClosed = true;
    for (const job of this.#queue.splice(0)) job.reject(createFailure('the process looker is closed'));
    await this.#replace('the process looker is closed');
  }

  #next(): void {
    if (this.#current !== undefined) return;
    this.#current = this.#queue.shift();
    if (this.#current === undefined) {
      this.#worker?.unref();
      return;
    }
    this.#worker ??= this.#start();
    this.#worker.ref();
    this.#id += 1;
    this.#timer = setTimeout(() => void this.#replace('a look at processes took too long'), TIMEOUT_MS);
    this.#worker.postMessage({ id: this.#id, request: this.#current.request });
  }

  #start(): Worker {
    const resourceLimits = { maxOldGenerationSizeMb: MAX_HEAP_MB, maxYoungGenerationSizeMb: 8 };
    const worker = new Worker(this.#module, { resourceLimits, env: {}, execArgv: [] });
    const end = (cause: unknown) => {
      if (worker !== this.#worker) return;
      this.#worker = undefined;
      this.#settle((job) => job.reject(createFailure('a look at processes ended its thread', cause)));
    };
    worker.on('message', (answer: Answer) => {
      if (worker !== this.#worker || answer.id !== this.#id) return;
      this.#settle((job) => {
        if ('reply' in answer) job.resolve(answer.reply);
        else job.reject(createFailure(answer.failure));
      });
    });
    worker.on('error', end);
    worker.on('exit', () => end(undefined));
    return worker;
  }

  #settle(settle: (job: Job) => void): void {
    const job = this.#current;
    this.#current = undefined;
    clearTimeout(this.#timer);
    if (job !== undefined) settle(job);
    this.#next();
  }

  async #replace(reason: string): Promise<void> {
    const worker = this.#worker;
    this.#worker = undefined;
    this.#settle((job) => job.reject(createFailure(reason)));
    await worker?.terminate();
  }
}

function createFailure(message: string, cause?: unknown): AgentError {
  return new AgentError('ERR_AGENT_SCAN', message, { cause });
}
