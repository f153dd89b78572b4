import type { ContainersClaims } from '@holdfast/evidence';
import type { ClaimsSetNames } from './told-state.ts';

/** Everything that is claimed about the containers of a kube node at one moment. */
export interface ContainerSnapshot {
  /** Index of the claims-sets; its own bytes are made by the caller. */
  readonly index: ContainersClaims;
  /** Claims-sets as encoded bytes by their SHA-256 (lower-case hex): exactly those that `index` names. */
  readonly sets: ReadonlyMap<string, Buffer>;
  /** Inventories and drift documents by their SHA-256 (lower-case hex): exactly those that the claims-sets name. */
  readonly blobs: ReadonlyMap<string, Buffer>;
  /**
   * What could not be captured since the last call of `collect`: `NOT_CAPTURED:<id>` for a container that was removed
   * before its last state was read, or without a word within ten seconds that a Verifier took what was read, `NOT_OBSERVED:<id>` for one that came and went between two looks. Each is told once
   * here, and stands among the limits of the index for five minutes.
   */
  readonly lost: readonly string[];
}

/**
 * Owns all that the agent knows of containers: which ones run, from which images, and what changed in them.
 *
 * `collect` never waits for a scan that is under way for another container and never throws for what a container or a
 * runtime does: what could not be read stands among the limits of a claims-set or of the index. Bytes are identical
 * between two calls until something changes.
 */
export interface ContainerCollector {
  /**
   * Connects to the runtime, scans what runs and subscribes to its events. Throws `AgentError` when the runtime cannot
   * be reached at all, is not permitted, or is another service.
   */
  start(): Promise<void>;
  collect(): Promise<ContainerSnapshot>;
  /** These claims-sets (SHA-256, lower-case hex) were taken by a Verifier as evidence of their moment. */
  confirm(sets: ClaimsSetNames): void;
  /** Calls back after a claims-set changed or a container appeared or left. Several callbacks may be set. */
  onDirty(callback: () => void): void;
  /** Containers with changes that no finished scan covers: id, and milliseconds since the oldest such change. */
  pending(): [string, number][];
  /** Milliseconds since the oldest of the last finished scans; 0 where there is no container. */
  oldestScanMs(): number;
  /** Name and version of each runtime that answers. */
  runtimes(): { name: string; version: string }[];
  /** Ends subscriptions, watches and workers. */
  close(): Promise<void>;
}

/** How the collector reads the runtimes of one machine: containerd, a container store, or both. */
export interface ContainerCollectorOptions {
  /** containerd's socket, such as `/run/containerd/containerd.sock`. */
  readonly address?: string | undefined;
  /** Store of podman or CRI-O: such as `/var/lib/containers/storage` and `/run/containers/storage`. */
  readonly containersStorage?: { readonly root: string; readonly runRoot: string } | undefined;
  /** Namespaces of containerd to look at; all of them where absent. */
  readonly namespaces?: readonly string[];
  /** Ids of the containers to look at; all of them where absent. The others then count as losses when they leave. */
  readonly selects?: (id: string) => boolean;
  /** Where the host's file system and `/proc` are seen by this process; default `/`. */
  readonly hostRoot?: string;
  /** Changes are gathered for this long before a scan, in milliseconds; default 50. */
  readonly coalesceMs?: number;
  /** How often every upper directory is walked by stat where no events tell of changes, in milliseconds; default 1000. */
  readonly pollMs?: number;
  /** How often every upper directory is walked by stat where events tell of changes, in milliseconds; default 30000. */
  readonly sweepMs?: number;
  /** How often it is looked whether anything was started or mounted in containers, in milliseconds; default 5000. */
  readonly peekMs?: number;
  /** Longest time of one scan of one container, in milliseconds; default 120000. */
  readonly scanTimeoutMs?: number;
  /** How often the times of every lower directory are looked at, in milliseconds; default 300000. */
  readonly lowerCheckMs?: number;
  /** How often every lower directory is read again byte for byte, in milliseconds; default 24 hours. */
  readonly scrubMs?: number;
  /** Whether `confirm` will be called. Without, a container counts as captured once `collect` told of it; default false. */
  readonly areConfirmed?: boolean;
}
