/** What a process holds at one moment. */
export interface SoakSample {
  /** Work that was done until then. */
  readonly count: number;
  readonly rssMib: number;
  /** JavaScript objects after a collection. */
  readonly heapMib: number;
  readonly threads: number;
  readonly descriptors: number;
}

/** Before a fifth of the work is done, caches and compiled code still grow. */
const WARM = 0.2;
const LEAST_SAMPLES = 10;

/**
 * How much more of something there is in the last quarter of a run than in the first one after it became warm, by
 * medians: single samples are moved by the allocator. Throws `RangeError` for too few samples.
 */
export function measureGrowth(samples: readonly SoakSample[], what: Exclude<keyof SoakSample, 'count'>): number {
  const warm = samples.slice(Math.ceil(samples.length * WARM)).map((sample) => sample[what]);
  if (warm.length < LEAST_SAMPLES) throw new RangeError(`${samples.length} samples are too few`);
  const quarter = Math.floor(warm.length / 4);
  return median(warm.slice(-quarter)) - median(warm.slice(0, quarter));
}

function median(values: readonly number[]): number {
  const sorted = values.toSorted((a, b) => a - b);
  const at = (index: number) => sorted[index] ?? Number.NaN;
  const middle = Math.floor(sorted.length / 2);
  return sorted.length % 2 === 1 ? at(middle) : (at(middle - 1) + at(middle)) / 2;
}
