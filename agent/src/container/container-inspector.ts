import { EvidenceError } from '@holdfast/evidence';
import type { ContainerRecord } from './container-record.ts';
import { ImageResolver, type ResolvedImage } from './image-resolver.ts';
import type { MountInfo } from './mountinfo.ts';
import type { ProcessView } from './process-source.ts';
import { findRootMount, type Rootfs } from './rootfs-resolver.ts';
import type { RuntimeSource } from './runtime-source.ts';

/** The root file system of a running container as the kernel shows it. */
export interface InspectedMounts {
  readonly mounts: readonly MountInfo[];
  /** Undefined where it is not what the snapshotter tells of. */
  readonly rootMount: MountInfo | undefined;
}

export interface InspectorDeps {
  readonly source: Pick<RuntimeSource, 'readRootfs' | 'getImage' | 'listImages' | 'listBlobs' | 'readBlob'>;
  readonly processes: ProcessView;
}

/** Asks runtime and kernel about one container. Every method throws `AgentError` when the runtime does not answer. */
export class ContainerInspector {
  readonly #deps: InspectorDeps;
  readonly #images: ImageResolver;

  constructor(deps: InspectorDeps) {
    this.#deps = deps;
    this.#images = new ImageResolver(deps.source);
  }

  async readRootfs(record: ContainerRecord): Promise<Rootfs | undefined> {
    return await this.#deps.source.readRootfs(record);
  }

  /** An image once found stays the container's, whatever its name leads to later. */
  async readImage(record: ContainerRecord, rootfs: Rootfs, known?: ResolvedImage): Promise<ResolvedImage> {
    const { namespace, snapshotter, imageName: name, criImage } = record;
    const expected = known?.image?.configDigest ?? criImage;
    const { chainIds } = rootfs;
    const resolved = await this.#images.resolve({ namespace, snapshotter, name, chainIds, expected });
    // What was proven by digest does not become unknown because the runtime dropped its documents meanwhile.
    if (resolved.image !== undefined || known?.image === undefined) return resolved;
    return { ...known, isRetagged: known.isRetagged || resolved.isRetagged };
  }

  /** Undefined where the process is gone. A mount table that is not the kernel's form shows no root. Throws as `ProcessView`. */
  async readMounts(record: ContainerRecord, rootfs: Rootfs): Promise<InspectedMounts | undefined> {
    if (record.task === undefined) return undefined;
    try {
      const mounts = await this.#deps.processes.readMountinfo(record.task.pid);
      return mounts && { mounts, rootMount: findRootMount(mounts, rootfs) };
    } catch (error) {
      if (error instanceof EvidenceError) return { mounts: [], rootMount: undefined };
      throw error;
    }
  }
}
