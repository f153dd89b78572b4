import { type BytePath, joinBytePath, toBytePath } from '@holdfast/evidence/inventory';
import { splitPath } from '../root-view/resolve-path.ts';
import type { RootView } from '../root-view/root-view.ts';

const ROOT = toBytePath('/');

/**
 * Finds what stands where a database was not found: something at its very path that is no file, or a link on the way to it
 * that leads nowhere inside the root. Undefined where nothing is there, and then there is no database.
 *
 * A link in the root itself (/lib on a root without /usr/lib) says nothing of a database.
 */
export function findHiddenDatabase(view: RootView, path: BytePath): BytePath | undefined {
  const todo = splitPath(path);
  let listed = ROOT;
  let at: BytePath | undefined = ROOT;
  for (let part = todo.pop(); part !== undefined; part = todo.pop()) {
    const isInRoot = listed === ROOT;
    const next = joinBytePath(at, part);
    listed = joinBytePath(listed, part);
    const entry = view.lstat(next);
    if (entry === undefined) return undefined;
    if (todo.length === 0) return listed;
    at = entry.type === 'symlink' ? view.resolve(next) : next;
    if (at === undefined) return isInRoot ? undefined : listed;
  }
  return undefined;
}
