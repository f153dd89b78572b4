import { type BytePath, joinBytePath, toBytePath } from '@holdfast/evidence';
import { resolvePath } from '../../root-view/resolve-path.ts';
import type { ViewEntry } from '../../root-view/root-view.ts';
import { createImplicitDirectory, isWhiteout, type LayerNode } from '../tree/layer-node.ts';

const ROOT = toBytePath('/');

/** One entry of the merged layers: attributes from the uppermost layer that has it. */
interface MergedNode {
  readonly source: LayerNode;
  /** 0 is the lowest. */
  readonly layer: number;
  readonly children: Map<string, MergedNode> | undefined;
}

/** Layers laid over one another, as overlayfs shows them. */
export class MergedTree {
  readonly #root: MergedNode = { source: createImplicitDirectory(), layer: 0, children: new Map() };

  /**
   * Lays one layer over what is merged so far: a character device 0:0 removes a name, an opaque directory hides what is
   * below it, directories merge, anything else replaces. A directory that the layer only implies takes its attributes
   * from below, through a link too, as unpackers do. An opaque root hides nothing: the kernel does not look at it.
   */
  merge(layerRoot: LayerNode, layer: number): void {
    this.#mergeInto(this.#root, ROOT, layerRoot, layer);
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

  #mergeInto(into: MergedNode, path: BytePath, from: LayerNode, layer: number): void {
    const children = into.children;
    if (children === undefined) return;
    for (const [name, child] of from.children ?? []) {
      if (isWhiteout(child)) children.delete(name);
      else children.set(name, this.#mergeChild(children.get(name), joinBytePath(path, name), child, layer));
    }
  }

  #mergeChild(below: MergedNode | undefined, path: BytePath, child: LayerNode, layer: number): MergedNode {
    if (child.type !== 'directory') return { source: child, layer, children: undefined };
    const model = child.isImplicit ? this.#findModel(path) : undefined;
    const merged: MergedNode = {
      source: model?.source ?? child,
      layer: model !== undefined && model === below ? model.layer : layer,
      children: child.isOpaque ? new Map() : (below?.children ?? new Map()),
    };
    this.#mergeInto(merged, path, child, layer);
    return merged;
  }

  #findModel(path: BytePath): MergedNode | undefined {
    const real = resolvePath((at) => this.lstat(at), path);
    const node = real === undefined ? undefined : this.find(real);
    return node?.source.type === 'directory' ? node : undefined;
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
