/** Token buckets by key. */
export interface RateLimiter {
  /** Takes one token; false when there is none. */
  take(key: string): boolean;
}

export interface RateLimiterDeps {
  readonly perSecond: number;
  readonly burst: number;
  /** Milliseconds on a clock that never goes back. */
  readonly monotonicMs: () => number;
  /** Buckets that are kept; the one that was used longest ago goes first. */
  readonly maxKeys: number;
}

/** Creates token buckets that start full. */
export function createRateLimiter(deps: RateLimiterDeps): RateLimiter {
  const buckets = new Map<string, { tokens: number; atMs: number }>();
  return {
    take: (key) => {
      const nowMs = deps.monotonicMs();
      const bucket = buckets.get(key) ?? { tokens: deps.burst, atMs: nowMs };
      const tokens = Math.min(deps.burst, bucket.tokens + ((nowMs - bucket.atMs) * deps.perSecond) / 1000);
      buckets.delete(key);
      buckets.set(key, { tokens: tokens >= 1 ? tokens - 1 : tokens, atMs: nowMs });
      const oldest = buckets.keys().next();
      if (buckets.size > deps.maxKeys && !oldest.done) buckets.delete(oldest.value);
      return tokens >= 1;
    },
  };
}

/** How many things each key holds at once. */
export interface Gate {
  /** A function that gives the place back, or undefined when all places of the key are taken. */
  enter(key: string): (() => void) | undefined;
}

/** What one stream holds in a gate. */
export interface Place {
  /** That for which it is held. */
  readonly key: string;
  /** Holds it for another key instead; false, with nothing changed, when all places of that one are taken. */
  move(key: string): boolean;
  leave(): void;
}

/** Takes a place, or gives undefined when all places of the key are taken. */
export function takePlace(gate: Gate, key: string): Place | undefined {
  let held = { key, leave: gate.enter(key) };
  if (held.leave === undefined) return undefined;
  return {
    get key() {
      return held.key;
    },
    move: (other) => {
      if (other === held.key) return true;
      const leave = gate.enter(other);
      if (leave === undefined) return false;
      held.leave?.();
      held = { key: other, leave };
      return true;
    },
    leave: () => held.leave?.(),
  };
}

/** Creates a gate with `places` for each key. */
export function createGate(places: number): Gate {
  const held = new Map<string, number>();
  return {
    enter: (key) => {
      const count = held.get(key) ?? 0;
      if (count >= places) return undefined;
      held.set(key, count + 1);
      let left = false;
      return () => {
        if (left) return;
        left = true;
        const rest = (held.get(key) ?? 1) - 1;
        if (rest === 0) held.delete(key);
        else held.set(key, rest);
      };
    },
  };
}
