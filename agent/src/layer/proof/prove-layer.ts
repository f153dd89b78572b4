import { openRoot } from '@holdfast/rootfs';
import { type LayerSource, readLayer } from '../blob/read-layer.ts';
import type { TarEntry, TarHandler } from '../tar/tar-entry.ts';
import { DEFAULT_TAR_LIMITS, TarParser } from '../tar/tar-parser.ts';
import type { LayerNode } from '../tree/layer-node.ts';
import { LayerTree } from '../tree/layer-tree.ts';
import { compareDirectory } from './compare-directory.ts';
import type { DirectoryDigest } from './directory-digest.ts';
import { FileHasher } from './file-hasher.ts';
import { DifferenceList, type LayerDifference } from './layer-difference.ts';

export interface LayerProofRequest extends LayerSource {
  /** The unpacked layer: a lower directory of the overlay. */
  readonly directory: string;
  /** Differences named in the answer; the count stays exact. Default 100. */
  readonly maxDifferences?: number;
  /** Of the uncompressed tar. Default 64 GiB. */
  readonly maxBytes?: number;
}

export interface LayerProofResult extends DirectoryDigest {
  /** `content`: every entry of the directory equals the layer's tar, whose digests are those asked for. */
  readonly proof: 'content' | 'none';
  /** Empty for `content`. */
  readonly differences: readonly LayerDifference[];
  readonly differenceCount: number;
  /** Members of the tar. */
  readonly entries: number;
  /** Of the uncompressed tar. */
  readonly bytes: number;
}

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
  const differences = new DifferenceList(request.maxDifferences ?? 100);
  const digest = compareDirectory(root, reading.tree.root, differences);
  return {
    proof: differences.count === 0 ? 'content' : 'none',
    differences: differences.items,
    differenceCount: differences.count,
    ...digest,
    entries: reading.entries,
    bytes,
  };
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
