import type { ContainerGroup } from '../process/container-group.ts';
import { type ContainerFacts, type Document, encodeContainerClaims, type ScanResult } from './build-claims.ts';
import { ChangeSet } from './change-set.ts';
import type { ContainerRecord } from './container-record.ts';
import type { ResolvedImage } from './image-resolver.ts';
import type { MountInfo } from './mountinfo.ts';
import type { Rootfs } from './rootfs-resolver.ts';
import { RunningState } from './running-state.ts';
import { ScanPlace } from './scan-place.ts';
import { ToldState } from './told-state.ts';

/** Files that processes map shared and writable are read again this often: no event and no time tells of stores. */
const RESTLESS_MS = 2_000;
const REST_SWEEPS = 10;

/** What a scan was made of. */
export interface ScannedState {
  /** Names the lower layers as last checked. */
  readonly lowerKey: string;
  readonly mountPoints: readonly string[];
  /** Of the drift that the inventory depends on; null where it is that of the image. */
  readonly inventoryDigest: string | null;
}

/** Told of a container by itself. */
export interface ContainerListener {
  /** What waited in it is about to be looked at. */
  release?(container: TrackedContainer): void;
  /** It is new, its claims-set is made anew, or what was told of it counts differently. */
  onClaims?(): void;
}

interface MountsSeen {
  readonly seenMs: number;
  readonly cgroup: ContainerGroup | undefined;
}

/** What the collector keeps of one container between two looks. */
export class TrackedContainer {
  #record: ContainerRecord;
  rootfs: Rootfs | undefined;
  image: ResolvedImage | undefined;
  mounts: readonly MountInfo[] = [];
  rootMount: MountInfo | undefined;
  covered: ReadonlySet<string> = new Set();
  readonly running = new RunningState();
  /** When its mounts were last looked at, and the state of its cgroup before that. */
  inside: MountsSeen = { seenMs: Number.NEGATIVE_INFINITY, cgroup: undefined };
  scan: ScanResult | undefined;
  /** Why the last scan gave nothing; shown until one succeeds. */
  failure: string | undefined;
  /** Why the runtime could not be asked about it; shown until it answers. */
  runtimeFailure: string | undefined;
  /** What the scan at hand was made of. */
  scannedAs: ScannedState | undefined;
  readonly place = new ScanPlace();
  /** The runtime said that its first process ended, and nothing was started since. */
  hasExited = false;
  /** An event told that it is gone; the list has it no more, or soon will not. */
  isDeleteTold = false;
  readonly timing: ScanTiming;
  /** Where something changed that no scan has looked at. */
  readonly changes: ChangeSet;
  /** Changes of its data places are looked at by the clock. */
  isTimed = false;
  readonly told = new ToldState();
  /** The state of its cgroup before the last walk of everything. */
  walkedAs: ContainerGroup | undefined;
  readonly #listener: ContainerListener;
  #claims: Document | undefined;
  #judged:
    | { readonly record: ContainerRecord; readonly rootfs: Rootfs | undefined; readonly reasons: string[] }
    | undefined;
  #starts = 0;

  constructor(record: ContainerRecord, nowMs: number, listener: ContainerListener = {}) {
    this.#record = record;
    this.#listener = listener;
    this.changes = new ChangeSet(() => listener.release?.(this));
    this.timing = new ScanTiming(nowMs);
    listener.onClaims?.();
  }

  get record(): ContainerRecord {
    return this.#record;
  }

  /** What a list says now. A start may stand there that no event told of, or one that came before the container was known. */
  setRecord(record: ContainerRecord): void {
    const before = this.#record.task;
    this.#record = record;
    if (isAlive(record.task) && !(isAlive(before) && before?.pid === record.task?.pid)) this.#begin();
  }

  /** It runs, or runs again. */
  onStart(): void {
    this.isDeleteTold = false;
    this.#begin();
  }

