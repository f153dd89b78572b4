import { join } from 'node:path';
import { AgentError } from '../agent-error.ts';
import type { ProofBlob } from '../scan/scan-protocol.ts';
import type { ContainerInspector } from './container-inspector.ts';
import type { ContainerRecord } from './container-record.ts';
import type { DirectoryWatch } from './directory-watch.ts';
import type { ManifestLayer } from './image-config.ts';
import type { LayerProofs } from './layer-proofs.ts';
import type { Rootfs } from './rootfs-resolver.ts';
import type { ScanJobs } from './scan-jobs.ts';
import type { TrackedContainer } from './tracked-container.ts';

export interface ContainerLookDeps {
  readonly inspector: ContainerInspector;
  readonly proofs: Pick<LayerProofs, 'ensure'>;
  readonly watch: Pick<DirectoryWatch, 'add'>;
  readonly jobs: Pick<ScanJobs, 'toHostPath'>;
  /** Where the runtime's blobs come from. */
  readonly clock: { monotonicMs(): number };
  readonly source: { readonly address: string; readonly contentRoot: string | undefined };
}

export interface LookOutcome {
  /** The claims-set tells something else now. */
  readonly isChanged: boolean;
  readonly needsScan: boolean;
}

/** Processes of a container are looked at again after this time, and when one was started in it. */
const ROOTS_AGE_MS = 10_000;

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
    const before = describe(container);
    const isMoved = isNew || describeRecord(record) !== describeRecord(container.record);
    const needsLook = isMoved || imagesMoved || container.rootfs === undefined || container.image?.image === undefined;
    container.record = record;
    try {
      if (needsLook) await this.#lookAll(container);
      else if (this.#isDue(container)) await this.#lookAtRoots(container);
      container.runtimeFailure = undefined;
    } catch (error) {
      if (!(error instanceof AgentError)) throw error;
      container.runtimeFailure = `runtime:${error.code}`;
    }
    return { isChanged: describe(container) !== before, needsScan: isMoved };
  }

  #isDue({ rootsSeenMs }: TrackedContainer): boolean {
    return this.#deps.clock.monotonicMs() - rootsSeenMs >= ROOTS_AGE_MS;
  }

  async #lookAll(container: TrackedContainer): Promise<void> {
    const { inspector, watch, jobs } = this.#deps;
    const { record } = container;
    const rootfs = await inspector.readRootfs(record);
    container.rootfs = rootfs;
    if (rootfs === undefined || container.unsupported.length > 0) return;
    container.image = await inspector.readImage(record, rootfs, container.image);
    this.#ensureProofs(container, rootfs);
    for (const directory of [...rootfs.lowers, rootfs.upper]) {
      if (directory !== undefined) watch.add(jobs.toHostPath(directory));
    }
    const inspected = container.isRunning ? await inspector.readMounts(record, rootfs) : undefined;
    if (inspected !== undefined) {
      container.mounts = inspected.mounts;
      container.rootMount = inspected.rootMount;
    }
    await this.#lookAtRoots(container);
  }

  async #lookAtRoots(container: TrackedContainer): Promise<void> {
    const { record, rootfs, rootMount } = container;
    if (rootfs === undefined || rootMount === undefined || !container.isRunning) return;
    container.rootsSeenMs = this.#deps.clock.monotonicMs();
    container.findings = await this.#deps.inspector.findForeignRoots(record, rootfs, rootMount);
  }

  #ensureProofs({ image, record }: TrackedContainer, rootfs: Rootfs): void {
    const found = image?.image;
    if (found === undefined) return;
    rootfs.lowers.forEach((lower, at) => {
      const diffId = found.config.diffIds[at];
      const layer = found.layers[at];
      if (diffId === undefined || layer === undefined) return;
      const blob = this.#findBlob(record.namespace, layer);
      this.#deps.proofs.ensure({ directory: this.#deps.jobs.toHostPath(lower), diffId, blob });
    });
  }

  #findBlob(namespace: string, { digest, mediaType }: ManifestLayer): ProofBlob {
    const { address, contentRoot } = this.#deps.source;
    if (contentRoot === undefined) return { digest, mediaType, from: { address, namespace } };
    const path = this.#deps.jobs.toHostPath(join(contentRoot, 'blobs/sha256', digest.slice('sha256:'.length)));
    return { digest, mediaType, from: { path } };
  }
}

function describeRecord({ revision, task, snapshotKey, key }: ContainerRecord): string {
  return JSON.stringify([revision, task, snapshotKey, key]);
}

function describe({ record, rootfs, image, mounts, rootMount, findings, runtimeFailure }: TrackedContainer): string {
  const parts = [describeRecord(record), rootfs, image, mounts, rootMount, [...findings].sort(), runtimeFailure];
  return JSON.stringify(parts);
}
