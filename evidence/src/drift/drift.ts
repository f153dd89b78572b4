/** What differs between the running root file system and its image; the Attester's word. */
export interface Drift {
  format: 'holdfast-drift-v1';
  /** Version of the classification rules that made the split. */
  rules: string;
  complete: boolean;
  limits: string[];
  /** Sorted by path bytes. */
  relevant: DriftEntry[];
  other: {
    entries: number;
    bytes: number;
    byDirectory: Record<string, { entries: number; bytes: number }>;
    digest: string;
  };
}

export type DriftKind = 'added' | 'modified' | 'removed' | 'attributes' | 'opaque';
export type DriftEntryType = 'file' | 'directory' | 'symlink' | 'char' | 'block' | 'fifo' | 'socket' | 'none';

export interface DriftEntry {
  /** Slash at the front; bytes that are not UTF-8, control characters and `%` are percent-encoded. */
  path: string;
  kind: DriftKind;
  entryType: DriftEntryType;
  /** Why it is relevant, from the classification's closed list: executable, elf, script, sharedObject, packageDatabase, … */
  reasons: string[];
  /** Of the entry now; absent for removed ones. Mode is the permission bits in octal, such as 4755. */
  after?: DriftAttributes;
  /** Of the same path in the image; absent for added ones. */
  before?: DriftAttributes;
  /** purl of the package that owns the path by the database of the lower layers. */
  ownedBy?: string;
}

export interface DriftAttributes {
  mode: string;
  uid: number;
  gid: number;
  size: number;
  sha256?: string;
  target?: string;
  capability?: string;
  /** SHA-256 over the other extended attributes that a container sees: ACLs, `user.*`, `trusted.*`. Absent where none. */
  xattrs?: string;
  /** Of a device: major and minor number. */
  rdev?: string;
}
