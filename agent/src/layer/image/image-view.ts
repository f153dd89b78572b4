import { type BytePath, EvidenceError } from '@holdfast/evidence';
import type { ClosableView } from '../../root-view/directory-view.ts';
import { resolvePath } from '../../root-view/resolve-path.ts';
import { type ViewEntry, type ViewLayer, ViewLimitError } from '../../root-view/root-view.ts';
import { readLayer } from '../blob/read-layer.ts';
import { findLayout } from '../oci/find-layout.ts';
import { createLayoutSource, type LayoutSource } from '../oci/layout-source.ts';
import { computeChainIds, type ImagePlatform, parseImageConfig, parseImageManifest } from '../oci/oci-documents.ts';
import { checkPlatform, selectManifest } from '../oci/select-manifest.ts';
import { DEFAULT_TAR_LIMITS, TarParser } from '../tar/tar-parser.ts';
import { LayerTree } from '../tree/layer-tree.ts';
import { hashContent, readContent } from './file-content.ts';
import { MergedTree } from './merged-tree.ts';
import { SpoolFile } from './spool-file.ts';

export interface ImageViewOptions {
  /** Tag (`org.opencontainers.image.ref.name`), full name or `sha256:…` of a manifest or index in the layout. */
  readonly ref?: string;
  /** The only one that will do. Without it, linux on this machine's architecture decides where there are several. */
  readonly platform?: ImagePlatform;
  /** Uncompressed bytes of all layers together. Default 64 GiB. */
  readonly maxBytes?: number;
  /** Entries of all layers together. Default 2,000,000. */
  readonly maxEntries?: number;
  /** Where the nameless spool files go. Default: the system's temporary directory. */
  readonly spoolDirectory?: string;
}

export interface ImageLayer extends ViewLayer {
  readonly diffId: string;
  readonly chainId: string;
  /** `sha256:…` of the blob. */
  readonly digest: string;
  readonly mediaType: string;
}

/** An image that was never unpacked, merged from its layers. Every digest was recomputed. */
export interface OciImageView extends ClosableView {
  readonly layers: readonly ImageLayer[];
  /** Index digests passed on the way, outermost first. */
  readonly indexDigests: readonly string[];
  readonly manifestDigest: string;
  readonly configDigest: string;
  /** Name in the layout, a label. */
  readonly reference: string | null;
  readonly platform: ImagePlatform;
}

type ImageFacts = Pick<
  OciImageView,
  'layers' | 'indexDigests' | 'manifestDigest' | 'configDigest' | 'reference' | 'platform'
>;

/**
 * Opens an image of an OCI image layout (`DIRECTORY` or `DIRECTORY:REF`): finds the manifest, checks the digest of every
 * document and of every layer blob and tar, applies the layers in memory by overlay rules and keeps file content in
 * nameless spool files, one a layer. What the view tells is what the image says of itself.
 *
 * Throws `EvidenceError` for a layout that is malformed, ambiguous, passes a limit or has a wrong digest, and the system's
 * own error for files that are missing or cannot be read.
 */
export async function openImageView(layout: string, options: ImageViewOptions = {}): Promise<OciImageView> {
  const { directory, ref } = findLayout(layout) ?? { directory: layout, ref: undefined };
  const source = createLayoutSource(directory);
  const selected = selectManifest(source, options.ref ?? ref, { wanted: options.platform });
  const manifest = parseImageManifest(source.readDocument(selected.manifest));
  const config = parseImageConfig(source.readDocument(manifest.config));
  checkPlatform(config.platform, options.platform);
  if (config.diffIds.length !== manifest.layers.length) {
    throw new EvidenceError('ERR_EVIDENCE_MALFORMED', 'image: config and manifest have different numbers of layers');
  }
  const chainIds = computeChainIds(config.diffIds);
  const layers = manifest.layers.map(({ digest, mediaType }, at): ImageLayer => {
    return { digest, mediaType, diffId: config.diffIds[at] ?? '', chainId: chainIds[at] ?? '' };
  });
  const facts: ImageFacts = {
    layers,
    indexDigests: selected.indexDigests,
    manifestDigest: selected.manifest.digest,
    configDigest: manifest.config.digest,
    reference: selected.reference,
    platform: config.platform,
  };
  return await loadLayers(source, facts, options);
}

