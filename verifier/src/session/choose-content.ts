import type { MissingContent } from './resolve-evidence.ts';

/**
 * What of missing content to ask for within so many bytes, by the sizes that the claims tell: the smallest first, so that
 * much in one container does not keep out the others. The rest stays missing in this round; the next one asks again.
 */
export function chooseContent(missing: readonly MissingContent[], maxBytes: number): MissingContent[] {
  let left = maxBytes;
  const chosen: MissingContent[] = [];
  for (const item of missing.toSorted((a, b) => a.bytes - b.bytes)) {
    if (item.bytes > left) break;
    left -= item.bytes;
    chosen.push(item);
  }
  return chosen;
}
