import type { BytePath } from '@holdfast/evidence/inventory';
import type { FoundPackage } from './inventory-builder.ts';

export interface FileDigest {
  readonly algorithm: 'md5' | 'sha1' | 'sha256';
  readonly hex: string;
}

/** A package of the operating system's database and where that database lies. */
export interface OsPackage {
  readonly found: FoundPackage;
  readonly database: BytePath;
}

/** Takes which paths a package owns; absolute, as the database writes them (latin1). */
export interface OwnerSink {
  own(path: string, owner: PathOwner): void;
  /** From now on, a path that a list names counts as another one, but in lists of that name. */
  rename(from: string, to: string, exceptFor: string): void;
  /** Owns each line of a list that is an absolute path but the root. */
  ownLines(list: Buffer, owner: PathOwner, listName: string): void;
}

/** One package as an owner; looks its file digests up only when somebody asks. */
export interface PathOwner {
  readonly purl: string;
  digestOf(path: string): FileDigest | undefined;
}

/** What one package format found in a view. */
export interface OsDatabase {
  readonly packages: readonly OsPackage[];
  /** Paths of the files that were read; empty where the format is not used. */
  readonly databases: readonly BytePath[];
  listOwnedPaths(sink: OwnerSink): void;
}
