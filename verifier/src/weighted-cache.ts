/** Values that follow from content alone, by its digest. The ones used longest ago go first. */
export interface WeightedCache<T> {
  /** The value under `key`; `create` makes it where it is missing, with about its size in bytes. */
  get(key: string, create: () => { value: T; weight: number }): T;
  /** The value under `key`, if there is one. */
  find(key: string): T | undefined;
  /** Puts a value in the place of what stands under `key`. */
  put(key: string, entry: { value: T; weight: number }): void;
}

/** Creates a cache of values that weigh at most `maxWeight` together; a heavier one is not kept. */
export function createWeightedCache<T>(maxWeight: number): WeightedCache<T> {
  const entries = new Map<string, { value: T; weight: number }>();
  let total = 0;
  const evict = (): void => {
    for (const [key, { weight }] of entries) {
      if (total <= maxWeight) return;
      entries.delete(key);
      total -= weight;
    }
  };
  const place = (key: string, entry: { value: T; weight: number }): void => {
    total -= entries.get(key)?.weight ?? 0;
    entries.delete(key);
    // It would drive all others out before itself.
    if (entry.weight > maxWeight) return;
    total += entry.weight;
    entries.set(key, entry);
    evict();
  };
  const find = (key: string): T | undefined => {
    const known = entries.get(key);
    // While half of it is empty nothing is about to go, and the order need not be kept.
    if (known !== undefined && total >= maxWeight / 2) place(key, known);
    return known?.value;
  };
  return {
    find,
    put: place,
    get: (key, create) => {
      const known = find(key);
      if (known !== undefined) return known;
      const entry = create();
      place(key, entry);
      return entry.value;
    },
  };
}
