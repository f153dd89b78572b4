/**
 * Where the bytes of code that runs lie: in a layer of the image, in the container's own upper directory, on a mounted
 * volume, on a tmpfs, in a memfd, in a file that has no name any more, or on a file system that the container does not
 * have mounted. `unknown`: on the root file system, at a path where neither a layer nor the upper directory has it.
 */
export type CodeOrigin = 'layer' | 'upper' | 'volume' | 'tmpfs' | 'memfd' | 'deleted' | 'host' | 'unknown';

/** A program or mapped file, seen from inside the container. */
export interface ProgramClaims {
  /** As the kernel names it, without its mark for deleted files; `/memfd:NAME` for a memfd. Written like drift paths. */
  path: string;
  origin: CodeOrigin;
  /** Hex; null where it could not be read, and then a limit says so. */
  sha256: string | null;
}

/** A file whose bytes are executed: as a program of its own, or mapped by one. */
export interface CodeClaims extends ProgramClaims {
  use: 'program' | 'mapped';
}

/** A program that runs in a process that the container's first one did not bring about. */
export interface ExecutedClaims extends ProgramClaims {
  /** Whether the process has a controlling terminal: somebody sits in front of it. */
  terminal: boolean;
}

/** A program that runs where the container's own root directory or mounts are not what it sees. */
export interface ForeignClaims extends ProgramClaims {
  sees: 'otherRoot' | 'otherMounts';
}

/** A variable of a program's environment that puts code of somebody's choice into it. */
export interface InjectionClaims {
  /** Path of the program. */
  path: string;
  name: string;
  /** Cut to 1,024 characters. */
  value: string;
  /** Whether the image's configuration or the container's specification has it with this value; else a process set it. */
  from: 'image' | 'pod' | 'process';
}

/**
 * What was seen to run in a container since its first process was started, or since the agent was if that was later.
 * Each thing is told once, sorted and without process numbers, so that processes that come and go again and again change
 * nothing. Nothing leaves the lists before the container is started anew.
 */
export interface RunningClaims {
  code: CodeClaims[];
  executed: ExecutedClaims[];
  /** Programs with executable memory that no file backs. */
  anonymous: ProgramClaims[];
  foreign: ForeignClaims[];
  injected: InjectionClaims[];
  /** Paths on the upper directory that were executed and gone before they could be read. */
  transient: string[];
}