async function loadLayers(source: LayoutSource, facts: ImageFacts, options: ImageViewOptions): Promise<OciImageView> {
  const merged = new MergedTree();
  const spools: SpoolFile[] = [];
  let bytesLeft = options.maxBytes ?? DEFAULT_TAR_LIMITS.maxFileBytes;
  let entriesLeft = options.maxEntries ?? DEFAULT_TAR_LIMITS.maxEntries;
  try {
    for (const [index, layer] of facts.layers.entries()) {
      const spool = new SpoolFile(options.spoolDirectory);
      spools.push(spool);
      const tree = new LayerTree();
      const handler = createTreeHandler(tree);
      const parser = new TarParser(handler, { ...DEFAULT_TAR_LIMITS, maxEntries: entriesLeft });
      bytesLeft -= await readLayer({ ...layer, blob: { path: source.blobPath(layer.digest) } }, bytesLeft, (piece) => {
        spool.append(piece);
        parser.push(piece);
      });
      parser.end();
      entriesLeft -= handler.entries;
      merged.merge(tree.root, index);
    }
  } catch (error) {
    for (const spool of spools) spool.close();
    throw error;
  }
  return new MergedImageView(facts, merged, spools);
}

function createTreeHandler(tree: LayerTree) {
  return {
    entries: 0,
    onEntry(entry: Parameters<LayerTree['apply']>[0]): void {
      this.entries += 1;
      tree.apply(entry);
    },
    onData: () => undefined,
    onEnd: () => undefined,
  };
}

class MergedImageView implements OciImageView {
  readonly layers: readonly ImageLayer[];
  readonly indexDigests: readonly string[];
  readonly manifestDigest: string;
  readonly configDigest: string;
  readonly reference: string | null;
  readonly platform: ImagePlatform;
  readonly #tree: MergedTree;
  readonly #spools: readonly SpoolFile[];

  constructor(facts: ImageFacts, tree: MergedTree, spools: readonly SpoolFile[]) {
    this.layers = facts.layers;
    this.indexDigests = facts.indexDigests;
    this.manifestDigest = facts.manifestDigest;
    this.configDigest = facts.configDigest;
    this.reference = facts.reference;
    this.platform = facts.platform;
    this.#tree = tree;
    this.#spools = spools;
  }

  lstat(path: BytePath): ViewEntry | undefined {
    return this.#tree.lstat(path);
  }

  list(path: BytePath): string[] {
    return [...(this.#tree.find(path)?.children?.keys() ?? [])].sort((a, b) => (a < b ? -1 : 1));
  }

  readFile(path: BytePath, maxBytes: number): Buffer | undefined {
    const file = this.#findFile(path);
    if (file === undefined) return undefined;
    if (file.node.size > maxBytes) throw new ViewLimitError('fileBytes', path);
    return readContent(file.spool, file.node, 0, file.node.size);
  }

  readHead(path: BytePath, bytes: number): Buffer | undefined {
    const file = this.#findFile(path);
    return file && readContent(file.spool, file.node, 0, Math.min(bytes, file.node.size));
  }

  readPart(path: BytePath, offset: number, length: number): Buffer | undefined {
    const file = this.#findFile(path);
    if (file === undefined) return undefined;
    const start = Math.min(offset, file.node.size);
    return readContent(file.spool, file.node, start, Math.min(length, file.node.size - start));
  }

  hashFile(path: BytePath): string | undefined {
    const file = this.#findFile(path);
    return file && hashContent(file.spool, file.node);
  }

  resolve(path: BytePath): BytePath | undefined {
    return resolvePath((at) => this.lstat(at), path);
  }

  close(): void {
    for (const spool of this.#spools) spool.close();
  }

  [Symbol.dispose](): void {
    this.close();
  }

  #findFile(path: BytePath) {
    const found = this.#tree.find(path);
    const spool = found === undefined ? undefined : this.#spools[found.layer];
    if (found?.source.type !== 'file' || spool === undefined) return undefined;
    return { node: found.source, spool };
  }
}
