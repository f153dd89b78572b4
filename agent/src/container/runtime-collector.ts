import type { ContainerdEvent } from '../containerd/containerd-events.ts';
import type { ProcessLooker } from '../process/process-looker.ts';
import type { Scanner } from '../scan/create-scanner.ts';
import type { PathChange } from './change-set.ts';
import type { ContainerCollector, ContainerSnapshot } from './container-collector.ts';
import type { ContainerInspector } from './container-inspector.ts';
import { ContainerLook } from './container-look.ts';
import type { ContainerRecord } from './container-record.ts';
import { Departures } from './departures.ts';
import type { DirectoryWatch, WatchListener } from './directory-watch.ts';
import { LayerProofs } from './layer-proofs.ts';
import { RunningLooks } from './running-looks.ts';
import type { RuntimeSource } from './runtime-source.ts';
import { findOldestScanMs, listPending } from './scan-ages.ts';
import { ScanJobs } from './scan-jobs.ts';
import { SnapshotTaker } from './take-snapshot.ts';
import { Timers } from './timers.ts';
import type { ClaimsSetNames } from './told-state.ts';
import { type ContainerListener, TrackedContainer } from './tracked-container.ts';
import { UpperChanges } from './upper-changes.ts';

export interface RuntimeCollectorDeps {
  readonly source: RuntimeSource;
  readonly scanner: Scanner;
  readonly inspector: ContainerInspector;
  readonly looker: ProcessLooker;
  createWatch(listener: WatchListener): DirectoryWatch;
  readonly clock: { monotonicMs(): number };
  readonly hostRoot: string;
  readonly coalesceMs: number;
  readonly pollMs: number;
  readonly peekMs: number;
  readonly sweepMs: number;
  readonly scanTimeoutMs: number;
  readonly lowerCheckMs: number;
  readonly scrubMs: number;
  /** Whether `confirm` is called for what a Verifier took. */
  readonly areConfirmed: boolean;
}

/** How often the runtime is asked for its list although no event called for it. */
const RELIST_MS = 30_000;
/** A command that was started in a container has unshared, mounted or changed its root by then, if it does. */
const SETTLED_MS = 1_000;
/** What moves in a container that ended is most often its removal, and soon it is in no list: half of it is not told. */
const REMOVAL_MS = 1_000;
/** Containers looked at side by side. */
const PARALLEL_LOOKS = 8;

