/** A file that a process runs or maps, held without being opened for reading: nothing of its file system was asked. */
export interface HeldFile {
  /** As the kernel names it now: bytes as latin1, ` (deleted)` at the end of a name that is gone. */
  readonly path: string;
  /** Of the mount through which it is used. */
  readonly mountId: number;
  /** Whether any name leads to it. Asks its file system. */
  hasName(): boolean;
  /** Asks its file system. Undefined where it cannot tell. */
  identify(): FileIdentity | undefined;
  /**
   * SHA-256, hex; equal answers may come from memory unless `isRestless`. Undefined where it is not a regular file, cannot
   * be read, or is larger than `maxBytes`.
   */
  hash(maxBytes: number, isRestless: boolean): string | undefined;
  close(): void;
}

/** What tells a file from others of one file system, as long as it is not written to. */
export interface FileIdentity {
  readonly ino: bigint;
  readonly ctimeNs: bigint;
  readonly size: bigint;
}

/**
 * What the kernel shows of processes, and of any thread by its own number. All answers are undefined where it is gone or is
 * one of the kernel.
 */
export interface ProcessFiles {
  readStat(pid: number): string | undefined;
  /** Numbers of the threads that did not end, and of the first in any case. */
  listThreads(pid: number): number[] | undefined;
  readMaps(pid: number): ProcBytes | undefined;
  readEnvironment(pid: number): ProcBytes | undefined;
  /** Arguments with NUL after each, latin1. */
  readCommand(pid: number): string | undefined;
  readMountinfo(pid: number): Buffer | undefined;
  /** Names the mount namespace, such as `mnt:[4026532281]`. */
  readMountNamespace(pid: number): string | undefined;
  /** Names the PID namespace. */
  readPidNamespace(pid: number): string | undefined;
  /** Its number in its own PID namespace. */
  readInnerPid(pid: number): number | undefined;
  /** Device as `st_dev` has it, and inode number, of its root directory. */
  statRoot(pid: number): { readonly dev: bigint; readonly ino: bigint } | undefined;
  /** Path of its program, latin1, as `HeldFile.path`. */
  readProgram(pid: number): string | undefined;
  /** Its program, or one of its mappings by range. */
  hold(pid: number, what: 'program' | { readonly range: string }): HeldFile | undefined;
}

/** A text of /proc, cut where it is longer than anything that makes sense. */
export interface ProcBytes {
  readonly bytes: Buffer;
  readonly isCut: boolean;
}

/** Looks into directories of layers, beneath their roots. `path` begins with a slash; bytes as latin1. */
export interface LayerFiles {
  /** What lies at a path; undefined where nothing does. */
  typeOf(directory: string, path: string): 'file' | 'other' | undefined;
  /** Undefined where no regular file is there. */
  identify(directory: string, path: string): FileIdentity | undefined;
  /** As `HeldFile.hash`. */
  hash(directory: string, path: string, maxBytes: number, isRestless: boolean): string | undefined;
  /** Device-independent identity of a directory: inode number. */
  inodeOf(directory: string): bigint | undefined;
}
