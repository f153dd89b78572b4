interface Waiting<T> {
  readonly group: string;
  readonly job: T;
}

interface Account {
  /** Milliseconds used, as of `atMs`; what was used is forgotten by half in each half-life. */
  usedMs: number;
  atMs: number;
}

const HALF_LIFE_MS = 10_000;
/** What a group that was never served is thought to cost: more than those known to be quick. */
const UNKNOWN_MS = 500;
/** Groups that use less than this are equals. */
const QUICK_MS = 250;
const MAX_ACCOUNTS = 2_000;

/**
 * Jobs of many groups (a group is a container), next the one whose group used least of late. Groups in the same power of two
 * are served in the order in which their jobs came. So whoever makes his own jobs long waits behind those who do not, and
 * only behind them.
 */
export class FairQueue<T> {
  readonly #waiting: Waiting<T>[] = [];
  readonly #accounts = new Map<string, Account>();
  readonly #nowMs: () => number;

  constructor(nowMs: () => number) {
    this.#nowMs = nowMs;
  }

  push(group: string, job: T): void {
    this.#waiting.push({ group, job });
  }

  /** Takes the next job out. */
  take(): Waiting<T> | undefined {
    let best = 0;
    let bestRank = Number.POSITIVE_INFINITY;
    this.#waiting.forEach(({ group }, at) => {
      const rank = this.#rankOf(group);
      if (rank >= bestRank) return;
      best = at;
      bestRank = rank;
    });
    return this.#waiting.splice(best, 1)[0];
  }

  /** Takes all jobs out. */
  clear(): T[] {
    return this.#waiting.splice(0).map(({ job }) => job);
  }

  /** Books what a job of the group took. */
  charge(group: string, ms: number): void {
    const usedMs = (this.#usedMs(group) ?? 0) + ms;
    this.#accounts.delete(group);
    this.#accounts.set(group, { usedMs, atMs: this.#nowMs() });
    for (const oldest of this.#accounts.keys()) {
      if (this.#accounts.size <= MAX_ACCOUNTS) break;
      this.#accounts.delete(oldest);
    }
  }

  #rankOf(group: string): number {
    return Math.max(0, Math.ceil(Math.log2((this.#usedMs(group) ?? UNKNOWN_MS) / QUICK_MS)));
  }

  #usedMs(group: string): number | undefined {
    const account = this.#accounts.get(group);
    return account && account.usedMs * 2 ** ((account.atMs - this.#nowMs()) / HALF_LIFE_MS);
  }
}