/** The collector over one runtime: lists on events, scans on changes, proves layers beside that. */
export class RuntimeCollector implements ContainerCollector {
  readonly #deps: RuntimeCollectorDeps;
  /** By namespace and id. */
  readonly #containers = new Map<string, TrackedContainer>();
  readonly #callbacks: (() => void)[] = [];
  readonly #timers = new Timers();
  readonly #snapshots = new SnapshotTaker();
  readonly #listener: ContainerListener = {
    release: (container) => this.#uppers.release(container),
    onClaims: () => this.#snapshots.expire(),
  };
  readonly #scheduled = new Map<TrackedContainer, { readonly timer: NodeJS.Timeout; readonly dueMs: number }>();
  readonly #looking = new Set<TrackedContainer>();
  readonly #departures: Departures;
  readonly #proofs: LayerProofs;
  readonly #jobs: ScanJobs;
  readonly #running: RunningLooks;
  readonly #watch: DirectoryWatch;
  readonly #uppers: UpperChanges;
  #look: ContainerLook | undefined;
  #unsubscribe: (() => void) | undefined;
  #runtimes: readonly { name: string; version: string }[] = [];
  #limits: readonly string[] = ['runtime:notStarted'];
  #listing: Promise<void> | undefined;
  #listAgain = false;
  #imagesMoved = false;
  #closed = false;

  constructor(deps: RuntimeCollectorDeps) {
    this.#deps = deps;
    const { scanner, clock, hostRoot, scanTimeoutMs, areConfirmed } = deps;
    this.#departures = new Departures({ clock, areConfirmed, onLoss: () => this.#notify() });
    const onChange = (directory: string, isMoved: boolean) => this.#onProof(directory, isMoved);
    this.#proofs = new LayerProofs({ scanner, clock, onChange });
    this.#jobs = new ScanJobs({ scanner, proofs: this.#proofs, clock, hostRoot, budgetMs: scanTimeoutMs });
    this.#running = new RunningLooks({
      looker: deps.looker,
      source: deps.source,
      clock,
      toHostPath: (directory) => this.#jobs.toHostPath(directory),
      onChange: (container, areMounts) => this.#onRunning(container, areMounts),
      after: (ms, call) => this.#timers.after(ms, call),
    });
    this.#watch = deps.createWatch({
      onChange: (directory, changes) => this.#onDirectory(directory, changes),
      onExecute: (directory, path) => this.#onExecute(directory, path),
      onMuted: (directory, count) => this.#updateAllTimed(this.#uppers.addMuted(directory, count)),
      onLost: () => this.#markAll(),
    });
    const listContainers = () => this.#containers.values();
    this.#uppers = new UpperChanges({ clock, watch: this.#watch, jobs: this.#jobs, listContainers });
  }

  async start(): Promise<void> {
    const { source, inspector, clock, lowerCheckMs, scrubMs, pollMs, peekMs } = this.#deps;
    this.#runtimes = await source.probe();
    this.#look = new ContainerLook({
      inspector,
      proofs: this.#proofs,
      watch: this.#watch,
      jobs: this.#jobs,
      clock,
      source,
    });
    this.#unsubscribe = source.subscribe(
      (event) => this.#onEvent(event),
      () => this.#listSoon(),
    );
    await this.#list();
    this.#timers.every(RELIST_MS, () => this.#listSoon());
    this.#timers.every(pollMs, () => this.#sweep());
    this.#timers.every(peekMs, () => void this.#running.peek(this.#containers.values()));
    this.#timers.every(lowerCheckMs, () => this.#proofs.checkAll(scrubMs));
  }

  async collect(): Promise<ContainerSnapshot> {
    const limits = [...this.#limits, ...this.#deps.source.listLimits(), ...this.#departures.listRecentLosses()];
    const listLayers = (container: TrackedContainer) => this.#listLayers(container);
    return this.#snapshots.take(this.#containers, listLayers, limits, this.#departures.takeLosses());
  }

  confirm(sets: ClaimsSetNames): void {
    this.#departures.confirm(sets);
    for (const container of this.#containers.values()) container.told.confirm(sets);
  }

  onDirty(callback: () => void): void {
    this.#callbacks.push(callback);
  }

  pending(): [string, number][] {
    return listPending(this.#containers, this.#deps.clock.monotonicMs());
  }

  oldestScanMs(): number {
    return findOldestScanMs(this.#containers, this.#deps.clock.monotonicMs());
  }

  runtimes(): { name: string; version: string }[] {
    return [...this.#runtimes];
  }

  async close(): Promise<void> {
    this.#closed = true;
    this.#timers.close();
    this.#departures.close();
    this.#unsubscribe?.();
    this.#watch.close();
    await this.#deps.scanner.close();
    await this.#listing?.catch(() => undefined);
    this.#deps.source.close();
  }

  #onEvent({ namespace, topic, containerId, execId }: ContainerdEvent): void {
    const container = containerId === undefined ? undefined : this.#containers.get(`${namespace}/${containerId}`);
    if (topic === '/containers/delete' && containerId !== undefined) this.#onDelete(namespace, containerId);
    if (topic.startsWith('/images/')) this.#imagesMoved = true;
    if (container !== undefined && topic === '/tasks/exit' && execId === undefined) {
      container.hasExited = true;
      this.#mark(container, 0);
    }
    if (container !== undefined && topic === '/tasks/start') container.onStart();
    // Commands run inside come and go: each is a reason to look at that container alone.
    if (execId === undefined && !topic.startsWith('/tasks/exec-')) this.#listSoon();
    else if (container !== undefined) this.#lookSoon(container);
  }

  #onDelete(namespace: string, id: string): void {
    const uid = formatUid({ namespace, id });
    const container = this.#containers.get(uid);
    if (container !== undefined) container.isDeleteTold = true;
    else this.#departures.onUnknownDeleted(uid, id);
  }

  /** At once, and again when what was started has had time to become what it is. */
  #lookSoon(container: TrackedContainer): void {
    if (this.#looking.has(container)) return;
    this.#looking.add(container);
    this.#timers.after(this.#deps.coalesceMs, () => void this.#lookInside(container));
    this.#timers.after(SETTLED_MS, () => {
      this.#looking.delete(container);
      void this.#lookInside(container);
    });
  }

  async #lookInside(container: TrackedContainer): Promise<void> {
    const isChanged = await this.#look?.lookInside(container);
    void this.#running.look(container);
    if (isChanged !== true || !this.#isTracked(container)) return;
    container.invalidate();
    this.#mark(container);
    this.#notify();
  }

  #onDirectory(directory: string, changes: readonly PathChange[]): void {
    const containers = this.#uppers.add(directory, changes);
    for (const container of containers) this.#schedule(container);
    this.#updateAllTimed(containers);
    this.#proofs.check(directory);
  }

  #onExecute(directory: string, path: string): void {
    for (const container of this.#uppers.listOver(directory)) {
      container.running.addExecuted(`/${path}`);
      void this.#running.look(container);
    }
  }

  #onRunning(container: TrackedContainer, areMounts: boolean): void {
    if (!this.#isTracked(container)) return;
    container.invalidate();
    if (areMounts) this.#mark(container);
    this.#notify();
  }

  #onProof(directory: string, isMoved: boolean): void {
    let isUsed = false;
    for (const container of this.#containers.values()) {
      if (!this.#listLowers(container).includes(directory)) continue;
      isUsed = true;
      container.invalidate();
      if (isMoved) this.#mark(container);
    }
    if (isUsed) this.#notify();
  }

  /** Those that were not scanned for a while are, whatever the events said: an event may be missing. */
  #sweep(): void {
    const nowMs = this.#deps.clock.monotonicMs();
    const { sweepMs, pollMs } = this.#deps;
    const { works } = this.#watch;
    // Each second, so that a step must cost nothing: an iterator would make an object for each.
    this.#containers.forEach((container) => {
      const dueMs = works ? container.sweepAgeMs(sweepMs) : pollMs / 2;
      if (container.timing.isWalkDue(nowMs, dueMs, container.isTimed)) this.#mark(container);
      this.#updateTimed(container, nowMs);
    });
  }

  #updateTimed(container: TrackedContainer, nowMs: number): void {
    const isTimed = container.changes.isNoisy(nowMs);
    if (isTimed === container.isTimed) return;
    container.isTimed = isTimed;
    container.invalidate();
    this.#notify();
  }

  #updateAllTimed(containers: readonly TrackedContainer[]): void {
    const nowMs = this.#deps.clock.monotonicMs();
    for (const container of containers) this.#updateTimed(container, nowMs);
  }

  #markAll(): void {
    for (const container of this.#containers.values()) this.#mark(container);
  }

  #mark(container: TrackedContainer, pauseMs?: number): void {
    container.changes.addAll();
    container.timing.markDirty(this.#deps.clock.monotonicMs());
    this.#schedule(container, pauseMs);
  }

  /** Whichever comes first, of the scan that is waited for already and this one. */
  #schedule(container: TrackedContainer, pauseMs?: number): void {
    const { timing, changes } = container;
    if (timing.isScanning) return;
    const running = this.#scheduled.get(container);
    const nowMs = this.#deps.clock.monotonicMs();
    const removalMs = container.isCaptured ? REMOVAL_MS : 0;
    const waitMs =
      pauseMs ?? Math.max(timing.pauseMs(this.#deps.coalesceMs, changes.isWhole), changes.waitMs(nowMs), removalMs);
    const dueMs = nowMs + waitMs;
    if (running !== undefined && running.dueMs <= dueMs) return;
    if (running !== undefined) this.#timers.cancel(running.timer);
    const timer = this.#timers.after(waitMs, () => {
      this.#scheduled.delete(container);
      void this.#scan(container);
    });
    this.#scheduled.set(container, { timer, dueMs });
  }

  async #scan(container: TrackedContainer): Promise<void> {
    const { rootfs, timing } = container;
    const isReadable = rootfs !== undefined && container.isSupported;
    if (!isReadable || this.#closed || timing.isScanning || !this.#isTracked(container)) return;
    const outcome = await this.#jobs.run(container, rootfs);
    if (!this.#isTracked(container)) return;
    if (outcome !== 'same') container.invalidate();
    if (outcome === 'changed') this.#notify();
    if (timing.isDirty) this.#schedule(container);
  }

  #listSoon(): void {
    if (this.#listAgain) return;
    this.#listAgain = true;
    this.#timers.after(this.#deps.coalesceMs, () => {
      this.#listAgain = false;
      void this.#list().catch(() => this.#failList());
    });
  }

  /** One list at a time; whoever asks meanwhile gets another one after it. */
  async #list(): Promise<void> {
    if (this.#listing !== undefined) {
      this.#listSoon();
      return;
    }
    this.#listing = this.#listOnce().finally(() => {
      this.#listing = undefined;
    });
    await this.#listing;
  }

  async #listOnce(): Promise<void> {
    const imagesMoved = this.#imagesMoved;
    this.#imagesMoved = false;
    const records = await this.#deps.source.listRecords();
    const listed = new Set(records.map(formatUid));
    for (const [uid, container] of this.#containers) if (!listed.has(uid)) this.#drop(uid, container);
    for (let at = 0; at < records.length && !this.#closed; at += PARALLEL_LOOKS) {
      const some = records.slice(at, at + PARALLEL_LOOKS);
      await Promise.all(some.map((record) => this.#update(record, imagesMoved)));
    }
    if (this.#limits.length > 0) this.#notify();
    this.#limits = [];
    this.#proofs.keepOnly(new Set([...this.#containers.values()].flatMap((each) => this.#listLowers(each))));
    this.#jobs.keepOnly(this.#containers.values());
  }

  #failList(): void {
    if (this.#closed || this.#limits.includes('runtime:unavailable')) return;
    this.#limits = ['runtime:unavailable'];
    this.#notify();
  }

  async #update(record: ContainerRecord, imagesMoved: boolean): Promise<void> {
    const uid = formatUid(record);
    const known = this.#containers.get(uid);
    const container = known ?? new TrackedContainer(record, this.#deps.clock.monotonicMs(), this.#listener);
    this.#containers.set(uid, container);
    const outcome = await this.#look?.update(container, record, { isNew: known === undefined, imagesMoved });
    if (this.#closed || !this.#isTracked(container)) return;
    if (outcome?.needsScan === true) void this.#running.look(container);
    if (outcome?.isChanged === true || known === undefined) {
      container.invalidate();
      this.#notify();
    }
    if (outcome?.needsScan === true) this.#mark(container);
    else if (container.timing.isDirty) this.#schedule(container);
  }

  #drop(uid: string, container: TrackedContainer): void {
    this.#containers.delete(uid);
    this.#departures.leave(uid, container);
    const inUse = new Set([...this.#containers.values()].flatMap((each) => this.#listDirectories(each)));
    for (const directory of this.#listDirectories(container)) if (!inUse.has(directory)) this.#watch.remove(directory);
    void this.#deps.scanner.forget(container.record.key).catch(() => undefined);
    this.#notify();
  }

  #isTracked(container: TrackedContainer): boolean {
    return this.#containers.get(formatUid(container.record)) === container;
  }

  #listLowers({ rootfs }: TrackedContainer): string[] {
    return (rootfs?.lowers ?? []).map((lower) => this.#jobs.toHostPath(lower));
  }

  #listDirectories(container: TrackedContainer): string[] {
    const upper = container.rootfs?.upper;
    const lowers = this.#listLowers(container);
    return upper === undefined ? lowers : [...lowers, this.#jobs.toHostPath(upper)];
  }

  #listLayers(container: TrackedContainer) {
    const diffIds = container.image?.image?.config.diffIds ?? [];
    return this.#listLowers(container)
      .slice(0, diffIds.length)
      .map((directory) => this.#proofs.read(directory));
  }

  #notify(): void {
    if (this.#closed) return;
    for (const callback of this.#callbacks) callback();
  }
}

function formatUid({ namespace, id }: Pick<ContainerRecord, 'namespace' | 'id'>): string {
  return `${namespace}/${id}`;
}
