import { AgentError } from '../agent-error.ts';
import type { Clock } from '../clock.ts';
import type { TpmDevice } from './tpm-device.ts';
import { classifyTpmFailure } from './tpm-failure.ts';

const MAX_WAITING = 32;
const JOB_DEADLINE_MS = 180_000;
const FIRST_BACKOFF_MS = 100;
const MAX_BACKOFF_MS = 10_000;

/** A usable context; `generation` rises with each new one, and objects of an older one are gone. */
export interface TpmSession {
  device: TpmDevice;
  generation: number;
}

export interface TpmQueueDeps {
  open(): Promise<TpmDevice>;
  clock: Clock;
  /** Told once each time that the way to the TPM breaks. */
  onLost(error: unknown): void;
}

/**
 * The one way to the TPM in a process: jobs run one after another, each with a deadline. After the context died (the TPM's
 * process or device went away, a command timed out) the next job opens a new one, with growing pauses between failures.
 *
 * Rejects with `AgentError` ERR_AGENT_TPM where the queue is full, closed, pausing or cannot open; errors of a job's own
 * commands pass through.
 */
export class TpmQueue {
  readonly #deps: TpmQueueDeps;
  #session: TpmSession | undefined;
  #generation = 0;
  #tail: Promise<unknown> = Promise.resolve();
  #waiting = 0;
  #failures = 0;
  #retryAtMs = 0;
  #closed = false;

  constructor(deps: TpmQueueDeps) {
    this.#deps = deps;
  }

  /** Runs a job alone on the TPM. */
  run<T>(job: (session: TpmSession) => Promise<T>): Promise<T> {
    if (this.#closed) return Promise.reject(new AgentError('ERR_AGENT_TPM', 'the TPM queue is closed'));
    if (this.#waiting >= MAX_WAITING) {
      return Promise.reject(new AgentError('ERR_AGENT_TPM', 'too many requests wait for the TPM'));
    }
    this.#waiting += 1;
    const result = this.#tail
      .then(() => this.#runNow(job))
      .finally(() => {
        this.#waiting -= 1;
      });
    this.#tail = result.catch(() => undefined);
    return result;
  }

  /** Lets the running job end, refuses the waiting ones and closes the context. */
  async close(): Promise<void> {
    this.#closed = true;
    await this.#tail;
    const session = this.#session;
    this.#session = undefined;
    await session?.device.close();
  }

  async #runNow<T>(job: (session: TpmSession) => Promise<T>): Promise<T> {
    if (this.#closed) throw new AgentError('ERR_AGENT_TPM', 'the TPM queue is closed');
    const session = await this.#ensureOpen();
    try {
      const result = await this.#withinDeadline(job(session));
      this.#failures = 0;
      return result;
    } catch (error) {
      if (classifyTpmFailure(error) === 'lost' || error instanceof JobDeadline) this.#drop(session, error);
      throw error;
    }
  }

  async #ensureOpen(): Promise<TpmSession> {
    if (this.#session !== undefined) return this.#session;
    if (this.#deps.clock.monotonicMs() < this.#retryAtMs) {
      throw new AgentError('ERR_AGENT_TPM', 'the TPM does not answer; it is tried again shortly');
    }
    try {
      this.#generation += 1;
      this.#session = { device: await this.#deps.open(), generation: this.#generation };
      return this.#session;
    } catch (error) {
      this.#pause();
      const reason = error instanceof Error ? error.message : String(error);
      throw new AgentError('ERR_AGENT_TPM', `the TPM cannot be opened: ${reason}`, { cause: error });
    }
  }

  #drop(session: TpmSession, error: unknown): void {
    if (this.#session === session) this.#session = undefined;
    this.#pause();
    this.#deps.onLost(error);
    // A dead context may never finish closing; nothing waits for it.
    session.device.close().catch(() => undefined);
  }

  #pause(): void {
    const delayMs = Math.min(MAX_BACKOFF_MS, FIRST_BACKOFF_MS * 2 ** this.#failures);
    this.#failures += 1;
    this.#retryAtMs = this.#deps.clock.monotonicMs() + delayMs;
  }

  async #withinDeadline<T>(work: Promise<T>): Promise<T> {
    const { promise: late, reject } = Promise.withResolvers<never>();
    const cancel = this.#deps.clock.setTimer(JOB_DEADLINE_MS, () => reject(new JobDeadline()));
    try {
      return await Promise.race([work, late]);
    } finally {
      cancel();
    }
  }
}

class JobDeadline extends AgentError {
  constructor() {
    super('ERR_AGENT_TPM', 'the TPM did not finish within its deadline');
  }
}
