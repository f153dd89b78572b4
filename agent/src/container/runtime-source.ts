import type { ContainerdEvent } from '../containerd/containerd-events.ts';
import type { ProofBlob } from '../scan/scan-protocol.ts';
import type { ContainerRecord } from './container-record.ts';
import type { ManifestLayer } from './image-config.ts';
import type { ImageStore } from './image-resolver.ts';
import type { Rootfs } from './rootfs-resolver.ts';

/**
 * One runtime of the kube node, or several: which containers there are, what they are made of, and when to look again.
 * What it says is the runtime's word. Every method throws `AgentError` when the runtime does not answer.
 */
export interface RuntimeSource extends ImageStore {
  /** Name and version of each runtime that answers. */
  probe(): Promise<readonly { readonly name: string; readonly version: string }[]>;
  /** Every container, running or not; half a list would look like exits, and is an error. */
  listRecords(): Promise<ContainerRecord[]>;
  /** Undefined where the writable layer or one below it is gone. */
  readRootfs(record: ContainerRecord): Promise<Rootfs | undefined>;
  /** Every process of the container's cgroup. */
  listPids(record: ContainerRecord): Promise<number[]>;
  /** What the last list is not certain of, for the index: names of limits. */
  listLimits(): readonly string[];
  /** What a layer directory is to be compared with. */
  findBlob(namespace: string, layer: ManifestLayer, directory: string): ProofBlob;
  /** Calls `onEvent` for each event until the returned function is called, and `onGap` whenever some may be missing. */
  subscribe(onEvent: (event: ContainerdEvent) => void, onGap: () => void): () => void;
  close(): void;
}
