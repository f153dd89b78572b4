import type { RootHandle, WalkEntry } from '@holdfast/rootfs';
import { isWhiteout, type LayerNode } from '../tree/layer-node.ts';
import { type ComparedWith, compareAttributes } from './compare-attributes.ts';
import { WALKED_XATTRS } from './compared-xattrs.ts';
import { type DirectoryDigest, DirectoryDigester, MAX_LAYER_FILE_BYTES } from './directory-digest.ts';
import { LAYER_WALK_LIMITS } from './fingerprint-directory.ts';
import type { DifferenceList } from './layer-difference.ts';

/**
 * Walks a directory once, hashing its files, and compares each entry with the layer's tree, which is used up: what is
 * left in it is missing on disk. Returns the directory's digests as of this very walk.
 */
export function compareDirectory(root: RootHandle, tree: LayerNode, comparedWith: ComparedWith): DirectoryDigest {
  const comparison = new DirectoryComparison(tree, comparedWith);
  const digester = new DirectoryDigester();
  const options = { ...LAYER_WALK_LIMITS, xattrs: WALKED_XATTRS, hashFiles: true, maxFileBytes: MAX_LAYER_FILE_BYTES };
  root.walk(Buffer.alloc(0), options, (entries) => {
    for (const entry of entries) {
      digester.add(entry);
      comparison.compare(entry);
    }
  });
  comparison.finish();
  return digester.finish();
}

class DirectoryComparison {
  readonly #comparedWith: ComparedWith;
  readonly #differences: DifferenceList;
  readonly #directories: Map<string, LayerNode>;

  constructor(tree: LayerNode, comparedWith: ComparedWith) {
    this.#comparedWith = comparedWith;
    this.#differences = comparedWith.differences;
    this.#directories = new Map([['', tree]]);
  }

  compare(entry: WalkEntry): void {
    const path = entry.path.toString('latin1');
    const slash = path.lastIndexOf('/');
    const name = path.slice(slash + 1);
    const siblings = this.#directories.get(slash === -1 ? '' : path.slice(0, slash))?.children;
    const node = siblings?.get(name);
    if (node === undefined) {
      this.#differences.add(path, 'extra', null, entry.stat.type);
      return;
    }
    siblings?.delete(name);
    if (entry.problem !== undefined) {
      this.#differences.add(path, 'changed', null, entry.problem);
    } else if (compareAttributes(path, node, entry, this.#comparedWith)) {
      if (node.type === 'directory') this.#directories.set(path, node);
      if (node.type === 'file') this.#compareContent(path, node, entry);
      return;
    }
    this.#reportMissing(path, node);
  }

  /** What no entry of the walk took out of its directory is not there. */
  finish(): void {
    for (const [path, node] of this.#directories) this.#reportMissing(path, node);
  }

  #reportMissing(path: string, node: LayerNode): void {
    for (const [name, child] of node.children ?? []) {
      const childPath = path === '' ? name : `${path}/${name}`;
      this.#differences.add(childPath, 'missing', isWhiteout(child) ? 'whiteout' : child.type, null);
      this.#reportMissing(childPath, child);
    }
  }

  #compareContent(path: string, node: LayerNode, entry: WalkEntry): void {
    const actual = entry.sha256?.toString('latin1');
    if (actual !== undefined && actual === node.sha256) return;
    this.#differences.add(path, 'sha256', toHex(node.sha256), toHex(actual));
  }
}

function toHex(digest: string | undefined): string | null {
  return digest === undefined ? null : Buffer.from(digest, 'latin1').toString('hex');
}
