import type { BytePath } from '@holdfast/evidence';
import type { RootView } from '../root-view/root-view.ts';

export interface FileOwner {
  readonly purl: string;
  /** What the database says of the file's content, where it says anything. */
  readonly digest?: { readonly algorithm: 'md5' | 'sha1' | 'sha256'; readonly hex: string };
}

export interface PackageOwners {
  /** Owner of a path by the database; symbolic links above it and diversions are followed. */
  ownerOf(path: BytePath): FileOwner | undefined;
  /** Paths of the databases read. */
  readonly databases: readonly BytePath[];
  /** Limits hit while reading: the answer `undefined` then proves nothing. */
  readonly limits: readonly string[];
}

/** Reads which package owns which path; give it the view of the lower layers, never of the upper. */
export declare function createPackageOwners(view: RootView): PackageOwners;
