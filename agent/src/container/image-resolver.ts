import {
  computeChainIds,
  type ImageConfig,
  type ImageDocument,
  MAX_IMAGE_DOCUMENT_BYTES,
  type ManifestLayer,
  parseImageConfig,
  parseImageDocument,
} from './image-config.ts';

/** The parts of the runtime that tell of images. */
export interface ImageStore {
  getImage(namespace: string, name: string): Promise<NamedImage | undefined>;
  listImages(namespace: string): Promise<readonly NamedImage[]>;
  /** Blobs with a label of this value. */
  listBlobs(namespace: string, label: string, value: string): Promise<readonly { readonly digest: string }[]>;
  /** Whole blob of at most `maxBytes`, whose SHA-256 was recomputed. */
  readBlob(namespace: string, digest: string, maxBytes: number): Promise<Buffer | undefined>;
}

/** A name of an image and the manifest or index that it leads to. */
interface NamedImage {
  readonly target?: { readonly digest: string } | undefined;
}

/** An image whose documents were read by digest and checked, each naming the next. */
export interface FoundImage {
  readonly manifest: string;
  readonly config: ImageConfig;
  readonly configDigest: string;
  /** Blobs of the layers, bottom first. */
  readonly layers: readonly ManifestLayer[];
  /** Index that led to the manifest, where one did. */
  readonly index: string | null;
}

/** How an image was come by: the container's own image name, the name of another image, or a label of the content store. */
export type ImageSource = 'name' | 'images' | 'content';

export interface ImageQuery {
  readonly namespace: string;
  readonly snapshotter: string;
  /** Name of the image in the container's record: a label, where the search starts. */
  readonly name: string;
  /** chainIDs that the running container's snapshots have, bottom first. */
  readonly chainIds: readonly string[];
  /** Config digest that must be the one: of an earlier look, or what the CRI noted when it made the container. */
  readonly expected: string | undefined;
}

export interface ResolvedImage {
  readonly image: FoundImage | undefined;
  readonly from: ImageSource | undefined;
  /** The container's image name leads to an image, and it is another one. */
  readonly isRetagged: boolean;
  /** Several configurations have these layers and nothing says which one was meant. */
  readonly isAmbiguous: boolean;
}

const MAX_INDEX_DEPTH = 2;
const MAX_CACHED_DOCUMENTS = 1024;

/**
 * Finds the image whose layers are those that a running container shows, from the layers to the name and never the other
 * way: a name may be moved under a running container, and then leads elsewhere.
 */
export class ImageResolver {
  readonly #store: ImageStore;
  readonly #documents = new Map<string, ImageDocument | undefined>();
  readonly #configs = new Map<string, ImageConfig | undefined>();

  constructor(store: ImageStore) {
    this.#store = store;
  }

  /** Throws `AgentError` when the runtime does not answer. Documents that are missing or malformed match nothing. */
  async resolve(query: ImageQuery): Promise<ResolvedImage> {
    const named = await this.#store.getImage(query.namespace, query.name);
    const byName = named?.target === undefined ? [] : await this.#expand(query.namespace, named.target.digest);
    const matches = byName.filter((image) => fits(image, query));
    const direct = matches[0];
    const others = direct === undefined ? await this.#search(query) : [];
    const found = direct ?? others[0]?.image;
    const isAmbiguous = direct === undefined && new Set(others.map(({ image }) => image.configDigest)).size > 1;
    return {
      image: isAmbiguous ? undefined : found,
      from: isAmbiguous ? undefined : direct === undefined ? others[0]?.from : 'name',
      isRetagged: byName.length > 0 && direct === undefined,
      isAmbiguous,
    };
  }

