import {
  type FanotifyBatch,
  type FanotifyEvent,
  type FanotifyEventKind,
  type FanotifyWatch,
  RootfsError,
  watchFilesystem,
} from '@holdfast/rootfs';
import type { PathChange } from './change-set.ts';

export interface WatchListener {
  readonly onChange: (directory: string, changes: readonly PathChange[]) => void;
  /** `path` is relative to the directory, bytes as latin1. */
  onExecute(directory: string, path: string): void;
  /** So many writes to muted names were not told. */
  onMuted(directory: string, count: number): void;
  onLost(): void;
}

/** Tells of directories in which something changed: a reason to look, never evidence. */
export interface DirectoryWatch {
  /** False where the kernel cannot tell: the caller looks on a timer instead. */
  readonly works: boolean;
  /** Starts to watch a directory; again is fine. */
  add(directory: string): void;
  remove(directory: string): void;
  /** What is only written to these names, which wait to be looked at, is told no more until `unmute`. */
  mute(directory: string, paths: readonly string[]): void;
  unmute(directory: string): void;
  close(): void;
}

/**
 * Watches directories by fanotify. `onChange` gets each directory with its changes once a batch, `onExecute` each path below
 * one that was executed, `onLost` is called when events were lost. Where fanotify does not work, or stops, `works` is
 * false and nothing is told.
 */
export function createDirectoryWatch(listener: WatchListener): DirectoryWatch {
  return new FanotifyDirectoryWatch(listener);
}

/** Between two batches while something goes on; changes are gathered for as long anyway. The first one comes at once. */
const BATCH_MS = 50;

class FanotifyDirectoryWatch implements DirectoryWatch {
  #watch: FanotifyWatch | undefined;

  constructor(listener: WatchListener) {
    const onEvents = (batch: FanotifyBatch) => {
      if (batch.error !== undefined) this.close();
      if (batch.overflow) listener.onLost();
      for (const { directory, count } of batch.muted) listener.onMuted(directory, count);
      for (const [directory, changes] of groupChanges(batch.events)) listener.onChange(directory, changes);
      for (const { directory, path, kinds, isDirectory } of batch.events) {
        if (kinds.includes('execute') && !isDirectory) listener.onExecute(directory, path);
      }
    };
    this.#attempt(() => {
      this.#watch = watchFilesystem({ paths: [], batchMs: BATCH_MS }, onEvents);
    });
  }

  get works(): boolean {
    return this.#watch !== undefined;
  }

  add(directory: string): void {
    this.#attempt(() => this.#watch?.add(directory));
    // Whoever comes new to it has not yet what others let wait.
    this.unmute(directory);
  }

  remove(directory: string): void {
    this.#attempt(() => this.#watch?.remove(directory));
  }

  mute(directory: string, paths: readonly string[]): void {
    this.#watch?.mute(directory, paths);
  }

  unmute(directory: string): void {
    this.#watch?.unmute(directory);
  }

  close(): void {
    this.#watch?.close();
    this.#watch = undefined;
  }

  #attempt(call: () => void): void {
    try {
      call();
    } catch (error) {
      if (!(error instanceof RootfsError)) throw error;
      // A directory that went away is told of by its container; anything else means that events would be missing.
      if (error.code !== 'ERR_ROOTFS_NOT_FOUND') this.close();
    }
  }
}

function groupChanges(events: readonly FanotifyEvent[]): Map<string, PathChange[]> {
  const groups = new Map<string, PathChange[]>();
  for (const { directory, path, kinds } of events) {
    const { isChange, isContentOnly } = judgeKinds(kinds);
    if (!isChange) continue;
    const group = groups.get(directory);
    if (group === undefined) groups.set(directory, [{ path, isContentOnly }]);
    else group.push({ path, isContentOnly });
  }
  return groups;
}

/** Events of equal kinds share their list. */
const JUDGED = new WeakMap<
  readonly FanotifyEventKind[],
  { readonly isChange: boolean; readonly isContentOnly: boolean }
>();

function judgeKinds(kinds: readonly FanotifyEventKind[]) {
  const known = JUDGED.get(kinds);
  if (known !== undefined) return known;
  const judged = {
    isChange: kinds.some((kind) => kind !== 'execute'),
    isContentOnly: kinds.every((kind) => kind === 'modify' || kind === 'closeWrite' || kind === 'execute'),
  };
  JUDGED.set(kinds, judged);
  return judged;
}
