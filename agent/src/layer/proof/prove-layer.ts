import { EvidenceError } from '@holdfast/evidence';
import { openRoot, type RootHandle } from '@holdfast/rootfs';
import { type LayerSource, readLayer } from '../blob/read-layer.ts';
import type { TarEntry, TarHandler } from '../tar/tar-entry.ts';
import { DEFAULT_TAR_LIMITS, TarParser } from '../tar/tar-parser.ts';
import { assembleTar, findChangedFiles } from '../tar-split/assemble-tar.ts';
import type { LayerNode } from '../tree/layer-node.ts';
import { LayerTree } from '../tree/layer-tree.ts';
import { compareDirectory } from './compare-directory.ts';
import type { DirectoryDigest } from './directory-digest.ts';
import { FileHasher } from './file-hasher.ts';
import {
  digestImplied,
  type ImpliedDigest,
  type ImpliedDirectories,
  openImpliedDirectories,
  PLAIN_DIRECTORIES,
} from './implied-directory.ts';
import { DifferenceList, type LayerDifference } from './layer-difference.ts';

export interface LayerProofRequest extends LayerSource {
  /** The unpacked layer: a lower directory of the overlay. */
  readonly directory: string;
  /** Directories of the layers below, the nearest first: runtimes make directories that the tar does not name like those. */
  readonly lowers: readonly string[];
  /** Differences named in the answer; the count stays exact. Default 100. */
  readonly maxDifferences?: number;
  /** Of the uncompressed tar. Default 64 GiB. */
  readonly maxBytes?: number;
}

/** What an unpacked layer is proven by where its blob is not kept: what tar-split kept of its tar. */
export interface TarSplitProofRequest extends Omit<LayerProofRequest, keyof LayerSource | 'lowers'> {
  /** File with the tar-split entries. */
  readonly tarSplit: string;
  /** `sha256:…` of the uncompressed tar, from the config. */
  readonly diffId: string;
}

export interface LayerProofResult extends DirectoryDigest {
  /** `content` or `tarSplit`: every entry of the directory equals the layer's tar, whose digests are those asked for. */
  readonly proof: 'content' | 'tarSplit' | 'none';
  /** Empty where there is a proof. */
  readonly differences: readonly LayerDifference[];
  readonly differenceCount: number;
  /** Members of the tar. */
  readonly entries: number;
  /** Of the uncompressed tar. */
  readonly bytes: number;
  /** What was compared with the layers below. */
  readonly implied: ImpliedDigest;
}

const DEFAULT_MAX_DIFFERENCES = 100;

/**
 * Compares an unpacked layer with the blob that it should have come from. In one pass over the blob: hashes blob and tar,
 * applies each member to a tree of what should lie on disk and hashes each file. Then checks both digests, then walks the
 * directory once, hashing its files, and compares every entry (rules of `LayerTree` and `compareAttributes`).
 *
 * Reads beneath `directory` only and follows no link. Throws `EvidenceError` when the blob is not what its digests say
 * (ERR_EVIDENCE_DIGEST), is malformed or passes a limit, and `RootfsError` when the directory cannot be read. A
 * difference is a value. Design §4.4.
 */
export async function proveLayer(request: LayerProofRequest): Promise<LayerProofResult> {
  using root = openRoot(request.directory, { parentLinks: 'refuse' });
  const reading = new LayerReading();
  const parser = new TarParser(reading);
  const maxBytes = request.maxBytes ?? DEFAULT_TAR_LIMITS.maxFileBytes;
  const bytes = await readLayer(request, maxBytes, (piece) => parser.push(piece));
  parser.end();
  const differences = new DifferenceList(request.maxDifferences ?? DEFAULT_MAX_DIFFERENCES);
  const implied = openImpliedDirectories(request.lowers);
  try {
    return compareLayer('content', { root, reading, differences, bytes, implied });
  } finally {
    implied.close();
  }
}

/**
 * Compares an unpacked layer with its own tar: builds that anew from the directory's files and what tar-split kept beside
 * them. When its digest is the diffID, the files are those of the image, and the tar says what every entry of the
 * directory should be, which is then compared as `proveLayer` does. When not, files with another checksum are named.
 *
 * Throws as `proveLayer` does; ERR_EVIDENCE_DIGEST where the tar is another one and no file tells why.
 */
export async function proveLayerByTarSplit(request: TarSplitProofRequest): Promise<LayerProofResult> {
  using root = openRoot(request.directory, { parentLinks: 'refuse' });
  const reading = new LayerReading();
  const parser = new TarParser(reading);
  // A path of the tar may lead through a link of the same layer; it is followed within the layer as when unpacking.
  using content = openRoot(request.directory);
  const maxBytes = request.maxBytes ?? DEFAULT_TAR_LIMITS.maxFileBytes;
  const source = { path: request.tarSplit, root: content, maxBytes };
  const { bytes, digest } = await assembleTar(source, (piece) => parser.push(piece));
  parser.end();
  const max = request.maxDifferences ?? DEFAULT_MAX_DIFFERENCES;
  const differences = new DifferenceList(max);
  if (digest !== request.diffId) {
    for (const path of await findChangedFiles(source, max)) differences.add(path, 'sha256', null, null);
    if (differences.count === 0) {
      throw new EvidenceError('ERR_EVIDENCE_DIGEST', `layer tar is ${digest}, not ${request.diffId.slice(0, 80)}`);
    }
  }
  return compareLayer('tarSplit', { root, reading, differences, bytes, implied: PLAIN_DIRECTORIES });
}

interface ReadLayer {
  readonly root: RootHandle;
  readonly reading: LayerReading;
  readonly differences: DifferenceList;
  readonly bytes: number;
  readonly implied: ImpliedDirectories;
}

function compareLayer(
  proof: 'content' | 'tarSplit',
  { root, reading, differences, bytes, implied }: ReadLayer,
): LayerProofResult {
  // Before the comparison, which uses the tree up.
  const paths = [...listImplicit(reading.tree.root)];
  const digest = compareDirectory(root, reading.tree.root, { implied, differences });
  return {
    proof: differences.count === 0 ? proof : 'none',
    differences: differences.items,
    differenceCount: differences.count,
    ...digest,
    entries: reading.entries,
    bytes,
    implied: digestImplied(paths, implied),
  };
}

/** Paths of directories that the tar does not name; of the root nobody sees the attributes. */
function* listImplicit(directory: LayerNode, path = ''): Generator<string> {
  for (const [name, child] of directory.children ?? []) {
    const childPath = path === '' ? name : `${path}/${name}`;
    if (child.isImplicit) yield childPath;
    if (child.children !== undefined) yield* listImplicit(child, childPath);
  }
}

/** Applies the tar's members to a tree and hashes the content of each file. */
class LayerReading implements TarHandler {
  readonly tree = new LayerTree();
  entries = 0;
  #node: LayerNode | undefined;
  #hasher = new FileHasher(0);

  onEntry(entry: TarEntry): void {
    this.entries += 1;
    const node = this.tree.apply(entry)?.node;
    if (entry.type !== 'file') return;
    this.#node = node;
    this.#hasher = new FileHasher(entry.size);
  }

  onData(chunk: Buffer, offset: number): void {
    this.#hasher.push(chunk, offset);
  }

  onEnd(): void {
    if (this.#node?.type === 'file') this.#node.sha256 = this.#hasher.finish();
    this.#node = undefined;
  }
}