  async #search(query: ImageQuery): Promise<{ image: FoundImage; from: ImageSource }[]> {
    const found: { image: FoundImage; from: ImageSource }[] = [];
    for (const { target } of await this.#store.listImages(query.namespace)) {
      if (target === undefined) continue;
      for (const image of await this.#expand(query.namespace, target.digest)) {
        if (fits(image, query)) found.push({ image, from: 'images' });
      }
    }
    if (found.length > 0) return found;
    return (await this.#searchContent(query)).map((image) => ({ image, from: 'content' }));
  }

  /** containerd labels each configuration with the snapshot that was made of it, and each manifest with its configuration. */
  async #searchContent(query: ImageQuery): Promise<FoundImage[]> {
    const { namespace, snapshotter, chainIds } = query;
    const top = chainIds.at(-1);
    if (top === undefined) return [];
    const found: FoundImage[] = [];
    for (const config of await this.#store.listBlobs(namespace, `containerd.io/gc.ref.snapshot.${snapshotter}`, top)) {
      for (const manifest of await this.#store.listBlobs(
        namespace,
        'containerd.io/gc.ref.content.config',
        config.digest,
      )) {
        const images = await this.#expand(namespace, manifest.digest);
        found.push(...images.filter((image) => image.configDigest === config.digest && fits(image, query)));
      }
    }
    return found;
  }

  /** Every image that a manifest or index leads to. */
  async #expand(namespace: string, digest: string, index: string | null = null, depth = 0): Promise<FoundImage[]> {
    const document = await this.#readDocument(namespace, digest);
    if (document === undefined) return [];
    if (document.kind === 'manifest') {
      const config = await this.#readConfig(namespace, document.config);
      if (config === undefined) return [];
      return [{ manifest: digest, config, configDigest: document.config, layers: document.layers, index }];
    }
    if (depth >= MAX_INDEX_DEPTH) return [];
    const found: FoundImage[] = [];
    for (const manifest of document.manifests) {
      // The outermost index is what the name led to; the layout of an imported image is one itself.
      found.push(...(await this.#expand(namespace, manifest, digest, depth + 1)));
    }
    return found;
  }

  async #readDocument(namespace: string, digest: string): Promise<ImageDocument | undefined> {
    return await this.#read(this.#documents, namespace, digest, parseImageDocument);
  }

  async #readConfig(namespace: string, digest: string): Promise<ImageConfig | undefined> {
    return await this.#read(this.#configs, namespace, digest, parseImageConfig);
  }

  async #read<T>(
    cache: Map<string, T | undefined>,
    namespace: string,
    digest: string,
    parse: (bytes: Buffer) => T,
  ): Promise<T | undefined> {
    const known = cache.get(digest);
    if (known !== undefined) return known;
    const parsed = await this.#parse(namespace, digest, parse);
    if (parsed === undefined) return undefined;
    if (cache.size >= MAX_CACHED_DOCUMENTS) cache.clear();
    cache.set(digest, parsed);
    return parsed;
  }

  async #parse<T>(namespace: string, digest: string, parse: (bytes: Buffer) => T): Promise<T | undefined> {
    try {
      const bytes = await this.#store.readBlob(namespace, digest, MAX_IMAGE_DOCUMENT_BYTES);
      return bytes === undefined ? undefined : parse(bytes);
    } catch (error) {
      if (isRefusedDocument(error)) return undefined;
      throw error;
    }
  }
}

/** A blob of another digest than its name, too large, or no image document: it proves nothing, like a missing one. */
function isRefusedDocument(error: unknown): boolean {
  if (!(error instanceof Error) || !('code' in error)) return false;
  return error.code === 'ERR_AGENT_RUNTIME_DATA' || String(error.code).startsWith('ERR_EVIDENCE_');
}

function fits(image: FoundImage, { chainIds, expected }: ImageQuery): boolean {
  if (expected !== undefined && image.configDigest !== expected) return false;
  const own = computeChainIds(image.config.diffIds);
  if (own.length !== chainIds.length || image.layers.length !== own.length) return false;
  return own.every((chainId, at) => chainId === chainIds[at]);
}