  #begin(): void {
    this.hasExited = false;
    this.#starts += 1;
    this.told.clearEnd();
    this.#listener.onClaims?.();
  }

  /** Asked for every round: found out anew with each record and root. */
  get unsupported(): readonly string[] {
    const { record, rootfs } = this;
    if (this.#judged?.record === record && this.#judged.rootfs === rootfs) return this.#judged.reasons;
    const reasons = [...(rootfs?.unsupported ?? [])];
    if (!KNOWN_RUNTIMES.has(record.runtime)) reasons.push(`runtime:${record.runtime}`);
    if (record.spec?.hasUserNamespace === true) reasons.push('userNamespace');
    this.#judged = { record, rootfs, reasons };
    return reasons;
  }

  get isSupported(): boolean {
    return this.unsupported.length === 0;
  }

  get isRunning(): boolean {
    return isAlive(this.record.task);
  }

  /** The kernel shows another root than the snapshotter, or none at all: then the image is not proven to be what runs. */
  get isRootMismatched(): boolean {
    return this.isRunning && this.rootfs !== undefined && this.isSupported && this.rootMount === undefined;
  }

  /** Its claims-set; made anew only after `invalidate`. */
  encodeClaims(listLayers: (container: TrackedContainer) => ContainerFacts['layers']): Document {
    this.#claims ??= encodeContainerClaims(this.#listFacts(listLayers(this)));
    this.told.remember(this.scan?.drift.sha256, this.#claims.sha256);
    return this.#claims;
  }

  /** Something changed of which the claims-set tells. */
  invalidate(): void {
    this.#claims = undefined;
    this.#listener.onClaims?.();
  }

  /** Nothing runs in it, now or from the moment on that the runtime told. */
  get hasEnded(): boolean {
    return this.hasExited || !this.isRunning;
  }

  /** Stands for the end that it came to; undefined while it runs, and another one after each start. */
  get end(): number | undefined {
    return this.hasEnded ? this.#starts : undefined;
  }

  /** When everything is walked again although nothing called for it; later where no process ran since the last time. */
  sweepAgeMs(usualMs: number): number {
    const { cgroup, restless } = this.running;
    if (restless.length > 0) return Math.min(usualMs, RESTLESS_MS);
    return cgroup.now !== undefined && cgroup.now === this.walkedAs ? usualMs * REST_SWEEPS : usualMs;
  }

  /** Its last state was read and told. */
  get isCaptured(): boolean {
    return this.hasEnded && this.told.isEndTold;
  }

  #listFacts(layers: ContainerFacts['layers']): ContainerFacts {
    const { record, rootfs, mounts, covered, scan, isTimed, unsupported } = this;
    const limits: string[] = [...this.running.limits];
    if (this.failure !== undefined) limits.push(this.failure);
    if (this.runtimeFailure !== undefined) limits.push(this.runtimeFailure);
    if (this.isRootMismatched) limits.push('rootMismatch');
    const running = this.running.claims;
    if (running === undefined && this.isRunning && unsupported.length === 0) limits.push('notLookedAt');
    const image = this.isRootMismatched ? undefined : this.image;
    const allMounts = { mounts, otherMounts: this.running.mounts };
    return { record, rootfs, image, layers, ...allMounts, covered, running, scan, limits, isTimed, unsupported };
  }
}

function isAlive(task: ContainerRecord['task']): boolean {
  return task !== undefined && task.status !== 'stopped';
}

/**
 * Runtimes whose processes share this machine's kernel and mount what the snapshotter prepared: as containerd names them,
 * then as monitors of podman and CRI-O are told; `none` where nothing runs.
 */
export const KNOWN_RUNTIMES: ReadonlySet<string> = new Set([
  'io.containerd.runc.v2',
  'io.containerd.runc.v1',
  'io.containerd.runtime.v1.linux',
  'runc',
  'crun',
  'none',
]);
const MAX_PAUSE_MS = 1_000;
/** A walk that takes long is repeated no sooner than after this many times its length; for counts alone later. */
const SWEEP_SHARE = 20;
const COUNTS_SHARE = 400;
const COUNTS_MS = 5_000;
const TIMED_COUNTS_MS = 30_000;
const MAX_RETRY_MS = 60_000;
/** A walk of this length is not repeated before three times its length has gone by. */
const LONG_WALK_MS = 2_000;
const MAX_LONG_PAUSE_MS = 300_000;

