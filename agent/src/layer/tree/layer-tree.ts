import { EvidenceError } from '@holdfast/evidence';
import { splitPath } from '../../root-view/resolve-path.ts';
import type { TarEntry } from '../tar/tar-entry.ts';
import { createImplicitDirectory, type LayerNode } from './layer-node.ts';
import { splitTarPath } from './split-tar-path.ts';

const WHITEOUT_PREFIX = '.wh.';
const OPAQUE_MARKER = '.wh..wh..opq';
const CAPABILITY = 'security.capability';
const MAX_LINKS = 255;

/** Where an entry went: parts of its path in the layer, links among the parents resolved. */
export interface Applied {
  readonly path: readonly string[];
  readonly node: LayerNode;
}

/**
 * What the directory of one layer looks like after its tar was applied in order, as containerd does it for overlayfs:
 * parents are resolved through links of the same layer and made where missing, a later entry replaces an earlier one
 * (directories are merged), `.wh.NAME` becomes a character device 0:0 and `.wh..wh..opq` an attribute of its directory.
 *
 * Refuses with `EvidenceError` ERR_EVIDENCE_MALFORMED what containerd refuses: a parent that is no directory, a hard link
 * to what this layer does not hold, a whiteout of what this layer does hold.
 */
export class LayerTree {
  readonly root: LayerNode = createImplicitDirectory();

  /** Applies one entry. Undefined for the root entry, which runtimes pass over, and for opaque markers. */
  apply(entry: TarEntry): Applied | undefined {
    const names = splitTarPath(entry.path);
    const base = names.pop();
    if (base === undefined) return undefined;
    const parentNames = this.#resolve(names);
    const parent = this.#makeDirectories(parentNames);
    const children = childrenOf(parent);
    if (base === OPAQUE_MARKER) {
      parent.isOpaque = true;
      return undefined;
    }
    if (base.startsWith(WHITEOUT_PREFIX)) return this.#applyWhiteout(entry, parentNames, children, base);
    const path = [...parentNames, base];
    const existing = children.get(base);
    if (existing?.type === 'directory' && entry.type === 'directory') {
      describe(existing, entry);
      return { path, node: existing };
    }
    children.delete(base);
    const node = entry.type === 'hardlink' ? this.#link(entry) : createNode(entry);
    children.set(base, node);
    return { path, node };
  }

  #applyWhiteout(
    entry: TarEntry,
    parentNames: readonly string[],
    children: Map<string, LayerNode>,
    base: string,
  ): Applied {
    const hidden = base.slice(WHITEOUT_PREFIX.length);
    if (hidden === '' || hidden === '.' || hidden === '..') throw malformed('a whiteout of nothing');
    if (children.has(hidden)) throw malformed('a whiteout of what the same layer holds');
    const node: LayerNode = {
      ...createImplicitDirectory(),
      type: 'char',
      mode: 0,
      uid: entry.uid,
      gid: entry.gid,
      isImplicit: false,
      children: undefined,
    };
    children.set(hidden, node);
    return { path: [...parentNames, hidden], node };
  }

  /** The linked inode takes owner and attributes of the link's own header; its mode stays, its capability goes. */
  #link(entry: TarEntry): LayerNode {
    const names = splitTarPath(entry.target);
    const base = names.pop();
    const parent = this.#find(this.#resolve(names));
    const node = base === undefined ? undefined : parent?.children?.get(base);
    if (node === undefined || node.type === 'directory') throw malformed('a hard link to what the layer does not hold');
    node.uid = entry.uid;
    node.gid = entry.gid;
    const xattrs = new Map(node.xattrs);
    node.lostCapability ??= xattrs.get(CAPABILITY);
    xattrs.delete(CAPABILITY);
    for (const [name, value] of entry.xattrs ?? []) xattrs.set(name, value);
    node.xattrs = xattrs;
    return node;
  }

  /** Resolves links of this layer among the parents, inside the root; what does not exist is taken as it is. */
  #resolve(names: readonly string[]): string[] {
    const todo = names.toReversed();
    const done: string[] = [];
    const nodes: (LayerNode | undefined)[] = [this.root];
    let links = 0;
    for (let name = todo.pop(); name !== undefined; name = todo.pop()) {
      if (name === '..') {
        if (done.pop() !== undefined) nodes.pop();
        continue;
      }
      const node = nodes.at(-1)?.children?.get(name);
      if (node?.type !== 'symlink') {
        done.push(name);
        nodes.push(node);
        continue;
      }
      links += 1;
      if (links > MAX_LINKS) throw malformed('too many symbolic links in a path');
      if (node.target.startsWith('/')) {
        done.length = 0;
        nodes.length = 1;
      }
      todo.push(...splitPath(node.target));
    }
    if (done.length > MAX_LINKS * 8) throw malformed('a path that is too deep');
    return done;
  }

  #makeDirectories(names: readonly string[]): LayerNode {
    let node = this.root;
    for (const name of names) {
      const children = childrenOf(node);
      let child = children.get(name);
      if (child === undefined) {
        child = createImplicitDirectory();
        children.set(name, child);
      }
      node = child;
    }
    childrenOf(node);
    return node;
  }

  #find(names: readonly string[]): LayerNode | undefined {
    let node: LayerNode | undefined = this.root;
    for (const name of names) node = node?.children?.get(name);
    return node;
  }
}

function childrenOf(node: LayerNode): Map<string, LayerNode> {
  if (node.children === undefined) throw malformed('a parent that is no directory');
  return node.children;
}

function createNode(entry: TarEntry): LayerNode {
  const { type, mode, uid, gid, size, target, rdevMajor, rdevMinor, xattrs, dataOffset, segments } = entry;
  if (type === 'hardlink') throw new TypeError('a hard link has no node of its own');
  return {
    type,
    mode,
    uid,
    gid,
    size,
    target,
    rdevMajor,
    rdevMinor,
    xattrs,
    isImplicit: false,
    isOpaque: false,
    lostCapability: undefined,
    children: type === 'directory' ? new Map() : undefined,
    dataOffset,
    segments,
    sha256: undefined,
  };
}

/** A directory that is named again, or after something in it: the last header counts, attributes are added. */
function describe(node: LayerNode, entry: TarEntry): void {
  node.mode = entry.mode;
  node.uid = entry.uid;
  node.gid = entry.gid;
  node.isImplicit = false;
  if (entry.xattrs !== undefined) node.xattrs = new Map([...(node.xattrs ?? []), ...entry.xattrs]);
}

function malformed(what: string): EvidenceError {
  return new EvidenceError('ERR_EVIDENCE_MALFORMED', `layer: ${what}`);
}
