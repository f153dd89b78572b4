import type { WalkEntry } from '@holdfast/rootfs';
import { isWhiteout, type LayerNode } from '../tree/layer-node.ts';
import type { DifferenceList } from './layer-difference.ts';

const CAPABILITY = 'security.capability';
/** What a layer's tar may set and an unpacker applies. Others (SELinux, IMA) belong to the host. */
const COMPARED_XATTRS = [CAPABILITY, 'user.*', 'system.posix_acl_access', 'system.posix_acl_default'];
const OVERLAY_PREFIX = 'trusted.overlay.';
const OPAQUE = 'trusted.overlay.opaque';

/** Notes of overlayfs that change nothing that a container sees. */
const HARMLESS_OVERLAY = new Set(['origin', 'impure', 'nlink', 'upper', 'uuid'].map((name) => OVERLAY_PREFIX + name));

/** Attributes that a walk has to read for `compareAttributes`. */
export const WALKED_XATTRS: readonly string[] = [...COMPARED_XATTRS, `${OVERLAY_PREFIX}*`];

/**
 * Compares everything but content: type, then for what the tar describes mode, owner, size, link target, device number
 * and extended attributes, then whether a directory is opaque. Returns false when the type differs.
 *
 * Not compared: the attributes of a directory that the tar does not name and of a whiteout (nobody sees them), the mode
 * of a symbolic link, times.
 */
export function compareAttributes(
  path: string,
  node: LayerNode,
  entry: WalkEntry,
  differences: DifferenceList,
): boolean {
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
  if (node.isImplicit) return true;
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
  const expected = new Map([...(node.xattrs ?? [])].filter(([name]) => isCompared(name) && canHold(node, name)));
  if (node.isOpaque) expected.set(OPAQUE, Buffer.from('y'));
  for (const name of new Set([...expected.keys(), ...Object.keys(actual)])) {
    if (HARMLESS_OVERLAY.has(name) || (node.isImplicit && isCompared(name))) continue;
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

function isCompared(name: string): boolean {
  return COMPARED_XATTRS.some((pattern) =>
    pattern.endsWith('*') ? name.startsWith(pattern.slice(0, -1)) : name === pattern,
  );
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
