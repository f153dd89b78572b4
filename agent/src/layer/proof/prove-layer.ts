import { openRoot, type RootHandle } from '@holdfast/rootfs';
import { type LayerSource, readLayer } from '../blob/read-layer.ts';
import type { TarEntry, TarHandler } from '../tar/tar-entry.ts';
import { DEFAULT_TAR_LIMITS, TarParser } from '../tar/tar-parser.ts';
import type { LayerNode } from '../tree/layer-node.ts';
import { LayerTree } from '../tree/layer-tree.ts';
import { DirectoryComparison } from './compare-directory.ts';
import { FileComparer, type FileVerdict } from './file-comparer.ts';
import { DifferenceList, type LayerDifference } from './layer-difference.ts';

export interface LayerProofRequest extends LayerSource {
  /** The unpacked layer: a lower directory of the overlay. */
  readonly directory: string;
  /** Differences named in the answer; the count stays exact. Default 100. */
  readonly maxDifferences?: number;
  /** Of the uncompressed tar. Default 64 GiB. */
  readonly maxBytes?: number;
}

export interface LayerProofResult {
  /** `content`: every entry of the directory equals the layer's tar, whose digests are those asked for. */
  readonly proof: 'content' | 'none';
  /** Empty for `content`. */
  readonly differences: readonly LayerDifference[];
  readonly differenceCount: number;
  /** Fingerprint of the directory as compared: equal to `fingerprintDirectory` as long as nothing changes. */
  readonly fingerprint: string;
  /** Members of the tar. */
  readonly entries: number;
  /** Of the uncompressed tar. */
  readonly bytes: number;
}

/**
 * Compares an unpacked layer with the blob that it should have come from, in one pass over the blob: hashes blob and tar,
 * applies each member to a tree of what should lie on disk and compares file content byte for byte as it streams by; then
 * checks both digests, then walks the directory once against the tree (rules of `LayerTree` and `compareAttributes`).
 *
 * Reads beneath `directory` only and follows no link. Throws `EvidenceError` when the blob is not what its digests say
 * (ERR_EVIDENCE_DIGEST), is malformed or passes a limit, and `RootfsError` when the directory cannot be read. A
 * difference is a value. Design §4.4.
 */
export async function proveLayer(request: LayerProofRequest): Promise<LayerProofResult> {
  using root = openRoot(request.directory, { parentLinks: 'refuse' });
  const reading = new LayerReading(root);
  const parser = new TarParser(reading);
  const maxBytes = request.maxBytes ?? DEFAULT_TAR_LIMITS.maxFileBytes;
  const bytes = await readLayer(request, maxBytes, (piece) => parser.push(piece));
  parser.end();
  const differences = new DifferenceList(request.maxDifferences ?? 100);
  const comparison = new DirectoryComparison(root, reading.verdicts, differences, DEFAULT_TAR_LIMITS.maxFileBytes);
  const fingerprint = comparison.run(reading.tree.root);
  return {
    proof: differences.count === 0 ? 'content' : 'none',
    differences: differences.items,
    differenceCount: differences.count,
    fingerprint,
    entries: reading.entries,
    bytes,
  };
}

/** Applies the tar's members to a tree and compares the content of each file with the one on disk. */
class LayerReading implements TarHandler {
  readonly tree = new LayerTree();
  readonly verdicts = new Map<LayerNode, FileVerdict>();
  entries = 0;
  readonly #root: RootHandle;
  #node: LayerNode | undefined;
  #comparer: FileComparer | undefined;

  constructor(root: RootHandle) {
    this.#root = root;
  }

  onEntry(entry: TarEntry): void {
    this.entries += 1;
    const applied = this.tree.apply(entry);
    if (applied === undefined || entry.type !== 'file' || applied.node.type !== 'file' || entry.size === 0) return;
    this.#node = applied.node;
    this.#comparer = new FileComparer(this.#root, Buffer.from(applied.path.join('/'), 'latin1'), entry.size);
  }

  onData(chunk: Buffer, offset: number): void {
    this.#comparer?.push(chunk, offset);
  }

  onEnd(): void {
    if (this.#node !== undefined && this.#comparer !== undefined) {
      this.verdicts.set(this.#node, this.#comparer.finish());
    }
    this.#node = undefined;
    this.#comparer = undefined;
  }
}
