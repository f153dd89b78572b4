import { createImplicitDirectory, isWhiteout, type LayerNode } from '../tree/layer-node.ts';

/** One entry of the merged layers: attributes from the uppermost layer that has it. */
export interface MergedNode {
  readonly source: LayerNode;
  /** 0 is the lowest. */
  readonly layer: number;
  readonly children: Map<string, MergedNode> | undefined;
}

export function createMergedRoot(): MergedNode {
  return { source: createImplicitDirectory(), layer: 0, children: new Map() };
}

/**
 * Lays one layer over what is merged so far, as overlayfs does: a character device 0:0 removes a name, an opaque
 * directory hides what is below it, directories merge, anything else replaces. A directory that the layer only implies
 * keeps the attributes that it had, as unpackers copy them from below. An opaque root hides nothing: the kernel does not
 * look at it.
 */
export function mergeLayer(into: MergedNode, from: LayerNode, layer: number): void {
  const children = into.children;
  if (children === undefined) return;
  for (const [name, child] of from.children ?? []) {
    if (isWhiteout(child)) children.delete(name);
    else children.set(name, mergeChild(children.get(name), child, layer));
  }
}

function mergeChild(below: MergedNode | undefined, child: LayerNode, layer: number): MergedNode {
  if (child.type !== 'directory') return { source: child, layer, children: undefined };
  const keepsAttributes = child.isImplicit && below?.source.type === 'directory';
  const merged: MergedNode = {
    source: keepsAttributes ? below.source : child,
    layer: keepsAttributes ? below.layer : layer,
    children: child.isOpaque ? new Map() : (below?.children ?? new Map()),
  };
  mergeLayer(merged, child, layer);
  return merged;
}
