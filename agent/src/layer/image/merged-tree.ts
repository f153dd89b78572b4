import type { BytePath } from '@holdfast/evidence';
import { splitPath } from '../../root-view/resolve-path.ts';
import type { ViewEntry } from '../../root-view/root-view.ts';
import { createImplicitDirectory, isWhiteout, type LayerNode } from '../tree/layer-node.ts';

/** The kernel's own limit (MAXSYMLINKS). */
const MAX_LINKS = 40;

/** One entry of the merged layers: attributes from the uppermost layer that has it. */
interface MergedNode {
  readonly source: LayerNode;
  /** 0 is the lowest. */
  readonly layer: number;
  readonly children: Map<string, MergedNode> | undefined;
}

/** A directory and the way to it, so that `..` can be followed back. */
interface Way {
  readonly node: MergedNode;
  readonly up: Way | undefined;
}

/** Layers laid over one another, as overlayfs shows them. */
export class MergedTree {
  readonly #root: MergedNode = { source: createImplicitDirectory(), layer: 0, children: new Map() };

  /**
   * Lays one layer over what is merged so far: a character device 0:0 removes a name, an opaque directory hides what is
   * below it, directories merge, anything else replaces. A directory that the layer only implies takes its attributes
   * from below, through links too, as unpackers do. An opaque root hides nothing: the kernel does not look at it.
   */
  merge(layerRoot: LayerNode, layer: number): void {
    this.#mergeInto(this.#root, layerRoot, layer, { node: this.#root, up: undefined });
  }

  /** The node at a path whose parents are real directories. */
  find(path: BytePath): MergedNode | undefined {
    let node: MergedNode | undefined = this.#root;
    if (path === '/') return node;
    for (const name of path.slice(1).split('/')) node = node?.children?.get(name);
    return node;
  }

  lstat(path: BytePath): ViewEntry | undefined {
    const node = this.find(path);
    return node === undefined ? undefined : toEntry(node);
  }

  /** `below` leads from the root to what lies under this directory, links followed; undefined where nothing does. */
  #mergeInto(into: MergedNode, from: LayerNode, layer: number, below: Way | undefined): void {
    const children = into.children;
    if (children === undefined) return;
    for (const [name, child] of from.children ?? []) {
      if (isWhiteout(child)) children.delete(name);
      else if (child.type !== 'directory') children.set(name, { source: child, layer, children: undefined });
      else children.set(name, this.#mergeDirectory(children.get(name), child, layer, this.#follow(below, name)));
    }
  }

  #mergeDirectory(
    replaced: MergedNode | undefined,
    child: LayerNode,
    layer: number,
    below: Way | undefined,
  ): MergedNode {
    const model = child.isImplicit ? below?.node : undefined;
    const merged: MergedNode = {
      source: model?.source ?? child,
      layer: model !== undefined && model === replaced ? model.layer : layer,
      children: child.isOpaque ? new Map() : (replaced?.children ?? new Map()),
    };
    this.#mergeInto(merged, child, layer, below);
    return merged;
  }

  /** The way to `name` in the last directory of a way; undefined where it leads to no directory. */
  #follow(way: Way | undefined, name: string): Way | undefined {
    const todo = [name];
    let at = way;
    let links = 0;
    for (let next = todo.pop(); next !== undefined && at !== undefined; next = todo.pop()) {
      if (next === '..') {
        at = at.up ?? at;
        continue;
      }
      const node: MergedNode | undefined = at.node.children?.get(next);
      if (node?.source.type === 'symlink') {
        links += 1;
        if (links > MAX_LINKS) return undefined;
        if (node.source.target.startsWith('/')) at = { node: this.#root, up: undefined };
        todo.push(...splitPath(node.source.target));
      } else at = node?.children === undefined ? undefined : { node, up: at };
    }
    return at;
  }
}

function toEntry({ source, layer }: MergedNode): ViewEntry {
  const { type, mode, uid, gid, size, rdevMajor, rdevMinor, target } = source;
  const capability = source.xattrs?.get('security.capability');
  return {
    type,
    mode,
    uid,
    gid,
    size,
    rdevMajor,
    rdevMinor,
    layer,
    ...(type === 'symlink' ? { target } : {}),
    ...(capability === undefined || type !== 'file' ? {} : { capability: capability.toString('hex') }),
  };
}
