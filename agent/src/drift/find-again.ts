import { type BytePath, joinBytePath, latin1ToBytePath } from '@holdfast/evidence/documents';
import { parentPath } from '../root-view/resolve-path.ts';
import type { UpperEntry, UpperSource } from './upper-source.ts';

/** What tells one object of a file system from every other, also from a later one with the same number. */
export type ObjectId = Pick<UpperEntry['stat'], 'ino' | 'birthNs'>;

/** A place where an object was seen. */
export interface SeenAt {
  readonly path: BytePath;
  readonly id: ObjectId;
}

const ROOT = latin1ToBytePath('/');

/** Whether two answers of the kernel are about one object. */
export function isSameObject(a: ObjectId, b: ObjectId): boolean {
  return a.ino === b.ino && a.birthNs === b.birthNs;
}

/** What came of looking again. */
export interface FoundAgain {
  readonly found: readonly UpperEntry[];
  /** Told by their directory once more, and once more not found. */
  readonly missing: readonly SeenAt[];
}

/**
 * Looks for entries that were seen a moment ago and then not found where they were. Gives what lies at their paths now,
 * and the objects themselves where they, or the first directory above them that has left its place, go by another name
 * in the same directory. What is nowhere was removed, or moved to another directory, which the next walk tells.
 *
 * `directories` holds what the walk saw at each directory's path. Throws `RootfsError`.
 */
export function findAgain(
  vanished: readonly SeenAt[],
  directories: ReadonlyMap<BytePath, ObjectId>,
  source: Pick<UpperSource, 'look' | 'findNames'>,
): FoundAgain {
  const found = new Map<BytePath, UpperEntry>();
  const missing: SeenAt[] = [];
  const moved = new Map<BytePath, Map<BytePath, SeenAt>>();
  for (const seen of vanished) {
    const now = source.look(seen.path);
    if (now !== undefined) found.set(seen.path, now);
    if (now !== undefined && isSameObject(now.stat, seen.id)) continue;
    const [parent, child] = climb(seen, directories, source);
    const children = moved.get(parent) ?? new Map<BytePath, SeenAt>();
    moved.set(parent, children.set(child.path, child));
  }
  for (const [parent, children] of moved) {
    const wanted = [...children.values()];
    const isWanted = (entry: UpperEntry) => wanted.some(({ id }) => isSameObject(id, entry.stat));
    const names = source.findNames(
      parent,
      wanted.map(({ id }) => id.ino),
    );
    const entries = names.map((name) => source.look(joinBytePath(parent, name)));
    for (const entry of entries) if (entry !== undefined && isWanted(entry)) found.set(entry.path, entry);
    // Which of them it was the name alone does not say; those that are gone are not listed the next time.
    if (entries.includes(undefined)) for (const seen of wanted) missing.push(seen);
  }
  return { found: [...found.values()], missing };
}

/** The lowest directory above that is still where it was, and what was seen in it on the way down. */
function climb(
  seen: SeenAt,
  directories: ReadonlyMap<BytePath, ObjectId>,
  source: Pick<UpperSource, 'look'>,
): [parent: BytePath, child: SeenAt] {
  let child = seen;
  for (;;) {
    const parent = parentPath(child.path);
    const told = directories.get(parent);
    if (parent === ROOT || told === undefined) return [parent, child];
    const now = source.look(parent);
    if (now !== undefined && isSameObject(now.stat, told)) return [parent, child];
    child = { path: parent, id: told };
  }
}
