import type { RootHandle, WalkEntry } from '@holdfast/rootfs';
import { isWhiteout, type LayerNode } from '../tree/layer-node.ts';
import { compareAttributes, WALKED_XATTRS } from './compare-attributes.ts';
import type { FileVerdict } from './file-comparer.ts';
import { Fingerprint, LAYER_WALK_LIMITS } from './fingerprint-directory.ts';
import type { DifferenceList } from './layer-difference.ts';

/** One walk over the directory against the layer's tree, which is used up. Returns the directory's fingerprint. */
export class DirectoryComparison {
  readonly #root: RootHandle;
  readonly #verdicts: ReadonlyMap<LayerNode, FileVerdict>;
  readonly #differences: DifferenceList;
  readonly #maxFileBytes: number;
  readonly #directories = new Map<string, LayerNode>();

  constructor(
    root: RootHandle,
    verdicts: ReadonlyMap<LayerNode, FileVerdict>,
    differences: DifferenceList,
    maxFileBytes: number,
  ) {
    this.#root = root;
    this.#verdicts = verdicts;
    this.#differences = differences;
    this.#maxFileBytes = maxFileBytes;
  }

  run(tree: LayerNode): string {
    const fingerprint = new Fingerprint();
    this.#directories.set('', tree);
    this.#root.walk(Buffer.alloc(0), { ...LAYER_WALK_LIMITS, xattrs: WALKED_XATTRS }, (entries) => {
      for (const entry of entries) {
        fingerprint.add(entry);
        this.#compare(entry);
      }
    });
    this.#reportMissing('', tree);
    return fingerprint.finish();
  }

  #compare(entry: WalkEntry): void {
    const path = entry.path.toString('latin1');
    const slash = path.lastIndexOf('/');
    const name = path.slice(slash + 1);
    const siblings = this.#directories.get(slash === -1 ? '' : path.slice(0, slash))?.children;
    const node = siblings?.get(name);
    if (node === undefined) {
      this.#differences.add(path, 'extra', null, entry.stat.type);
      return;
    }
    // What is left in the tree after the walk is missing on disk.
    siblings?.delete(name);
    if (entry.problem !== undefined) {
      this.#differences.add(path, 'changed', null, entry.problem);
      return;
    }
    if (!compareAttributes(path, node, entry, this.#differences)) {
      if (node.children !== undefined) this.#reportMissing(path, node);
      return;
    }
    if (node.type === 'directory') this.#directories.set(path, node);
    if (node.type === 'file' && node.size > 0) this.#compareContent(path, node, entry);
  }

  #compareContent(path: string, node: LayerNode, entry: WalkEntry): void {
    const { ino, ctimeNs } = entry.stat;
    const verdict = this.#verdicts.get(node);
    if (verdict === undefined) throw new TypeError('a file of the layer was never compared');
    const isSameFile = verdict.version?.ino === ino;
    if (verdict.changed || (isSameFile && verdict.version?.ctimeNs !== ctimeNs)) {
      this.#differences.add(path, 'changed', null, 'content changed while it was compared');
    } else if (!isSameFile) this.#compareByHash(path, verdict, entry.path);
    else if (!verdict.matches) this.#reportContent(path, verdict, entry.path);
  }

  #reportContent(path: string, verdict: FileVerdict, diskPath: Buffer): void {
    const actual = this.#differences.isFull ? null : this.#hash(diskPath);
    this.#differences.add(path, 'sha256', verdict.expectedSha256 ?? null, actual);
  }

  /** The path holds another inode than the one compared: a hard link that was broken up on disk, or an exchange. */
  #compareByHash(path: string, verdict: FileVerdict, diskPath: Buffer): void {
    const expected = verdict.matches ? this.#hash(verdict.path) : verdict.expectedSha256;
    const actual = this.#hash(diskPath);
    if (expected !== actual) this.#differences.add(path, 'sha256', expected ?? null, actual);
  }

  #hash(path: Buffer): string {
    return this.#root.hashFile(path, { maxBytes: this.#maxFileBytes }).sha256.toString('hex');
  }

  #reportMissing(path: string, node: LayerNode): void {
    for (const [name, child] of node.children ?? []) {
      const childPath = path === '' ? name : `${path}/${name}`;
      this.#differences.add(childPath, 'missing', isWhiteout(child) ? 'whiteout' : child.type, null);
      this.#reportMissing(childPath, child);
    }
  }
}
