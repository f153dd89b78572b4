import type { EntryType } from '../../root-view/root-view.ts';
import type { SparseSegment } from '../tar/sparse-map.ts';

/** Attributes that one entry of a layer has once the whole layer was applied. Text is latin1: one character a byte. */
export interface LayerNode {
  readonly type: EntryType;
  mode: number;
  uid: number;
  gid: number;
  readonly size: number;
  readonly target: string;
  readonly rdevMajor: number;
  readonly rdevMinor: number;
  xattrs: ReadonlyMap<string, Buffer> | undefined;
  /** A directory that the tar does not name: made because something lies in it. Its attributes say nothing. */
  isImplicit: boolean;
  /** A directory that hides what lower layers have below it. */
  isOpaque: boolean;
  /**
   * A security.capability that the tar sets and a later hard link takes away: runtimes set the owner of the inode again,
   * and the kernel then drops it. Those that do not set the owner again keep it.
   */
  lostCapability: Buffer | undefined;
  /** Names below a directory; undefined for anything else. */
  readonly children: Map<string, LayerNode> | undefined;
  /** Where the stored data of a file begin in the tar. */
  readonly dataOffset: number;
  readonly segments: readonly SparseSegment[] | undefined;
  /** SHA-256 of a file's content as latin1, where somebody hashed it. */
  sha256: string | undefined;
}

/** A deletion, as the kernel sees it: character device 0:0. A literal one in the tar means the same. */
export function isWhiteout(node: LayerNode): boolean {
  return node.type === 'char' && node.rdevMajor === 0 && node.rdevMinor === 0;
}

/** A directory that nobody described. */
export function createImplicitDirectory(): LayerNode {
  return {
    type: 'directory',
    mode: 0o755,
    uid: 0,
    gid: 0,
    size: 0,
    target: '',
    rdevMajor: 0,
    rdevMinor: 0,
    xattrs: undefined,
    isImplicit: true,
    isOpaque: false,
    lostCapability: undefined,
    children: new Map(),
    dataOffset: 0,
    segments: undefined,
    sha256: undefined,
  };
}
