import { type FSWatcher, watch } from 'node:fs';

/** Tells that something was made, replaced or removed in one of some directories: a reason to look, never evidence. */
export interface StorageWatch {
  /** Names that came or went since the last call in those directories whose names are wanted. */
  takeNames(): string[];
  close(): void;
}

export interface WatchedDirectory {
  readonly path: string;
  /** Its entries are named after containers. */
  readonly holdsContainers: boolean;
}

/** Watches directories that exist; where one does not, or the kernel has no watch left, the caller's timer has to do. */
export function createStorageWatch(directories: readonly WatchedDirectory[], onChange: () => void): StorageWatch {
  const names = new Set<string>();
  const watches: FSWatcher[] = [];
  for (const { path, holdsContainers } of directories) {
    try {
      const opened = watch(path, (_event, name) => {
        if (holdsContainers && name !== null && names.size < MAX_NAMES) names.add(name);
        onChange();
      });
      opened.on('error', () => opened.close());
      watches.push(opened);
    } catch {
      // Not there yet, or no watch left.
    }
  }
  const takeNames = (): string[] => {
    const taken = [...names];
    names.clear();
    return taken;
  };
  const close = (): void => {
    for (const opened of watches) opened.close();
  };
  return { takeNames, close };
}

const MAX_NAMES = 10_000;
