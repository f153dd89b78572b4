import type { RootView } from './root-view.ts';

/** A view that holds a file handle or a spool file; `close` may be called twice. */
export interface ClosableView extends RootView, Disposable {
  close(): void;
}

export interface DirectoryViewOptions {
  /** `sha256:…` of the layer that this directory was unpacked from; null (default) for a plain directory. */
  readonly diffId?: string | null;
  /** Most names in one directory. Default 1,000,000. */
  readonly maxEntries?: number;
  /** Largest file that `hashFile` reads. Default 16 GiB. */
  readonly maxHashBytes?: number;
}

/**
 * Opens a directory as the root file system of somebody else, with one layer. Every path is looked up beneath it.
 *
 * Throws `RootfsError` when the directory cannot be opened.
 */
export declare function openDirectoryView(path: string, options?: DirectoryViewOptions): ClosableView;
