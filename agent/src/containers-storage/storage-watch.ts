import { type FSWatcher, watch } from 'node:fs';

/** Tells that something was made, replaced or removed in one of some directories: a reason to look, never evidence. */
export interface StorageWatch {
  /** Names that came or went since the last call, of any of the directories. */
  takeNames(): string[];
  close(): void;
}

/** Watches directories that exist; where one does not, or the kernel has no watch left, the caller's timer has to do. */
export function createStorageWatch(directories: readonly string[], onChange: () => void): StorageWatch {
  const names = new Set<string>();
  const watches: FSWatcher[] = [];
  for (const directory of directories) {
    try {
      const opened = watch(directory, (_event, name) => {
        if (name !== null && names.size < MAX_NAMES) names.add(name);
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
