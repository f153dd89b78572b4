import type { Clock } from '../clock.ts';
import { TokenBucket } from './token-bucket.ts';

/** Why a round is made. */
export type RoundReason = 'start' | 'change' | 'challenge' | 'heartbeat';

export interface RoundSchedulerDeps {
  clock: Clock;
  /** 0 to 1, evenly. */
  random(): number;
  heartbeatMs: number;
  /** Makes a round; false when it failed and is to be tried again. Never rejects. */
  run(reason: RoundReason): Promise<boolean>;
}

const COALESCE_MS = 50;
const START_WAIT_MS = 2_000;
const BUCKET = { perSecond: 1, burst: 3 };
const FIRST_RETRY_MS = 500;
const MAX_RETRY_MS = 30_000;
/** Heartbeats of many agents that started together drift apart. */
const HEARTBEAT_SHARE = 0.8;
const HEARTBEAT_SPREAD = 0.1;

/**
 * Decides when rounds are made (design §5), one at a time: changes are gathered for 50 ms, challenges are answered at
 * once, both through a token bucket of 1/s with a burst of 3; heartbeats come 0.8 ± 0.1 of their interval after the last
 * round; a failed round is repeated with growing pauses.
 */
export class RoundScheduler {
  readonly #deps: RoundSchedulerDeps;
  readonly #bucket: TokenBucket;
  #due: { atMs: number; reason: RoundReason } | undefined;
  #cancelTimer: (() => void) | undefined;
  #running: Promise<void> | undefined;
  #failures = 0;
  #heartbeatAtMs = Number.POSITIVE_INFINITY;
  #closed = false;

  constructor(deps: RoundSchedulerDeps) {
    this.#deps = deps;
    this.#bucket = new TokenBucket(deps.clock, BUCKET);
  }

  /** The first round waits a moment for a Verifier's challenge, so that it is fresh as well. */
  start(): void {
    this.#setDue('start', START_WAIT_MS);
    this.#setHeartbeat();
    this.#arm();
  }

  request(reason: 'change' | 'challenge'): void {
    this.#setDue(reason, reason === 'change' ? COALESCE_MS : 0);
    this.#arm();
  }

  /** Waits for the round under way; no other follows. */
  async close(): Promise<void> {
    this.#closed = true;
    this.#cancelTimer?.();
    await this.#running;
  }

  #setDue(reason: RoundReason, delayMs: number): void {
    const atMs = this.#deps.clock.monotonicMs() + delayMs;
    if (this.#due === undefined || atMs < this.#due.atMs) this.#due = { atMs, reason };
  }

  #setHeartbeat(): void {
    const share = HEARTBEAT_SHARE - HEARTBEAT_SPREAD + 2 * HEARTBEAT_SPREAD * this.#deps.random();
    this.#heartbeatAtMs = this.#deps.clock.monotonicMs() + this.#deps.heartbeatMs * share;
  }

  #arm(): void {
    this.#cancelTimer?.();
    this.#cancelTimer = undefined;
    if (this.#closed || this.#running !== undefined) return;
    const nowMs = this.#deps.clock.monotonicMs();
    const dueMs =
      this.#due === undefined ? Number.POSITIVE_INFINITY : Math.max(this.#due.atMs, nowMs + this.#bucket.waitMs());
    const delayMs = Math.max(0, Math.ceil(Math.min(dueMs, this.#heartbeatAtMs) - nowMs));
    this.#cancelTimer = this.#deps.clock.setTimer(delayMs, () => this.#fire());
  }

  #fire(): void {
    if (this.#closed || this.#running !== undefined) return;
    const nowMs = this.#deps.clock.monotonicMs();
    if (this.#due !== undefined && this.#due.atMs <= nowMs && this.#bucket.take()) {
      const { reason } = this.#due;
      this.#due = undefined;
      this.#begin(reason);
    } else if (this.#heartbeatAtMs <= nowMs) this.#begin('heartbeat');
    else this.#arm();
  }

  #begin(reason: RoundReason): void {
    this.#running = this.#deps.run(reason).then((succeeded) => {
      this.#running = undefined;
      this.#failures = succeeded ? 0 : this.#failures + 1;
      if (!succeeded) this.#setDue('change', Math.min(MAX_RETRY_MS, FIRST_RETRY_MS * 2 ** (this.#failures - 1)));
      this.#setHeartbeat();
      this.#arm();
    });
  }
}
