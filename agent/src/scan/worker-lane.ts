import { Worker } from 'node:worker_threads';
import { AgentError } from '../agent-error.ts';
import type { WorkerAnswer, WorkerRequest } from './scan-protocol.ts';

/** A thread that hostile bytes may exhaust or crash: what it was doing fails, and the next request gets a new one. */
export interface WorkerLaneOptions {
  /** Module that the thread runs. */
  readonly module: URL;
  /** Largest heap of the thread, MiB. */
  readonly maxHeapMb: number;
  /** End the thread when it had nothing to do for so long, in milliseconds; it starts again when needed. */
  readonly idleMs?: number;
}

interface Job {
  readonly id: number;
  readonly createRequest: () => WorkerRequest;
  readonly timeoutMs: number;
  readonly resolve: (reply: unknown) => void;
  readonly reject: (error: Error) => void;
}

/** One worker thread that does one request at a time, in the order in which they came, each within its time. */
export class WorkerLane {
  readonly #options: WorkerLaneOptions;
  readonly #queue: Job[] = [];
  #current: Job | undefined;
  #worker: Worker | undefined;
  #timer: NodeJS.Timeout | undefined;
  #nextId = 1;
  #closed = false;

  constructor(options: WorkerLaneOptions) {
    this.#options = options;
  }

  /**
   * Asks for the request when its turn comes, so that it says what is known by then. Rejects with `AgentError`
   * ERR_AGENT_SCAN: `cause` is a `ScanFailure` that names what happened.
   */
  run(createRequest: () => WorkerRequest, timeoutMs: number): Promise<unknown> {
    return new Promise((resolve, reject) => {
      if (this.#closed) {
        reject(createFailure('closed', 'the scanner is closed'));
        return;
      }
      this.#queue.push({ id: this.#nextId, createRequest, timeoutMs, resolve, reject });
      this.#nextId += 1;
      this.#next();
    });
  }

  async close(): Promise<void> {
    this.#closed = true;
    const failure = createFailure('closed', 'the scanner is closed');
    for (const job of this.#queue.splice(0)) job.reject(failure);
    await this.#replaceWorker(failure);
  }

  #next(): void {
    if (this.#current !== undefined) return;
    const job = this.#queue.shift();
    if (job === undefined) {
      this.#rest();
      return;
    }
    clearTimeout(this.#timer);
    this.#current = job;
    this.#timer = setTimeout(() => {
      void this.#replaceWorker(createFailure('time', 'a scan took too long and was ended'));
    }, job.timeoutMs);
    this.#worker ??= this.#start();
    this.#worker.ref();
    this.#worker.postMessage({ id: job.id, request: job.createRequest() });
  }

  #rest(): void {
    clearTimeout(this.#timer);
    this.#worker?.unref();
    if (this.#worker === undefined || this.#options.idleMs === undefined) return;
    this.#timer = setTimeout(() => void this.#replaceWorker(undefined), this.#options.idleMs);
    this.#timer.unref();
  }

  #start(): Worker {
    const resourceLimits = { maxOldGenerationSizeMb: this.#options.maxHeapMb, maxYoungGenerationSizeMb: 16 };
    const worker = new Worker(this.#options.module, { resourceLimits, env: {}, execArgv: [] });
    worker.on('message', (answer: WorkerAnswer) => this.#settle(worker, answer));
    const fail = (cause: unknown) => {
      if (worker !== this.#worker) return;
      this.#worker = undefined;
      this.#fail(createFailure('memory', 'a scan ended its thread', cause));
    };
    worker.on('error', fail);
    worker.on('exit', () => fail(undefined));
    return worker;
  }

  #settle(worker: Worker, answer: WorkerAnswer): void {
    if (worker !== this.#worker || answer.id !== this.#current?.id) return;
    const job = this.#current;
    this.#current = undefined;
    clearTimeout(this.#timer);
    if ('failure' in answer) job.reject(createFailure(answer.failure.code, answer.failure.message));
    else job.resolve(answer.reply);
    this.#next();
  }

  #fail(failure: Error): void {
    const job = this.#current;
    this.#current = undefined;
    clearTimeout(this.#timer);
    job?.reject(failure);
    this.#next();
  }

  async #replaceWorker(failure: Error | undefined): Promise<void> {
    const worker = this.#worker;
    this.#worker = undefined;
    if (failure !== undefined) this.#fail(failure);
    await worker?.terminate();
  }
}

/** Why a scan gave nothing: `time`, `memory`, `closed`, or the code of what the thread threw. */
export class ScanFailure extends Error {
  override readonly name = 'ScanFailure';
  readonly reason: string;

  constructor(reason: string, message: string, cause?: unknown) {
    super(message, { cause });
    this.reason = reason;
  }
}

function createFailure(reason: string, message: string, cause?: unknown): AgentError {
  return new AgentError('ERR_AGENT_SCAN', message, { cause: new ScanFailure(reason, message, cause) });
}
