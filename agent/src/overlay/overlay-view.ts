import { type BytePath, toBytePath } from '@holdfast/evidence/documents';
import type { ClosableView } from '../root-view/directory-view.ts';
import { parentPath, resolvePath } from '../root-view/resolve-path.ts';
import { type ViewEntry, type ViewLayer, ViewLimitError } from '../root-view/root-view.ts';
import {
  findEntry,
  listEntries,
  type MergedDirectory,
  type MergedEntry,
  mergeDirectory,
  mergeRoot,
  refuseMetacopy,
} from './merge-layers.ts';
import { type OverlayLayer, openDirectoryLayer } from './overlay-layer.ts';

/** A layer on disk, as a snapshotter unpacked it. */
export interface OverlayLower {
  /** Absolute path, bytes as latin1. */
  readonly directory: string;
  /** `sha256:…` of the uncompressed tar; null where no configuration names it. */
  readonly diffId: string | null;
}

export interface OverlayViewOptions {
  /** Bottom first. */
  readonly lowers: readonly OverlayLower[];
  /** Upper directory of a container, bytes as latin1; without it the view shows the image alone. */
  readonly upper?: string | undefined;
  /** `performance.now()` value after which every call throws the limit `time`. */
  readonly deadlineMs?: number | undefined;
  /** Most names in one directory. Default 1,000,000. */
  readonly maxEntries?: number;
  /** Largest file that `hashFile` reads. Default 16 GiB. */
  readonly maxHashBytes?: number;
}

/** A view that also tells of extended attributes. */
export interface OverlayRootView extends ClosableView {
  /** All of them at a path, those of overlayfs and security.capability among them; empty where nothing is there. */
  readXattrs(path: BytePath): Readonly<Record<string, Buffer>>;
}

/** Directories kept merged in memory, by their entries in all. */
const MAX_CACHED_ENTRIES = 200_000;
const ROOT = toBytePath('/');

/**
 * Opens the layers of a container as the kernel's overlayfs would merge them (Documentation/filesystems/overlayfs.rst):
 * whiteouts as character device 0:0 or by attribute, opaque directories, a non-directory that ends a merge. Redirected
 * directories and metadata-only copies are the limit `unsupported`, never guessed.
 *
 * Throws `RootfsError` when a layer cannot be opened.
 */
export function openOverlayView(options: OverlayViewOptions): OverlayRootView {
  const limits = { maxEntries: options.maxEntries ?? 1_000_000, maxHashBytes: options.maxHashBytes ?? 16 * 1024 ** 3 };
  const directories = [...options.lowers.map((lower) => lower.directory), ...(options.upper ? [options.upper] : [])];
  const layers: OverlayLayer[] = [];
  try {
    for (const directory of directories) layers.push(openDirectoryLayer(directory, limits));
  } catch (error) {
    for (const layer of layers) layer.close();
    throw error;
  }
  const diffIds = directories.map((_directory, number) => ({ diffId: options.lowers[number]?.diffId ?? null }));
  return createOverlayView(layers, diffIds, options.deadlineMs);
}

/** Makes a view of layers that are already open, bottom first, and owns them from then on. */
export function createOverlayView(
  layers: readonly OverlayLayer[],
  described: readonly ViewLayer[],
  deadlineMs?: number,
): OverlayRootView {
  return new OverlayView(layers, described, deadlineMs);
}

class OverlayView implements OverlayRootView {
  readonly layers: readonly ViewLayer[];
  readonly #layers: readonly OverlayLayer[];
  readonly #deadlineMs: number;
  /** Those that are not there too: a deep path would otherwise be looked up part by part for each of its parts. */
  readonly #directories = new Map<BytePath, MergedDirectory | undefined>();
  readonly #entries = new Map<BytePath, Map<string, MergedEntry>>();
  #cachedEntries = 0;

  constructor(layers: readonly OverlayLayer[], described: readonly ViewLayer[], deadlineMs = Number.POSITIVE_INFINITY) {
    this.#layers = layers;
    this.layers = described;
    this.#deadlineMs = deadlineMs;
  }

  lstat(path: BytePath): ViewEntry | undefined {
    this.#checkTime(path);
    const found = path === ROOT ? this.#findRoot() : this.#find(path);
    return found === undefined ? undefined : this.#toEntry(path, found);
  }