/** When a container was last scanned, since when there are changes that no scan covers, and when the next may start. */
export class ScanTiming {
  #dirtySinceMs: number | undefined;
  #coveredSinceMs: number | undefined;
  #isScanning = false;
  #walkedMs: number;
  #walkMs = 0;
  #isAskedWhole = true;
  /** What the last scan took that was asked for everything, and the last one for some paths, whatever it came to. */
  #tookMs = { whole: 0, part: 0 };
  #isPartial = false;
  #failures = 0;

  constructor(nowMs: number) {
    this.#dirtySinceMs = nowMs;
    this.#walkedMs = nowMs;
  }

  get isScanning(): boolean {
    return this.#isScanning;
  }

  get isDirty(): boolean {
    return this.#dirtySinceMs !== undefined;
  }

  /** End of the last scan that walked everything; before the first one, when the container was first seen. */
  get walkedMs(): number {
    return this.#walkedMs;
  }

  /**
   * Whether everything should be walked although no event calls for it: after `ageMs`, sooner where scans since the last
   * walk left counts behind, and no sooner than after many times what a walk takes. `isTimed`: they always do.
   */
  isWalkDue(nowMs: number, ageMs: number, isTimed = false): boolean {
    const sinceMs = nowMs - this.#walkedMs;
    if (sinceMs >= Math.max(ageMs, this.#walkMs * SWEEP_SHARE)) return true;
    const countsMs = isTimed ? TIMED_COUNTS_MS : COUNTS_MS;
    return this.#isPartial && sinceMs >= Math.max(countsMs, this.#walkMs * COUNTS_SHARE);
  }

  /** Since when there is a change that no finished scan covers. */
  get pendingSinceMs(): number | undefined {
    return this.#coveredSinceMs ?? this.#dirtySinceMs;
  }

  markDirty(nowMs: number): void {
    this.#dirtySinceMs ??= nowMs;
  }

  start(nowMs: number, isWhole = true): void {
    this.#isScanning = true;
    this.#isAskedWhole = isWhole;
    this.#coveredSinceMs = this.#dirtySinceMs ?? nowMs;
    this.#dirtySinceMs = undefined;
  }

  /** `tookMs`: what reading the upper directory took, without the wait for its turn; `isWhole`: everything was walked. */
  finish(nowMs: number, tookMs: number, isWhole: boolean): void {
    this.#tookMs[this.#isAskedWhole ? 'whole' : 'part'] = tookMs;
    this.#isScanning = false;
    this.#coveredSinceMs = undefined;
    this.#isPartial = !isWhole;
    if (isWhole) {
      this.#walkMs = tookMs;
      this.#walkedMs = nowMs;
    }
    this.#failures = 0;
  }

  /** What the failed scan should have covered is still to be scanned. */
  fail(nowMs: number): void {
    this.#dirtySinceMs = this.#coveredSinceMs ?? this.#dirtySinceMs ?? nowMs;
    this.#coveredSinceMs = undefined;
    this.#isScanning = false;
    this.#failures += 1;
  }

  /**
   * Milliseconds from a change to the scan that looks for it: long enough to gather what comes together, longer for
   * a container whose scans of this kind take long, so that a busy one cannot keep the scanner for itself, and after failures.
   */
  pauseMs(coalesceMs: number, isWhole = true): number {
    const tookMs = this.#tookMs[isWhole ? 'whole' : 'part'];
    if (this.#failures > 0) return Math.min(1_000 * 2 ** (this.#failures - 1), MAX_RETRY_MS);
    if (tookMs > LONG_WALK_MS) return Math.min(tookMs * 3, MAX_LONG_PAUSE_MS);
    return Math.max(coalesceMs, Math.min(tookMs * 4, MAX_PAUSE_MS));
  }
}
