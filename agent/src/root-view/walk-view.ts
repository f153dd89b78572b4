import { type BytePath, joinBytePath, toBytePath } from '@holdfast/evidence';
import {
  DEFAULT_MAX_PATH_BYTES,
  type RootView,
  ViewLimitError,
  type WalkedEntry,
  type WalkLimits,
} from './root-view.ts';

const ROOT = toBytePath('/');

/**
 * Tells every entry below the root of a view, each directory before its content; links are not followed.
 *
 * Throws `ViewLimitError` (`entries`, `depth`, `pathBytes`, or whatever the view hits): what was told before is not the whole.
 */
export function walkView(
  view: RootView,
  limits: WalkLimits,
  onEntry: (path: BytePath, entry: WalkedEntry) => void,
): void {
  if (view.walk !== undefined) {
    view.walk(limits, onEntry);
    return;
  }
  const { maxPathBytes = DEFAULT_MAX_PATH_BYTES } = limits;
  let entries = 0;
  let waitingBytes = 0;
  const pending: { path: BytePath; depth: number }[] = [{ path: ROOT, depth: 0 }];
  waitingBytes += ROOT.length;
  for (let next = pending.pop(); next !== undefined; next = pending.pop()) {
    const { path, depth } = next;
    waitingBytes -= path.length;
    if (depth > limits.maxDepth) throw new ViewLimitError('depth', path);
    for (const name of view.list(path)) {
      const child = joinBytePath(path, name);
      const entry = view.lstat(child);
      entries += 1;
      if (entries > limits.maxEntries) throw new ViewLimitError('entries', child);
      if (entry === undefined) continue;
      onEntry(child, { type: entry.type, mode: entry.mode, size: entry.size });
      if (entry.type !== 'directory') continue;
      waitingBytes += child.length;
      if (waitingBytes > maxPathBytes) throw new ViewLimitError('pathBytes', path);
      pending.push({ path: child, depth: depth + 1 });
    }
  }
}
