/** The middle value; the mean of the two middle ones where the count is even. */
export function median(values: readonly number[]): number {
  return percentile(values, 50);
}

/** The value below which `percent` of the values lie, between neighbours by line. */
export function percentile(values: readonly number[], percent: number): number {
  const sorted = values.toSorted((a, b) => a - b);
  const place = ((sorted.length - 1) * percent) / 100;
  const below = sorted[Math.floor(place)];
  const above = sorted[Math.ceil(place)];
  if (below === undefined || above === undefined) throw new RangeError('no values');
  return below + (above - below) * (place - Math.floor(place));
}

/** What is measured: runs once and gives its value. */
export type Side = () => Promise<number>;

/**
 * Runs every side once for warmth, then `repeats` times in turn, so that what the machine does beside falls on all of
 * them. The order turns round each time. Gives each side's values.
 */
export async function interleave<Name extends string>(
  sides: Readonly<Record<Name, Side>>,
  repeats: number,
): Promise<Record<Name, number[]>> {
  const values: Record<string, number[]> = {};
  const entries: [string, Side][] = Object.entries(sides);
  for (const [name, run] of entries) {
    values[name] = [];
    await run();
  }
  for (let repeat = 0; repeat < repeats; repeat += 1) {
    const order = repeat % 2 === 0 ? entries : entries.toReversed();
    for (const [name, run] of order) values[name]?.push(await run());
  }
  return takeAll(sides, values);
}

function takeAll<Name extends string>(sides: Readonly<Record<Name, Side>>, values: Record<string, number[]>) {
  const isWhole = (found: Record<string, number[]>): found is Record<Name, number[]> =>
    Object.keys(sides).every((name) => name in found);
  if (!isWhole(values)) throw new TypeError('a side is missing');
  return values;
}

/** Median of the quotients of values that were measured next to each other: the load of the machine cancels out. */
export function medianRatio(values: readonly number[], others: readonly number[]): number {
  return median(values.map((value, at) => value / (others[at] ?? Number.NaN)));
}

/** Calls `work` `count` times and gives the calls a second. */
export function measureRate(count: number, work: (at: number) => void): number {
  const start = performance.now();
  for (let at = 0; at < count; at += 1) work(at);
  return (count * 1000) / (performance.now() - start);
}

/** The same for work that is awaited, one after another. */
export async function measureAsyncRate(count: number, work: (at: number) => Promise<unknown>): Promise<number> {
  const start = performance.now();
  for (let at = 0; at < count; at += 1) await work(at);
  return (count * 1000) / (performance.now() - start);
}

/**
 * Runs `work` and gives the CPU time that this process used meanwhile, in ms: every thread, the collector's and the
 * kernel's share included. Where cores are shared it says more of one core's rate than the wall does.
 */
export async function measureCpuMs(work: () => Promise<unknown>): Promise<number> {
  const before = process.cpuUsage();
  await work();
  const { user, system } = process.cpuUsage(before);
  return (user + system) / 1000;
}
