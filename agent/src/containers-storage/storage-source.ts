import { basename, dirname } from 'node:path';
import { EvidenceError } from '@holdfast/evidence';
import { AgentError } from '../agent-error.ts';
import type { ContainerRecord } from '../container/container-record.ts';
import { type MountInfo, parseMountinfo } from '../container/mountinfo.ts';
import { parseOverlayOptions } from '../container/overlay-options.ts';
import type { Rootfs } from '../container/rootfs-resolver.ts';
import type { RuntimeSource } from '../container/runtime-source.ts';
import type { StorageContainer } from './storage-documents.ts';
import { followStorage, type StorageSight, type StorageState } from './storage-events.ts';
import type { StorageFiles, StoragePaths } from './storage-files.ts';
import { findProcess, listCgroupPids, readOrNothing } from './storage-processes.ts';
import { createStorageRecord, nameRuntime, type ShownContainer } from './storage-record.ts';
import { resolveStorageRootfs } from './storage-rootfs.ts';
import { STORAGE_DRIVERS, StorageStore } from './storage-store.ts';

export interface StorageSourceOptions {
  readonly files: StorageFiles;
  readonly paths: StoragePaths;
  /** Containers to look at; all where absent. */
  readonly selects: (id: string) => boolean;
}

const MAX_NAMESPACE_CHARS = 256;
const MAX_CONFIG_BYTES = 16 << 20;
const MAX_MOUNTINFO_BYTES = 16 << 20;

/** Namespace of the containers of a store among those of other runtimes: no namespace of containerd can hold a colon. */
export function formatStorageNamespace({ root }: StoragePaths): string {
  return `containers-storage:${root}`.slice(0, MAX_NAMESPACE_CHARS);
}

/**
 * The containers of podman and CRI-O as containers/storage keeps them on disk; those of root alone. There is no daemon to
 * ask: the store's files are the runtime's word, and each layer is proven by what tar-split kept of it.
 */
export function createStorageSource({ files, paths, selects }: StorageSourceOptions): RuntimeSource {
  const store = new StorageStore(files, paths);
  const reader = new StorageReader(files, paths, store, selects);
  return {
    probe: async () => {
      await reader.probe();
      return [{ name: 'containers-storage', version: '' }];
    },
    listRecords: async () => await reader.listRecords(),
    readRootfs: async (record) => await reader.readRootfs(record),
    listPids: async (record) => await reader.listPids(record),
    listLimits: () => [],
    findBlob: (_namespace, { digest, mediaType }, directory) => {
      const id = basename(dirname(directory));
      const tarSplit = files.toHostPath(`${paths.root}/overlay-layers/${id}.tar-split.gz`);
      return { digest, mediaType, from: { tarSplit } };
    },
    getImage: async (namespace, name) => await store.getImage(namespace, name),
    listImages: async () => await store.listImages(),
    listBlobs: async () => await store.listBlobs(),
    readBlob: async (namespace, digest, maxBytes) => await store.readBlob(namespace, digest, maxBytes),
    subscribe: (onEvent, onGap) =>
      followStorage(
        { files, paths, namespace: formatStorageNamespace(paths), look: () => reader.look() },
        onEvent,
        onGap,
      ),
    close: () => undefined,
  };
}

interface StorageRow {
  readonly driver: string;
  readonly row: StorageContainer;
}

class StorageReader {
  readonly #files: StorageFiles;
  readonly #paths: StoragePaths;
  readonly #store: StorageStore;
  readonly #selects: (id: string) => boolean;
  /** The host's mounts as last read: they are looked at every second, and there may be thousands. */
  #mountTable: { readonly bytes: Buffer; readonly points: ReadonlySet<string> | undefined } | undefined;

  constructor(files: StorageFiles, paths: StoragePaths, store: StorageStore, selects: (id: string) => boolean) {
    this.#files = files;
    this.#paths = paths;
    this.#store = store;
    this.#selects = selects;
  }

