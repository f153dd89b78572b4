import { type FanotifyBatch, type FanotifyWatch, RootfsError, watchFilesystem } from '@holdfast/rootfs';

/** Tells of directories in which something changed: a reason to look, never evidence. */
export interface DirectoryWatch {
  /** False where the kernel cannot tell: the caller looks on a timer instead. */
  readonly works: boolean;
  /** Starts to watch a directory; again is fine. */
  add(directory: string): void;
  remove(directory: string): void;
  close(): void;
}

/**
 * Watches directories by fanotify. `onChange` gets each directory with changes once a batch, `onLost` is called when
 * events were lost. Where fanotify does not work, or stops, `works` is false and nothing is told.
 */
export function createDirectoryWatch(onChange: (directory: string) => void, onLost: () => void): DirectoryWatch {
  return new FanotifyDirectoryWatch(onChange, onLost);
}

class FanotifyDirectoryWatch implements DirectoryWatch {
  #watch: FanotifyWatch | undefined;

  constructor(onChange: (directory: string) => void, onLost: () => void) {
    const onEvents = (batch: FanotifyBatch) => {
      if (batch.error !== undefined) this.close();
      if (batch.overflow) onLost();
      for (const directory of new Set(batch.events.map((event) => event.directory))) onChange(directory);
    };
    this.#attempt(() => {
      this.#watch = watchFilesystem({ paths: [] }, onEvents);
    });
  }

  get works(): boolean {
    return this.#watch !== undefined;
  }

  add(directory: string): void {
    this.#attempt(() => this.#watch?.add(directory));
  }

  remove(directory: string): void {
    this.#attempt(() => this.#watch?.remove(directory));
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
