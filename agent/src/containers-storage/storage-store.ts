import { createHash } from 'node:crypto';
import { EvidenceError } from '@holdfast/evidence';
import { AgentError } from '../agent-error.ts';
import type { ImageStore } from '../container/image-resolver.ts';
import {
  formatDocumentName,
  MAX_STORAGE_FILE_BYTES,
  parseStorageContainers,
  parseStorageImages,
  parseStorageLayers,
  type StorageContainer,
  type StorageImage,
  type StorageLayer,
} from './storage-documents.ts';
import type { StorageFiles, StoragePaths } from './storage-files.ts';

/** Ways in which a store can lay out its layers; the first alone is read, containers of the others are told of. */
export const STORAGE_DRIVERS = ['overlay', 'vfs', 'btrfs', 'zfs', 'aufs', 'devmapper'] as const;

type Driver = (typeof STORAGE_DRIVERS)[number];

interface Parsed<T> {
  readonly stamp: string;
  readonly rows: readonly T[];
}

/**
 * Reads the lists of a container store as podman and CRI-O keep them on disk. Each is read again only after it was
 * replaced. Throws `AgentError` ERR_AGENT_RUNTIME_DATA for one that is malformed.
 */
export class StorageStore implements ImageStore {
  readonly #files: StorageFiles;
  readonly #paths: StoragePaths;
  readonly #containers = new Map<string, Parsed<StorageContainer>>();
  readonly #layers = new Map<string, Parsed<StorageLayer>>();
  readonly #images = new Map<string, Parsed<StorageImage>>();

  constructor(files: StorageFiles, paths: StoragePaths) {
    this.#files = files;
    this.#paths = paths;
  }

  /** Containers of one driver: those that last, and those that a restart of the machine clears. */
  async listContainers(driver: Driver): Promise<StorageContainer[]> {
    const { root, runRoot } = this.#paths;
    const paths = [
      `${root}/${driver}-containers/containers.json`,
      `${runRoot}/${driver}-containers/volatile-containers.json`,
    ];
    return await this.#readAll(paths, this.#containers, parseStorageContainers);
  }

  async listLayers(): Promise<Map<string, StorageLayer>> {
    const { root, runRoot } = this.#paths;
    const paths = [`${root}/overlay-layers/layers.json`, `${runRoot}/overlay-layers/volatile-layers.json`];
    const rows = await this.#readAll(paths, this.#layers, parseStorageLayers);
    return new Map(rows.map((row) => [row.id, row]));
  }

  /** A text that differs after the list of images changed. */
  async stampImages(): Promise<string | undefined> {
    return await this.#files.stamp(this.#imagesPath);
  }

  async getImage(_namespace: string, name: string) {
    const image = (await this.#listImages()).find(({ names }) => names.includes(name));
    const [digest] = image === undefined ? [] : listManifests(image);
    return digest === undefined ? undefined : { target: { digest } };
  }

  async listImages() {
    const images = await this.#listImages();
    return images.flatMap((image) => listManifests(image).map((digest) => ({ target: { digest } })));
  }

  /** The store has no labels: every document that there is stands in the list of images. */
  async listBlobs() {
    return [];
  }

  async readBlob(_namespace: string, digest: string, maxBytes: number): Promise<Buffer | undefined> {
    for (const { id, documents } of await this.#listImages()) {
      for (const document of documents.filter((each) => each.digest === digest)) {
        const name = formatDocumentName(document.key);
        const path = `${this.#paths.root}/overlay-images/${id}/${name}`;
        const bytes = name === undefined ? undefined : await this.#files.read(path, maxBytes);
        if (bytes === undefined) continue;
        if (`sha256:${createHash('sha256').update(bytes).digest('hex')}` === digest) return bytes;
        throw new AgentError('ERR_AGENT_RUNTIME_DATA', `a document of image ${id} in the store has another digest`);
      }
    }
    return undefined;
  }

  get #imagesPath(): string {
    return `${this.#paths.root}/overlay-images/images.json`;
  }

  async #listImages(): Promise<readonly StorageImage[]> {
    return await this.#readAll([this.#imagesPath], this.#images, parseStorageImages);
  }

  async #readAll<T>(
    paths: readonly string[],
    cache: Map<string, Parsed<T>>,
    parse: (bytes: Buffer) => T[],
  ): Promise<T[]> {
    const rows: T[] = [];
    for (const path of paths) rows.push(...(await this.#read(path, cache, parse)));
    return rows;
  }

  async #read<T>(path: string, cache: Map<string, Parsed<T>>, parse: (bytes: Buffer) => T[]): Promise<readonly T[]> {
    const stamp = await this.#files.stamp(path);
    if (stamp === undefined) return [];
    const known = cache.get(path);
    if (known?.stamp === stamp) return known.rows;
    const bytes = await this.#files.read(path, MAX_STORAGE_FILE_BYTES);
    if (bytes === undefined) return [];
    try {
      const rows = parse(bytes);
      cache.set(path, { stamp, rows });
      return rows;
    } catch (cause) {
      if (!(cause instanceof EvidenceError)) throw cause;
      throw new AgentError('ERR_AGENT_RUNTIME_DATA', `${path} is not what a container store writes`, { cause });
    }
  }
}

/** Manifests and the index that led to them: what stands under a key of its own digest or as `manifest`. */
function listManifests({ documents }: StorageImage): string[] {
  const found = documents.filter(({ key }) => key === 'manifest' || key.startsWith('manifest-'));
  return [...new Set(found.map(({ digest }) => digest))];
}
