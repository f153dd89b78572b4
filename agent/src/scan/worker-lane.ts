import { AgentError } from '../agent-error.ts';
import { FairQueue } from './fair-queue.ts';
import type { HostEvents, HostOptions, LaneHost } from './lane-host.ts';
import type { WorkerAnswer, WorkerRequest } from './scan-protocol.ts';

/** A worker that hostile bytes may exhaust or crash: what it was doing fails, and the next request gets a new one. */
export interface WorkerLaneOptions extends HostOptions {
  /** `startThread` or `startProcess`. */
  readonly start: (options: HostOptions, events: HostEvents) => LaneHost;
  /** End the worker when it had nothing to do for so long, in milliseconds; it starts again when needed. */
  readonly idleMs?: number;
}

/** What the lane is asked for. */
export interface LaneJob {
  /** Asked for when its turn comes, so that it says what is known by then. */
  readonly createRequest: () => WorkerRequest;
  /** On whose account its time goes. */
  readonly group: string;
  /** Longest time from when its turn came and a worker was there. */
  readonly timeoutMs: number;
}

interface Job extends LaneJob {
  readonly id: number;
  readonly resolve: (reply: unknown) => void;
  readonly reject: (error: Error) => void;
}

/** Longest time until a worker is there, also on a machine that has much else to do. */
const START_MS = 60_000;
/** A worker that can be ended has ended by then. */
const END_MS = 5_000;

/**
 * One worker that does one request at a time, each within its time: next is the group that used least of late. A group whose
 * worker hangs in a system call, and cannot be ended, gets no other until it ends: so it keeps one at the most.
 */
export class WorkerLane {
  readonly #options: WorkerLaneOptions;
  readonly #queue = new FairQueue<Job>(() => performance.now());
  /** Groups whose worker was told to end and has not. */
  readonly #ending = new Set<string>();
  #current: Job | undefined;
  #startedMs = 0;
  #host: LaneHost | undefined;
  #isReady = false;
  #timer: NodeJS.Timeout | undefined;
  #nextId = 1;
  #closed = false;

  constructor(options: WorkerLaneOptions) {
    this.#options = options;
  }

  /** Rejects with `AgentError` ERR_AGENT_SCAN: `cause` is a `ScanFailure` that names what happened. */
  run(asked: LaneJob): Promise<unknown> {
    return new Promise((resolve, reject) => {
      if (this.#closed) {
        reject(createFailure('closed', 'the scanner is closed'));
        return;
      }
      this.#queue.push(asked.group, { ...asked, id: this.#nextId, resolve, reject });
      this.#nextId += 1;
      this.#next();
    });
  }

  async close(): Promise<void> {
    this.#closed = true;
    const failure = createFailure('closed', 'the scanner is closed');
    for (const job of this.#queue.clear()) job.reject(failure);
    // What hangs in a system call is not waited for.
    let timer: NodeJS.Timeout | undefined;
    const waited = new Promise<void>((resolve) => {
      timer = setTimeout(resolve, END_MS);
    });
    await Promise.race([this.#replaceHost(failure), waited]);
    clearTimeout(timer);
  }

  #next(): void {
    if (this.#current !== undefined) return;
    const job = this.#queue.take()?.job;
    if (job === undefined) {
      this.#rest();
      return;
    }
    if (this.#ending.has(job.group)) {
      job.reject(createFailure('blocked', 'the last one of this group still hangs'));
      this.#next();
      return;
    }
    this.#current = job;
    this.#startedMs = performance.now();
    if (this.#host === undefined) {
      this.#limitTime(START_MS);
      this.#host = this.#start();
    } else if (this.#isReady) this.#begin(job, this.#host);
    this.#host.hold(true);
  }

  #begin(job: Job, host: LaneHost): void {
    this.#startedMs = performance.now();
    this.#limitTime(job.timeoutMs);
    host.post({ id: job.id, request: job.createRequest() });
  }

  #limitTime(timeoutMs: number): void {
    clearTimeout(this.#timer);
    this.#timer = setTimeout(
      () => void this.#replaceHost(createFailure('time', 'a scan took too long and was ended')),
      timeoutMs,
    );
  }

  #rest(): void {
    clearTimeout(this.#timer);
    this.#host?.hold(false);
    if (this.#host === undefined || this.#options.idleMs === undefined) return;
    this.#timer = setTimeout(() => void this.#replaceHost(undefined), this.#options.idleMs);
    this.#timer.unref();
  }

  #start(): LaneHost {
    this.#isReady = false;
    const host: LaneHost = this.#options.start(this.#options, {
      onReady: () => {
        if (host !== this.#host) return;
        this.#isReady = true;
        if (this.#current !== undefined) this.#begin(this.#current, host);
      },
      onAnswer: (answer) => this.#settle(host, answer),
      onEnd: (cause) => {
        if (host !== this.#host) return;
        this.#host = undefined;
        this.#fail(createFailure('memory', 'a scan ended its worker', cause));
      },
    });
    return host;
  }

  #settle(host: LaneHost, answer: WorkerAnswer): void {
    if (host !== this.#host || answer.id !== this.#current?.id) return;
    const job = this.#take();
    if ('failure' in answer) job?.reject(createFailure(answer.failure.code, answer.failure.message));
    else job?.resolve(answer.reply);
    this.#next();
  }

  #fail(failure: Error): void {
    this.#take()?.reject(failure);
    this.#next();
  }

  #take(): Job | undefined {
    const job = this.#current;
    this.#current = undefined;
    clearTimeout(this.#timer);
    if (job !== undefined) this.#queue.charge(job.group, performance.now() - this.#startedMs);
    return job;
  }

  async #replaceHost(failure: Error | undefined): Promise<void> {
    const host = this.#host;
    const group = this.#current?.group;
    this.#host = undefined;
    if (group !== undefined) this.#ending.add(group);
    const ended = Promise.resolve(host?.end()).then(() => {
      if (group !== undefined) this.#ending.delete(group);
    });
    if (failure !== undefined) this.#fail(failure);
    await ended;
  }
}

/** Why a scan gave nothing: `time`, `memory`, `blocked`, `closed`, or the code of what the worker threw. */
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
