import type { RunningClaims } from '@holdfast/evidence';
import type { ContainerGroup } from '../process/container-group.ts';
import type { LookReply } from '../process/look-protocol.ts';
import { type ClassifyVariable, RunningHistory } from '../process/running-history.ts';
import type { MountInfo } from './mountinfo.ts';

const MAX_EXECUTED = 2_000;
/** Runtimes come and go; that each look finds one for so long is not decided. */
const MAX_UNSETTLED_MS = 60_000;

/** The same object says that no process ran in between; undefined where the kernel does not tell. */
export interface CgroupStates {
  now: ContainerGroup | undefined;
  peeked: ContainerGroup | undefined;
  looked: ContainerGroup | undefined;
}

/** What is known of the processes of one container: what was seen since the first of them was started, and what is so now. */
export class RunningState {
  #task: string | undefined;
  #history: RunningHistory | undefined;
  #executed = new Set<string>();
  #limits: readonly string[] = [];
  #unsettledSinceMs: number | undefined;
  /** Device of the overlay as last seen, `major:minor`: a first process that changes its root shows it no more. */
  device: string | undefined;
  /** Mounts of other mount namespaces of the container that its first process does not have. */
  mounts: readonly MountInfo[] = [];
  /** Paths on the upper directory to which stores may go unseen. */
  restless: readonly string[] = [];
  /** When its processes were last looked at. */
  seenMs = Number.NEGATIVE_INFINITY;
  /** What the last peek at them said. */
  signature: string | undefined;
  /** States of their cgroup: as last read, at that peek, before the last look. */
  readonly cgroup: CgroupStates = { now: undefined, peeked: undefined, looked: undefined };

  /** Begins anew where another first process runs than before. */
  begin(task: string): void {
    if (task === this.#task) return;
    this.device = undefined;
    this.#task = task;
    this.#history = undefined;
    this.#limits = [];
    this.#unsettledSinceMs = undefined;
    this.mounts = [];
    this.restless = [];
    this.signature = undefined;
    Object.assign(this.cgroup, { now: undefined, peeked: undefined, looked: undefined });
  }

  /** Undefined before the first look. */
  get claims(): RunningClaims | undefined {
    return this.#history?.claims;
  }

  get limits(): string[] {
    const full = this.#history?.limits ?? [];
    return [...new Set([...this.#limits, ...full])].map((limit) => `running:${limit}`.slice(0, 256));
  }

  /** A path on the upper directory was executed. Bounded: what does not fit is a limit. */
  addExecuted(path: string): void {
    if (this.#executed.size < MAX_EXECUTED) this.#executed.add(path);
    else this.#limits = [...new Set([...this.#limits, 'executions'])];
  }

  takeExecuted(): string[] {
    const executed = [...this.#executed];
    this.#executed.clear();
    return executed;
  }

  /** True where something is other than before. */
  apply(reply: LookReply, classify: ClassifyVariable): boolean {
    const before = JSON.stringify([this.limits, this.mounts]);
    const isFirst = this.#history === undefined;
    this.#history ??= new RunningHistory();
    const isNew = this.#history.add(reply, classify);
    this.#unsettledSinceMs = reply.isUnsettled ? (this.#unsettledSinceMs ?? this.seenMs) : undefined;
    const isTooLong = this.seenMs - (this.#unsettledSinceMs ?? this.seenMs) >= MAX_UNSETTLED_MS;
    this.#limits = isTooLong ? [...reply.limits, 'unsettled'] : reply.limits;
    this.mounts = reply.mounts;
    this.restless = reply.restless;
    return isFirst || isNew || JSON.stringify([this.limits, this.mounts]) !== before;
  }

  /** A look failed: what was to be found is still to be found. True where nothing told of a failure before. */
  fail(reason: string, executed: readonly string[]): boolean {
    for (const path of executed) this.addExecuted(path);
    if (this.#limits.includes(reason)) return false;
    this.#limits = [...this.#limits, reason];
    return true;
  }
}
