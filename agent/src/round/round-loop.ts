import type { AgentLog } from '../agent-log.ts';
import type { Clock } from '../clock.ts';
import { describeError } from '../describe-error.ts';
import type { Round } from './round.ts';
import type { RoundEngine } from './round-engine.ts';
import { RoundScheduler } from './round-scheduler.ts';

export interface RoundLoopDeps {
  engine: RoundEngine;
  clock: Clock;
  random(): number;
  heartbeatMs: number;
  /** Nobody needs a heartbeat that nobody listens to. */
  isWatched(): boolean;
  publish(round: Round): void;
  log: AgentLog;
}

/** Makes rounds when they are due and publishes them; a failure is logged once until a round succeeds again. */
export class RoundLoop {
  readonly #deps: RoundLoopDeps;
  readonly #scheduler: RoundScheduler;
  #hasFailed = false;

  constructor(deps: RoundLoopDeps) {
    this.#deps = deps;
    const { clock, heartbeatMs } = deps;
    this.#scheduler = new RoundScheduler({
      clock,
      heartbeatMs,
      random: () => deps.random(),
      run: (reason) => this.#run(reason),
    });
  }

  start(): void {
    this.#scheduler.start();
  }

  request(reason: 'change' | 'challenge'): void {
    this.#scheduler.request(reason);
  }

  async close(): Promise<void> {
    await this.#scheduler.close();
  }

  async #run(reason: 'start' | 'change' | 'challenge' | 'heartbeat'): Promise<boolean> {
    const { engine, clock, log } = this.#deps;
    if (reason === 'heartbeat' && !this.#deps.isWatched()) return true;
    const startedMs = clock.monotonicMs();
    try {
      const round = await engine.makeRound(reason);
      this.#deps.publish(round);
      const durationMs = Math.round(clock.monotonicMs() - startedMs);
      const { seq, kind } = round.record;
      log.info('round made', { reason, seq, kind, durationMs, containers: round.content?.containerSets.size ?? 0 });
      if (this.#hasFailed) log.info('rounds succeed again');
      this.#hasFailed = false;
      return true;
    } catch (error) {
      if (!this.#hasFailed) log.error('round failed', describeError(error));
      this.#hasFailed = true;
      return false;
    }
  }
}