  list(path: BytePath): string[] {
    this.#checkTime(path);
    const directory = this.#directory(path);
    return directory === undefined ? [] : [...this.#list(directory).keys()].sort(compareBytes);
  }

  readFile(path: BytePath, maxBytes: number): Buffer | undefined {
    return this.#read(path, (layer) => layer.readFile(path, maxBytes));
  }

  readHead(path: BytePath, bytes: number): Buffer | undefined {
    return this.#read(path, (layer) => layer.readPart(path, 0, bytes));
  }

  readPart(path: BytePath, offset: number, length: number): Buffer | undefined {
    return this.#read(path, (layer) => layer.readPart(path, offset, length));
  }

  hashFile(path: BytePath): string | undefined {
    return this.#read(path, (layer) => layer.hashFile(path));
  }

  readXattrs(path: BytePath): Readonly<Record<string, Buffer>> {
    this.#checkTime(path);
    const found = path === ROOT ? this.#findRoot() : this.#find(path);
    const layer = found === undefined ? undefined : this.#layers[found.layer];
    const values: Record<string, Buffer> = {};
    for (const name of layer?.listXattrs(path) ?? []) {
      const value = layer?.xattr(path, name);
      if (value !== undefined) values[name] = value;
    }
    return values;
  }

  resolve(path: BytePath): BytePath | undefined {
    return resolvePath((at) => this.lstat(at), path);
  }

  close(): void {
    for (const layer of this.#layers) layer.close();
  }

  [Symbol.dispose](): void {
    this.close();
  }

  #findRoot(): MergedEntry | undefined {
    const layer = this.#layers.length - 1;
    const stat = this.#layers[layer]?.lstat(ROOT);
    return stat === undefined ? undefined : { stat, layer };
  }

  #find(path: BytePath): MergedEntry | undefined {
    const parent = this.#directory(parentPath(path));
    if (parent === undefined) return undefined;
    const name = path.slice(path.lastIndexOf('/') + 1);
    const listed = this.#entries.get(parent.path);
    return listed === undefined ? findEntry(this.#layers, parent, name) : listed.get(name);
  }

  #directory(path: BytePath): MergedDirectory | undefined {
    if (this.#directories.has(path)) return this.#directories.get(path);
    const directory = path === ROOT ? mergeRoot(this.#layers, ROOT) : this.#merge(path);
    this.#cachedEntries += weigh(path);
    if (this.#cachedEntries > MAX_CACHED_ENTRIES) this.#forget(path);
    this.#directories.set(path, directory);
    return directory;
  }

  #merge(path: BytePath): MergedDirectory | undefined {
    const parent = this.#directory(parentPath(path));
    const entry = parent === undefined ? undefined : this.#find(path);
    if (parent === undefined || entry?.stat.type !== 'directory') return undefined;
    return mergeDirectory(this.#layers, parent, path.slice(path.lastIndexOf('/') + 1), entry);
  }

  #list(directory: MergedDirectory): Map<string, MergedEntry> {
    const known = this.#entries.get(directory.path);
    if (known !== undefined) return known;
    const entries = listEntries(this.#layers, directory);
    this.#cachedEntries += entries.size + weigh(directory.path);
    this.#entries.set(directory.path, entries);
    if (this.#cachedEntries > MAX_CACHED_ENTRIES) this.#forget(directory.path);
    return entries;
  }

  /** Starts the caches anew with the directory that is being read, so that memory stays bounded in any tree. */
  #forget(keep: BytePath): void {
    const entries = this.#entries.get(keep);
    this.#entries.clear();
    this.#directories.clear();
    this.#cachedEntries = 0;
    if (entries === undefined || entries.size > MAX_CACHED_ENTRIES) return;
    this.#entries.set(keep, entries);
    this.#cachedEntries = entries.size + weigh(keep);
  }

  #toEntry(path: BytePath, { stat, layer }: MergedEntry): ViewEntry {
    const { type, mode, uid, gid, size, rdevMajor, rdevMinor } = stat;
    const entry = { type, mode, uid, gid, size, rdevMajor, rdevMinor, layer };
    if (type === 'symlink') {
      const target = this.#layers[layer]?.readLink(path);
      if (target === undefined) throw new ViewLimitError('changedWhileRead', path);
      return { ...entry, target };
    }
    if (type !== 'file') return entry;
    const capability = this.#layers[layer]?.xattr(path, 'security.capability');
    return capability === undefined ? entry : { ...entry, capability: capability.toString('hex') };
  }

  #read<T>(path: BytePath, call: (layer: OverlayLayer) => T | undefined): T | undefined {
    this.#checkTime(path);
    const found = path === ROOT ? undefined : this.#find(path);
    const layer = found === undefined ? undefined : this.#layers[found.layer];
    if (layer === undefined || found?.stat.type !== 'file') return undefined;
    refuseMetacopy(layer, path);
    const value = call(layer);
    if (value === undefined) throw new ViewLimitError('changedWhileRead', path);
    return value;
  }

  #checkTime(path: BytePath): void {
    if (performance.now() > this.#deadlineMs) throw new ViewLimitError('time', path);
  }
}

/** What holding a directory by its path costs beside its entries: paths may be thousands of bytes long. */
function weigh(path: BytePath): number {
  return 1 + (path.length >> 7);
}

/** Latin1 text has one UTF-16 unit a byte, so its order is that of the bytes. */
function compareBytes(a: string, b: string): number {
  return a < b ? -1 : a > b ? 1 : 0;
}
