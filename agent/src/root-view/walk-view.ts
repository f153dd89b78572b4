import { type BytePath, joinBytePath, toBytePath } from '@holdfast/evidence/inventory';
import {
  DEFAULT_MAX_PATH_BYTES,
  type RootView,
  type TreeVisitor,
  type TreeWalk,
  ViewLimitError,
  type WalkLimits,
} from './root-view.ts';

const ROOT = toBytePath('/');

/**
 * Begins a walk through a whole view: in the background where the view can, else as it is told. Links are not followed.
 * Tell the walk or close it.
 */
export function startTreeWalk(view: RootView, limits: WalkLimits): TreeWalk {
  return view.startWalk?.(limits) ?? { tell: (visitor) => walkView(view, limits, visitor), close: () => undefined };
}

function walkView(view: RootView, limits: WalkLimits, visitor: TreeVisitor): void {
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
      visitor.entry(path, name, { type: entry.type, mode: entry.mode, size: entry.size });
      if (entry.type !== 'directory') continue;
      waitingBytes += child.length;
      if (waitingBytes > maxPathBytes) throw new ViewLimitError('pathBytes', path);
      pending.push({ path: child, depth: depth + 1 });
    }
  }
}
