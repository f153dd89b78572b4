import { type BytePath, joinBytePath, latin1ToBytePath, toBytePath } from '@holdfast/evidence/inventory';
import type { ViewEntry } from './root-view.ts';

/** The kernel's own limit (MAXSYMLINKS). */
const MAX_LINKS = 40;
const ROOT = toBytePath('/');

/**
 * Resolves every symbolic link of a path inside a root by `lstat` alone, as `chroot` would: an absolute target starts at
 * the root and `..` stops there.
 *
 * Undefined where a part is missing or no directory, and after 40 links.
 */
export function resolvePath(
  lstat: (path: BytePath) => Pick<ViewEntry, 'type' | 'target'> | undefined,
  path: BytePath,
): BytePath | undefined {
  const todo = splitPath(path);
  let links = 0;
  let at: BytePath = ROOT;
  for (let part = todo.pop(); part !== undefined; part = todo.pop()) {
    if (part === '..') {
      at = parentPath(at);
      continue;
    }
    const next = joinBytePath(at, part);
    const entry = lstat(next);
    if (entry?.type === 'symlink') {
      links += 1;
      if (links > MAX_LINKS || entry.target === undefined || entry.target === '') return undefined;
      if (entry.target.startsWith('/')) at = ROOT;
      todo.push(...splitPath(entry.target));
    } else if (entry === undefined || (todo.length > 0 && entry.type !== 'directory')) return undefined;
    else at = next;
  }
  return at;
}

/** The directory that holds a path; of the root, the root. */
export function parentPath(path: BytePath): BytePath {
  const slash = path.lastIndexOf('/');
  return slash <= 0 ? ROOT : latin1ToBytePath(path.slice(0, slash));
}

/** Parts of a path or link target, last one first, ready to be popped. */
export function splitPath(path: string): string[] {
  return path
    .split('/')
    .filter((part) => part !== '' && part !== '.')
    .reverse();
}
