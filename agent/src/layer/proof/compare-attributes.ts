import type { WalkEntry } from '@holdfast/rootfs';
import { isWhiteout, type LayerNode } from '../tree/layer-node.ts';
import { CAPABILITY, isComparedXattr, OVERLAY_PREFIX } from './compared-xattrs.ts';
import type { ImpliedDirectories } from './implied-directory.ts';
import type { DifferenceList } from './layer-difference.ts';

const OPAQUE = 'trusted.overlay.opaque';

/** Notes of overlayfs that change nothing that a container sees. */
const HARMLESS_OVERLAY = new Set(['origin', 'impure', 'nlink', 'upper', 'uuid'].map((name) => OVERLAY_PREFIX + name));

/** What an entry is compared with beside the layer's own tar, and where differences go. */
export interface ComparedWith {
  readonly implied: ImpliedDirectories;
  readonly differences: DifferenceList;
}

/**
 * Compares everything but content: type, then mode, owner, size, link target, device number and extended attributes,
 * then whether a directory is opaque. Returns false when the type differs. A directory that the tar does not name is
 * compared with what the runtime makes it like: the container sees it instead of the one below.
 *
 * Not compared: the attributes of a whiteout (nobody sees them), the mode of a symbolic link, times.
 */
export function compareAttributes(
  path: string,
  tarNode: LayerNode,
  entry: WalkEntry,
  { implied, differences }: ComparedWith,
): boolean {
  const node = tarNode.isImplicit ? { ...tarNode, ...implied.attributesOf(path) } : tarNode;
  const { stat } = entry;
  const check = (field: 'mode' | 'uid' | 'gid' | 'size' | 'target' | 'rdev', expected: string, actual: string) => {
    if (expected !== actual) differences.add(path, field, expected, actual);
  };
  if (node.type !== stat.type) {
    differences.add(path, 'type', node.type, stat.type);
    return false;
  }
  if (node.type === 'char' || node.type === 'block') {
    check('rdev', `${node.rdevMajor}:${node.rdevMinor}`, `${stat.rdevMajor}:${stat.rdevMinor}`);
  }
  if (isWhiteout(node)) return true;
  compareXattrs(path, node, entry, differences);
  if (node.type !== 'symlink') compareMode(path, node, stat.mode, differences);
  check('uid', String(node.uid), String(stat.uid));
  check('gid', String(node.gid), String(stat.gid));
  if (node.type === 'file') check('size', String(node.size), String(stat.size));
  if (node.type === 'symlink') check('target', quote(node.target), quote(entry.target?.toString('latin1') ?? ''));
  return true;
}

function compareMode(path: string, node: LayerNode, mode: number, differences: DifferenceList): void {
  if (node.mode !== mode) differences.add(path, 'mode', octal(node.mode), octal(mode));
}

function compareXattrs(path: string, node: LayerNode, entry: WalkEntry, differences: DifferenceList): void {
  const actual = entry.xattrs;
  if (actual === undefined) {
    differences.add(path, 'changed', null, 'attributes could not be read');
    return;
  }
  const expected = new Map([...(node.xattrs ?? [])].filter(([name]) => isComparedXattr(name) && canHold(node, name)));
  if (node.isOpaque) expected.set(OPAQUE, Buffer.from('y'));
  for (const name of new Set([...expected.keys(), ...Object.keys(actual)])) {
    if (HARMLESS_OVERLAY.has(name)) continue;
    const before = expected.get(name)?.toString('hex') ?? null;
    const after = actual[name]?.toString('hex') ?? null;
    if (before === after || (name === CAPABILITY && after === node.lostCapability?.toString('hex'))) continue;
    if (name === OPAQUE) differences.add(path, 'opaque', String(before !== null), String(after !== null));
    else differences.add(path, 'xattr', `${quote(name)}=${before ?? ''}`, `${quote(name)}=${after ?? ''}`);
  }
}

/** The kernel keeps user.* off links and special files, and unpackers pass over that. */
function canHold(node: LayerNode, name: string): boolean {
  return node.type === 'file' || node.type === 'directory' || !name.startsWith('user.');
}

function octal(mode: number): string {
  return mode.toString(8).padStart(4, '0');
}

/** Bytes as text that can be shown; never ambiguous. */
function quote(latin1: string): string {
  return latin1.replaceAll(/[^ -$&-~]/g, percent);
}

function percent(char: string): string {
  return `%${char.charCodeAt(0).toString(16).toUpperCase().padStart(2, '0')}`;
}
