import { type BytePath, joinBytePath } from '@holdfast/evidence/documents';
import { ViewLimitError } from '../root-view/root-view.ts';
import type { LayerStat, OverlayLayer } from './overlay-layer.ts';

const OPAQUE = 'trusted.overlay.opaque';
const REDIRECT = 'trusted.overlay.redirect';
const METACOPY = 'trusted.overlay.metacopy';
const WHITEOUT = 'trusted.overlay.whiteout';

/** A directory of the merged tree: the layers in which it takes part, top first. */
export interface MergedDirectory {
  readonly path: BytePath;
  readonly layers: readonly number[];
  /** Those of `layers` in which a file's attribute may make it a whiteout. */
  readonly xattrWhiteouts: ReadonlySet<number>;
}

/** An entry of the merged tree and the layer that supplies it. */
export interface MergedEntry {
  readonly stat: LayerStat;
  readonly layer: number;
}

/** Whether the kernel reads an entry as a deletion: a character device 0:0. */
export function isWhiteoutDevice(stat: LayerStat): boolean {
  return stat.type === 'char' && stat.rdevMajor === 0 && stat.rdevMinor === 0;
}

/**
 * The root of the merged tree: every layer takes part, whatever its attributes say.
 *
 * `layers` are bottom first, as everywhere; the numbers in a `MergedDirectory` are indexes into it.
 */
export function mergeRoot(layers: readonly OverlayLayer[], root: BytePath): MergedDirectory {
  const numbers = layers.map((_layer, number) => number).reverse();
  const xattrWhiteouts = numbers.filter((number) => readOpaque(layers, number, root) === 'x');
  return { path: root, layers: numbers, xattrWhiteouts: new Set(xattrWhiteouts) };
}

/** Finds one name: the topmost layer that has it decides, and a whiteout there hides all below. */
export function findEntry(
  layers: readonly OverlayLayer[],
  directory: MergedDirectory,
  name: string,
): MergedEntry | undefined {
  const path = joinBytePath(directory.path, Buffer.from(name, 'latin1'));
  for (const number of directory.layers) {
    const stat = layers[number]?.lstat(path);
    if (stat === undefined) continue;
    return isWhiteout(layers, directory, number, path, stat) ? undefined : { stat, layer: number };
  }
  return undefined;
}

/**
 * Which layers make up a subdirectory: from the entry's own layer downwards, until one is opaque, hides it, or has
 * something else of that name. Throws `ViewLimitError` `unsupported` for a redirected directory.
 */
export function mergeDirectory(
  layers: readonly OverlayLayer[],
  parent: MergedDirectory,
  name: string,
  entry: MergedEntry,
): MergedDirectory {
  const path = joinBytePath(parent.path, Buffer.from(name, 'latin1'));
  const taking: number[] = [];
  const xattrWhiteouts = new Set<number>();
  for (const number of parent.layers.slice(parent.layers.indexOf(entry.layer))) {
    const stat = number === entry.layer ? entry.stat : layers[number]?.lstat(path);
    if (stat === undefined) continue;
    if (stat.type !== 'directory') break;
    if (layers[number]?.xattr(path, REDIRECT) !== undefined) throw new ViewLimitError('unsupported', path);
    taking.push(number);
    const opaque = readOpaque(layers, number, path);
    if (opaque === 'y') break;
    if (opaque === 'x') xattrWhiteouts.add(number);
  }
  return { path, layers: taking, xattrWhiteouts };
}

/** Names of a merged directory with what supplies each. */
export function listEntries(layers: readonly OverlayLayer[], directory: MergedDirectory): Map<string, MergedEntry> {
  const entries = new Map<string, MergedEntry>();
  const decided = new Set<string>();
  for (const number of directory.layers) {
    for (const name of layers[number]?.list(directory.path) ?? []) {
      if (decided.has(name)) continue;
      const path = joinBytePath(directory.path, Buffer.from(name, 'latin1'));
      const stat = layers[number]?.lstat(path);
      if (stat === undefined) continue;
      decided.add(name);
      if (!isWhiteout(layers, directory, number, path, stat)) entries.set(name, { stat, layer: number });
    }
  }
  return entries;
}

/** Throws `ViewLimitError` `unsupported` for a file whose content lies in another layer. */
export function refuseMetacopy(layer: OverlayLayer, path: BytePath): void {
  if (layer.xattr(path, METACOPY) !== undefined) throw new ViewLimitError('unsupported', path);
}

function isWhiteout(
  layers: readonly OverlayLayer[],
  directory: MergedDirectory,
  number: number,
  path: BytePath,
  stat: LayerStat,
): boolean {
  if (isWhiteoutDevice(stat)) return true;
  if (stat.type !== 'file' || stat.size !== 0 || !directory.xattrWhiteouts.has(number)) return false;
  return layers[number]?.xattr(path, WHITEOUT) !== undefined;
}

function readOpaque(layers: readonly OverlayLayer[], number: number, path: BytePath): string | undefined {
  return layers[number]?.xattr(path, OPAQUE)?.toString('latin1');
}