  /** A store appears with the first image; without its directory there is none. */
  async probe(): Promise<void> {
    const { root } = this.#paths;
    if ((await this.#files.stamp(root)) === undefined) {
      throw new AgentError(
        'ERR_AGENT_RUNTIME_ADDRESS',
        `no container store at ${root}: give the root of podman or CRI-O`,
      );
    }
    await this.look();
  }

  async look(): Promise<StorageState> {
    const containers = new Map<string, StorageSight>();
    for (const { row, shown } of await this.#showAll()) {
      containers.set(row.id, { task: shown.process?.task, runtime: nameRuntime(shown) });
    }
    return { containers, images: await this.#store.stampImages() };
  }

  async listRecords(): Promise<ContainerRecord[]> {
    const namespace = formatStorageNamespace(this.#paths);
    const records: ContainerRecord[] = [];
    for (const { driver, row, shown } of await this.#showAll()) {
      const config = await this.#readConfig(driver, row.id);
      records.push(createStorageRecord({ namespace, driver, row, config, ...shown }));
    }
    return records;
  }

  async readRootfs({ snapshotter, snapshotKey, task }: ContainerRecord): Promise<Rootfs | undefined> {
    if (snapshotter !== 'overlay') {
      const unsupported = [`storageDriver:${snapshotter}`];
      return { driver: snapshotter, lowers: [], upper: undefined, chainIds: [], unsupported };
    }
    const layers = await this.#store.listLayers();
    const rootfs = await resolveStorageRootfs(this.#files, this.#paths.root, layers, snapshotKey);
    if (rootfs === undefined || task === undefined) return rootfs;
    const shown = await this.#readMountOptions(task.pid);
    return { ...rootfs, unsupported: [...new Set([...rootfs.unsupported, ...shown])] };
  }

  async listPids({ id, task }: ContainerRecord): Promise<number[]> {
    if (task === undefined) return [];
    const pids = await listCgroupPids(this.#files, task.pid, id);
    if (pids !== undefined) return pids;
    // The process may just have ended; if not, a container whose processes cannot be listed is not vouched for.
    if ((await this.#files.stamp(`/proc/${task.pid}`)) === undefined) return [];
    throw new AgentError('ERR_AGENT_RUNTIME_DATA', `the processes of container ${id} cannot be listed`);
  }

  /** Reads the host's mounts once at most, and only where something does not run. */
  async #showAll(): Promise<(StorageRow & { readonly shown: ShownContainer })[]> {
    const all: (StorageRow & { readonly shown: ShownContainer })[] = [];
    let mounted: Promise<ReadonlySet<string> | undefined> | undefined;
    for (const { driver, row } of await this.#listRows()) {
      const process = await findProcess(this.#files, this.#runDirectory(driver, row.id), row.id);
      if (process === undefined) mounted ??= this.#listMountPoints();
      const path = `${this.#paths.root}/${driver}/${row.layer}/merged`;
      const isMounted = process !== undefined || ((await mounted)?.has(path) ?? true);
      all.push({ driver, row, shown: { process, isMounted } });
    }
    return all;
  }

  async #listRows(): Promise<StorageRow[]> {
    const rows: StorageRow[] = [];
    for (const driver of STORAGE_DRIVERS) {
      const found = await this.#store.listContainers(driver);
      rows.push(...found.filter(({ id }) => this.#selects(id)).map((row) => ({ driver, row })));
    }
    return rows;
  }

  #runDirectory(driver: string, id: string): string {
    return `${this.#paths.runRoot}/${driver}-containers/${id}/userdata`;
  }

  /** podman keeps it with what lasts, CRI-O in both places. */
  async #readConfig(driver: string, id: string): Promise<Buffer | undefined> {
    const lasting = `${this.#paths.root}/${driver}-containers/${id}/userdata/config.json`;
    const found = await readOrNothing(this.#files, lasting, MAX_CONFIG_BYTES);
    if (found !== undefined) return found;
    return await readOrNothing(this.#files, `${this.#runDirectory(driver, id)}/config.json`, MAX_CONFIG_BYTES);
  }

  /** Where the host has something mounted, latin1; undefined where the kernel does not show it. */
  async #listMountPoints(): Promise<ReadonlySet<string> | undefined> {
    const bytes = await this.#files.read('/proc/1/mountinfo', MAX_MOUNTINFO_BYTES);
    if (bytes === undefined) return undefined;
    if (this.#mountTable?.bytes.equals(bytes) !== true) {
      const mounts = parseMounts(bytes);
      this.#mountTable = { bytes, points: mounts && new Set(mounts.map(({ mountPoint }) => mountPoint)) };
    }
    return this.#mountTable?.points;
  }

  /** Features that the store's settings turned on for the mount and that are not read here. */
  async #readMountOptions(pid: number): Promise<readonly string[]> {
    const bytes = await this.#files.read(`/proc/${pid}/mountinfo`, MAX_MOUNTINFO_BYTES);
    // Where the table is malformed, the comparison with it tells so.
    const mounts = bytes === undefined ? [] : (parseMounts(bytes) ?? []);
    const shown = mounts.filter((mount) => mount.mountPoint === '/').at(-1);
    return shown?.fsType === 'overlay' ? parseOverlayOptions(shown.superOptions).unsupported : [];
  }
}

function parseMounts(bytes: Buffer): MountInfo[] | undefined {
  try {
    return parseMountinfo(bytes);
  } catch (error) {
    if (error instanceof EvidenceError) return undefined;
    throw error;
  }
}
