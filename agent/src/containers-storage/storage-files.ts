/** The files of a container store, of the host's `/proc` and `/sys`: paths are the host's own. Undefined where one is not there. */
export interface StorageFiles {
  /** Whole regular file. Throws `AgentError` for one above `maxBytes` and where reading is refused. */
  read(path: string, maxBytes: number): Promise<Buffer | undefined>;
  /** Names of the directories in a directory; empty where there is none. */
  listDirectories(path: string): Promise<string[]>;
  readLink(path: string): Promise<string | undefined>;
  /** A text that differs after the file was replaced or written. */
  stamp(path: string): Promise<string | undefined>;
  /** Where a path of the host is seen by this process. */
  toHostPath(path: string): string;
}

/** Where a store keeps what lasts and what a restart of the machine clears. */
export interface StoragePaths {
  /** Such as `/var/lib/containers/storage`. */
  readonly root: string;
  /** Such as `/run/containers/storage`. */
  readonly runRoot: string;
}
