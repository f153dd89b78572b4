/** Values that follow from content alone, by its digest. The ones used longest ago go first. */
export interface WeightedCache<T> {
  /** The value under `key`; `create` makes it where it is missing, with about its size in bytes. */
  get(key: string, create: () => { value: T; weight: number }): T;
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
  return {
    get: (key, create) => {
      const known = entries.get(key);
      // While half of it is empty nothing is about to go, and the order need not be kept.
      if (known !== undefined && total < maxWeight / 2) return known.value;
      const entry = known ?? create();
      if (!entries.delete(key)) total += entry.weight;
      entries.set(key, entry);
      evict();
      return entry.value;
    },
  };
}
