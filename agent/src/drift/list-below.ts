import { type BytePath, joinBytePath } from '@holdfast/evidence/documents';
import type { RootView, ViewEntry } from '../root-view/root-view.ts';

/** Every entry of a view below a directory, each directory before its content. Throws `ViewLimitError`. */
export function* listBelow(view: RootView, directory: BytePath): Generator<[BytePath, ViewEntry]> {
  const pending = [directory];
  for (let at = pending.pop(); at !== undefined; at = pending.pop()) {
    for (const name of view.list(at)) {
      const path = joinBytePath(at, Buffer.from(name, 'latin1'));
      const entry = view.lstat(path);
      if (entry === undefined) continue;
      yield [path, entry];
      if (entry.type === 'directory') pending.push(path);
    }
  }
}
