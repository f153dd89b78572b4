import { AgentError } from '../agent-error.ts';
import type { ContainerInspector } from './container-inspector.ts';
import type { ContainerRecord } from './container-record.ts';
import type { DirectoryWatch } from './directory-watch.ts';
import type { LayerProofs } from './layer-proofs.ts';
import type { Rootfs } from './rootfs-resolver.ts';
import type { RuntimeSource } from './runtime-source.ts';
import type { ScanJobs } from './scan-jobs.ts';
import type { TrackedContainer } from './tracked-container.ts';

export interface ContainerLookDeps {
  readonly inspector: Pick<ContainerInspector, 'readRootfs' | 'readImage' | 'readMounts'>;
  readonly proofs: Pick<LayerProofs, 'ensure'>;
  readonly watch: Pick<DirectoryWatch, 'add'>;
  readonly jobs: Pick<ScanJobs, 'toHostPath'>;
  readonly clock: { monotonicMs(): number };
  readonly source: Pick<RuntimeSource, 'findBlob'>;
}

export interface LookOutcome {
  /** The claims-set tells something else now. */
  readonly isChanged: boolean;
  readonly needsScan: boolean;
}

/** Mounts of a container are looked at again after this time, and when a command was run in it. */
const INSIDE_AGE_MS = 25_000;
/** After this time they are looked at although none of its processes ran. */
const REST_AGE_MS = 300_000;

/** Brings what is known of a container up to date with what runtime and kernel say. */
export class ContainerLook {
  readonly #deps: ContainerLookDeps;

  constructor(deps: ContainerLookDeps) {
    this.#deps = deps;
  }

  /** A runtime that fails for this container is a limit of it. */
  async update(
    container: TrackedContainer,
    record: ContainerRecord,
    { isNew, imagesMoved }: { readonly isNew: boolean; readonly imagesMoved: boolean },
  ): Promise<LookOutcome> {
    const isMoved = isNew || describeRecord(record) !== describeRecord(container.record);
    const { rootfs, image, runtimeFailure } = container;
    const isUnknown = rootfs === undefined || image?.image === undefined || runtimeFailure !== undefined;
    const needsLook = isMoved || imagesMoved || isUnknown;
    if (!needsLook && !this.#isDue(container)) {
      container.setRecord(record);
      return { isChanged: false, needsScan: false };
    }
    const isChanged = await this.#watchChange(container, async () => {
      container.setRecord(record);
      if (needsLook) await this.#lookAll(container);
      else await this.#lookInside(container);
    });
    return { isChanged, needsScan: isMoved };
  }

  /** Reads mounts and processes of a running container again. True where its claims-set tells something else now. */
  async lookInside(container: TrackedContainer): Promise<boolean> {
    return await this.#watchChange(container, () => this.#lookInside(container));
  }

  async #watchChange(container: TrackedContainer, look: () => Promise<void>): Promise<boolean> {
    const before = describe(container);
    try {
      await look();
      container.runtimeFailure = undefined;
    } catch (error) {
      const reason = readLookFailure(error);
      if (reason === undefined) throw error;
      container.runtimeFailure = `runtime:${reason}`;
    }
    return describe(container) !== before;
  }

  /** What is mounted by somebody else meanwhile is looked for as soon as any of its processes runs. */
  #isDue({ inside, running: { cgroup } }: TrackedContainer): boolean {
    const isAtRest = cgroup.now !== undefined && cgroup.now === inside.cgroup;
    return this.#deps.clock.monotonicMs() - inside.seenMs >= (isAtRest ? REST_AGE_MS : INSIDE_AGE_MS);
  }

  async #lookAll(container: TrackedContainer): Promise<void> {
    const { inspector, watch, jobs } = this.#deps;
    const { record } = container;
    const rootfs = await inspector.readRootfs(record);
    container.rootfs = rootfs;
    if (rootfs === undefined || !container.isSupported) return;
    container.image = await inspector.readImage(record, rootfs, container.image);
    this.#ensureProofs(container, rootfs);
    for (const directory of [...rootfs.lowers, rootfs.upper]) {
      if (directory !== undefined) watch.add(jobs.toHostPath(directory));
    }
    await this.#lookInside(container);
  }

  async #lookInside(container: TrackedContainer): Promise<void> {
    const { record, rootfs } = container;
    if (rootfs === undefined || !container.isRunning || !container.isSupported) return;
    container.inside = { seenMs: this.#deps.clock.monotonicMs(), cgroup: container.running.cgroup.now };
    const inspected = await this.#deps.inspector.readMounts(record, rootfs);
    if (inspected === undefined) return;
    container.mounts = inspected.mounts;
    container.rootMount = inspected.rootMount;
  }

  #ensureProofs({ image, record }: TrackedContainer, rootfs: Rootfs): void {
    const found = image?.image;
    if (found === undefined) return;
    const directories = rootfs.lowers.map((lower) => this.#deps.jobs.toHostPath(lower));
    rootfs.lowers.forEach((lower, at) => {
      const diffId = found.config.diffIds[at];
      const layer = found.layers[at];
      if (diffId === undefined || layer === undefined) return;
      const blob = this.#deps.source.findBlob(record.namespace, layer, lower);
      const directory = directories[at];
      if (directory === undefined) return;
      const lowers = directories.slice(0, at).reverse();
      this.#deps.proofs.ensure({ directory, diffId, lowers, blob, group: record.key });
    });
  }
}

/**
 * Why a container could not be looked at: the runtime's failure or the kernel's refusal, whatever it is, which a container
 * may bring about and which is then its own limit. Undefined for faults of this program.
 */
export function readLookFailure(error: unknown): string | undefined {
  if (!(error instanceof Error) || !('code' in error) || typeof error.code !== 'string') return undefined;
  return error instanceof AgentError || 'syscall' in error ? error.code : undefined;
}

function describeRecord({ revision, task, snapshotKey, key }: ContainerRecord): string {
  return JSON.stringify([revision, task, snapshotKey, key]);
}

function describe({ record, rootfs, image, mounts, rootMount, runtimeFailure }: TrackedContainer): string {
  return JSON.stringify([describeRecord(record), rootfs, image, mounts, rootMount, runtimeFailure]);
}
