import type { PathChange } from './change-set.ts';
import type { DirectoryWatch } from './directory-watch.ts';
import type { ScanJobs } from './scan-jobs.ts';
import type { TrackedContainer } from './tracked-container.ts';

export interface UpperChangesDeps {
  readonly clock: { monotonicMs(): number };
  readonly watch: Pick<DirectoryWatch, 'mute' | 'unmute'>;
  readonly jobs: Pick<ScanJobs, 'toHostPath'>;
  listContainers(): Iterable<TrackedContainer>;
}

/** Brings what a watch tells of upper directories to the containers over them. */
export class UpperChanges {
  readonly #deps: UpperChangesDeps;

  constructor(deps: UpperChangesDeps) {
    this.#deps = deps;
  }

  /** Those with this upper directory. */
  listOver(directory: string): TrackedContainer[] {
    return [...this.#deps.listContainers()].filter((container) => this.#upperOf(container) === directory);
  }

  /**
   * Notes changes with their containers, which are given back. What is written to names that all of them look at later
   * anyway is not told again until one of them does.
   */
  add(directory: string, changes: readonly PathChange[]): TrackedContainer[] {
    const nowMs = this.#deps.clock.monotonicMs();
    const containers = this.listOver(directory);
    for (const container of containers) {
      for (const change of changes) container.changes.add(change, nowMs);
      container.timing.markDirty(nowMs);
    }
    const areAwaited = (path: string) => containers.every((container) => container.changes.awaits(path));
    const awaited = changes.flatMap(({ path }) => (containers.length > 0 && areAwaited(path) ? [path] : []));
    if (awaited.length > 0) this.#deps.watch.mute(directory, awaited);
    return containers;
  }

  /** Notes how many writes were not told. */
  addMuted(directory: string, count: number): TrackedContainer[] {
    const containers = this.listOver(directory);
    for (const container of containers) container.changes.addMuted(count, this.#deps.clock.monotonicMs());
    return containers;
  }

  /** What waited in this container is about to be looked at. */
  release(container: TrackedContainer): void {
    const upper = this.#upperOf(container);
    if (upper !== undefined) this.#deps.watch.unmute(upper);
  }

  #upperOf({ rootfs }: TrackedContainer): string | undefined {
    return rootfs?.upper === undefined ? undefined : this.#deps.jobs.toHostPath(rootfs.upper);
  }
}
