import { join } from 'node:path';
import type { ContainerRecord } from '../container/container-record.ts';
import type { ManifestLayer } from '../container/image-config.ts';
import { listContainers } from '../container/list-containers.ts';
import { OciSpecs } from '../container/oci-spec.ts';
import { resolveRootfs } from '../container/rootfs-resolver.ts';
import type { RuntimeSource } from '../container/runtime-source.ts';
import { CRI_NAMESPACE, type CriView } from '../cri/cri-view.ts';
import type { ProofBlob } from '../scan/scan-protocol.ts';
import type { ContainerdClient } from './containerd-client.ts';

export interface ContainerdSourceOptions {
  readonly client: ContainerdClient;
  /** Namespaces to look at; all of them where undefined. */
  readonly namespaces: readonly string[] | undefined;
  readonly hostRoot: string;
  /** Opens the second source where containerd serves one. */
  readonly createCri?: () => CriView;
}

function formatUid({ namespace, id }: { readonly namespace: string; readonly id: string }): string {
  return `${namespace}/${id}`;
}

/** Bounds what is remembered: the event of a container comes before it is listed, so that those not listed are kept at first. */
function forgetSome(restored: Set<string>, records: readonly ContainerRecord[]): void {
  if (restored.size <= MAX_RESTORED) return;
  const listed = new Set(records.map(formatUid));
  for (const uid of restored) if (!listed.has(uid)) restored.delete(uid);
}

const MAX_RESTORED = 1_000;

/** Undefined where nobody asks for the second source, or containerd does not serve it. */
async function openCri({ namespaces, createCri }: ContainerdSourceOptions): Promise<CriView | undefined> {
  const view = namespaces?.includes(CRI_NAMESPACE) === false ? undefined : createCri?.();
  if (view === undefined || (await view.isServed())) return view;
  view.close();
  return undefined;
}

/** The containers of one containerd, by its own API. */
export function createContainerdSource(options: ContainerdSourceOptions): RuntimeSource {
  const { client, namespaces, hostRoot } = options;
  let contentRoot: string | undefined;
  let cri: CriView | undefined;
  const restored = new Set<string>();
  const specs = new OciSpecs();
  const findBlob = (namespace: string, { digest, mediaType }: ManifestLayer): ProofBlob => {
    if (contentRoot === undefined) return { digest, mediaType, from: { address: client.address, namespace } };
    const path = join(hostRoot, contentRoot, 'blobs/sha256', digest.slice('sha256:'.length));
    return { digest, mediaType, from: { path } };
  };
  return {
    probe: async () => {
      const { version } = await client.probe();
      contentRoot = (await client.readRoots()).content;
      cri ??= await openCri(options);
      return [{ name: 'containerd', version }];
    },
    listRecords: async () => {
      const records = await listContainers(client, namespaces, specs);
      forgetSome(restored, records);
      const marked = records.map((record) =>
        restored.has(formatUid(record)) ? { ...record, restored: true } : record,
      );
      return cri === undefined ? marked : await cri.enrich(marked);
    },
    listLimits: () => cri?.limits ?? [],
    readRootfs: async ({ namespace, snapshotter, snapshotKey }) =>
      await resolveRootfs(client, namespace, snapshotter, snapshotKey),
    listPids: async ({ namespace, id }) => await client.listPids(namespace, id),
    findBlob,
    getImage: async (namespace, name) => await client.getImage(namespace, name),
    listImages: async (namespace) => await client.listImages(namespace),
    listBlobs: async (namespace, label, value) => await client.listBlobs(namespace, label, value),
    readBlob: async (namespace, digest, maxBytes) => await client.readBlob(namespace, digest, maxBytes),
    subscribe: (onEvent, onGap) =>
      client.subscribe((event) => {
        if (namespaces?.includes(event.namespace) === false) return;
        const { isRestored, containerId: id, namespace } = event;
        if (isRestored === true && id !== undefined) restored.add(formatUid({ namespace, id }));
        if (isRestored === false && id !== undefined) restored.delete(formatUid({ namespace, id }));
        onEvent(event);
      }, onGap),
    close: () => {
      cri?.close();
      client.close();
    },
  };
}
