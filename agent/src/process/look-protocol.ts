import type {
  CodeClaims,
  ExecutedClaims,
  ForeignClaims,
  InjectionClaims,
  ProgramClaims,
} from '@holdfast/evidence/documents';
import type { MountInfo } from '../container/mountinfo.ts';

/** Looks at every process of one container. */
export interface LookRequest {
  readonly kind: 'look';
  /** Where this process sees the host's root directory. */
  readonly hostRoot: string;
  /** The container's first process. */
  readonly pid: number;
  /** It was created and not started. */
  readonly isCreated: boolean;
  /** Where the runtime was told to put its cgroup, by its specification; null where it does not say. */
  readonly cgroupsPath: string | null;
  /** All of its cgroup by the runtime's word; null while the cgroup itself is to be read. */
  readonly pids: readonly number[] | null;
  /** Device number of its overlay, `major:minor`, decimal. */
  readonly device: string;
  /** Directories as this process sees them, bottom first. */
  readonly lowers: readonly string[];
  readonly upper: string | null;
  /** Paths on the upper directory that were executed since the last look; begin with a slash, latin1. */
  readonly executed: readonly string[];
  readonly budgetMs: number;
}

/** Rows in no order, each once. */
export interface LookReply {
  readonly code: readonly CodeClaims[];
  readonly executed: readonly ExecutedClaims[];
  readonly anonymous: readonly ProgramClaims[];
  readonly foreign: readonly ForeignClaims[];
  readonly injected: readonly Omit<InjectionClaims, 'from'>[];
  readonly transient: readonly string[];
  /** Mounts of other mount namespaces that the first process does not have. */
  readonly mounts: readonly MountInfo[];
  /** Paths on the upper directory that processes map shared and writable; begin with a slash, latin1. */
  readonly restless: readonly string[];
  readonly limits: readonly string[];
  /** Something looks like the runtime on its way into the container: to be looked at again soon. */
  readonly isUnsettled: boolean;
}

/** The cgroup cannot be read from here: the runtime is to be asked for its processes. */
export const NO_GROUP = 'noGroup';

/** Asks whether anything about these containers' processes is other than at the last time. */
export interface PeekRequest {
  readonly kind: 'peek';
  readonly hostRoot: string;
  readonly asked: readonly PeekAsked[];
}

export interface PeekAsked {
  /** The container's first process. */
  readonly pid: number;
  /** All of its processes that are known. */
  readonly pids: readonly number[];
}

/** A text for each container that was asked for; equal texts say that nothing was seen to change. */
export interface PeekReply {
  readonly signatures: readonly string[];
}
