import type { Clock } from '../clock.ts';
import { TokenBucket } from '../round/token-bucket.ts';

/** How much one kind of call may be used. */
export interface CallLimits {
  /** At the same time, by everybody and by one peer. */
  readonly maxCalls: number;
  readonly maxCallsPerPeer: number;
  /** Calls begun, by one peer. */
  readonly perSecond: number;
  readonly burst: number;
}

const MAX_PEERS = 1_024;

/** Counts calls by peer. One kind of call each. */
export class PeerLimits {
  readonly #clock: Clock;
  readonly #limits: CallLimits;
  readonly #buckets = new Map<string, TokenBucket>();
  readonly #calls = new Map<string, number>();
  #total = 0;

  constructor(clock: Clock, limits: CallLimits) {
    this.#clock = clock;
    this.#limits = limits;
  }

  /** Admits a call and returns how to end it; undefined when a limit is reached. */
  enter(peer: string): (() => void) | undefined {
    const held = this.#calls.get(peer) ?? 0;
    if (this.#total >= this.#limits.maxCalls || held >= this.#limits.maxCallsPerPeer) return undefined;
    if (!this.#bucketOf(peer).take()) return undefined;
    this.#total += 1;
    this.#calls.set(peer, held + 1);
    let isOver = false;
    return () => {
      if (isOver) return;
      isOver = true;
      this.#total -= 1;
      const rest = (this.#calls.get(peer) ?? 1) - 1;
      if (rest === 0) this.#calls.delete(peer);
      else this.#calls.set(peer, rest);
    };
  }

  #bucketOf(peer: string): TokenBucket {
    const { perSecond, burst } = this.#limits;
    const bucket = this.#buckets.get(peer) ?? new TokenBucket(this.#clock, { perSecond, burst });
    // Used last stands last, so that the first is the one to forget.
    this.#buckets.delete(peer);
    this.#buckets.set(peer, bucket);
    for (const key of this.#buckets.keys()) {
      if (this.#buckets.size <= MAX_PEERS) break;
      this.#buckets.delete(key);
    }
    return bucket;
  }
}
