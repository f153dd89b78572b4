import {
  type BytePath,
  formatBytePath,
  type Inventory,
  type InventoryPackage,
  latin1ToBytePath,
} from '@holdfast/evidence/inventory';
import { type RootView, ViewLimitError } from '../root-view/root-view.ts';
import { findHiddenDatabase } from './hidden-database.ts';

export interface InventoryLimits {
  readonly maxEntries: number;
  readonly maxDepth: number;
  /** Of directories that wait to be read. */
  readonly maxPathBytes: number;
  /** One package database. */
  readonly maxDatabaseBytes: number;
  /** One manifest of a language package. */
  readonly maxManifestBytes: number;
  readonly maxPackages: number;
  /** The packages found, as they stand in the document. */
  readonly maxDocumentBytes: number;
  /** Paths that packages say are theirs. */
  readonly maxOwnedBytes: number;
  /** What is unpacked of archives in archives, at one time. */
  readonly maxHeldBytes: number;
  /** `performance.now()` value after which the scan stops. */
  readonly deadlineMs: number;
}

/** A package as a database names it, before it is known where and by whom. */
export type FoundPackage = Omit<InventoryPackage, 'path' | 'layer' | 'ownedBy'>;

export interface DatabaseOptions {
  readonly mayBeEmpty?: boolean;
  /** Less than what the limits allow. */
  readonly maxBytes?: number;
}

/** Bounds of the inventory format, with room to spare: a hostile tree must not make a document that is refused whole. */
const MAX_NOTES = 1000;
/** Files that are read at once. */
const READ_STRIDE = 128;
const MAX_NOTE_CHARS = 250;
const MAX_DATABASES = 5000;
const MAX_PATH_CHARS = 32 * 1024;
/** What a package takes up beside its texts. */
const PACKAGE_BYTES = 300;

/** Gathers one inventory: bounded reads of the view, and every limit that was hit. */
export class InventoryBuilder {
  readonly view: RootView;
  readonly limits: InventoryLimits;
  readonly #notes = new Set<string>();
  readonly #databases: Inventory['databases'] = [];
  readonly #packages = new Map<string, InventoryPackage>();
  readonly #layers = new Map<BytePath, string | undefined>();
  #bytes = 0;

  constructor(view: RootView, limits: InventoryLimits) {
    this.view = view;
    this.limits = limits;
  }

  /** Records that something was left out and where (latin1 path): the inventory is not complete any more. */
  note(what: string, path: string): void {
    if (this.#notes.size >= MAX_NOTES) return;
    const where = formatBytePath(latin1ToBytePath(path));
    this.#notes.add(`${what} ${where}`.slice(0, MAX_NOTE_CHARS).toWellFormed());
  }

  get notes(): string[] {
    return [...this.#notes].sort();
  }

  /** Runs a reading step; a limit of the view ends this step only. */
  attempt<T>(step: () => T): T | undefined {
    try {
      return step();
    } catch (error) {
      if (!(error instanceof ViewLimitError)) throw error;
      this.note(error.limit, error.path);
      return undefined;
    }
  }

  /** Throws `ViewLimitError` `time` once the deadline has passed. */
  checkTime(path: BytePath): void {
    if (performance.now() > this.limits.deadlineMs) throw new ViewLimitError('time', path);
  }

  /**
   * Reads a package database, links followed inside the root, and lists it. Undefined where there is none. What is there
   * and is no file, or has no bytes where that may not be, is noted: an emptied database must not pass for none.
   */
  readDatabase(type: string, path: BytePath, options: DatabaseOptions = {}): Buffer | undefined {
    const bytes = this.attempt(() => {
      const { maxBytes = Number.POSITIVE_INFINITY } = options;
      const read = this.#readFollowed(path, Math.min(maxBytes, this.limits.maxDatabaseBytes));
      const hidden = read === undefined ? findHiddenDatabase(this.view, path) : undefined;
      if (hidden !== undefined) this.note('malformed', hidden);
      if (read?.length === 0 && options.mayBeEmpty !== true) this.note('malformed', path);
      return read;
    });
    if (bytes === undefined) return undefined;
    if (this.#databases.length >= MAX_DATABASES) {
      this.note('databases', path);
      return undefined;
    }
    const sha256 = this.view.hashBytes?.(bytes) ?? hashWithNode(bytes);
    this.#databases.push({ type, path: formatBytePath(path), sha256 });
    return bytes;
  }

  /** Reads a file, links followed inside the root. Undefined where there is none, or a limit was noted. */
  readFollowed(path: BytePath, maxBytes: number): Buffer | undefined {
    return this.attempt(() => this.#readFollowed(path, maxBytes));
  }

  /** Reads many files as `readFollowed` does, those that need no link followed at once. In the order of the paths. */
  *readManyFollowed(paths: readonly BytePath[], maxBytes: number): Generator<Buffer | undefined> {
    const start = (from: number) => this.view.startReads?.(paths.slice(from, from + READ_STRIDE), maxBytes, false);
    let reads = start(0);
    for (let from = 0; from < paths.length; from += READ_STRIDE) {
      const read = reads?.take() ?? [];
      reads = start(from + READ_STRIDE);
      for (const [at, path] of paths.slice(from, from + READ_STRIDE).entries()) {
        yield read[at] ?? this.readFollowed(path, maxBytes);
      }
    }
  }

  /** Adds a package found in the file at `path`; the same purl of the same file counts once. */
  addPackage(found: FoundPackage, path: BytePath, ownedBy?: string): void {
    const text = formatBytePath(path);
    const key = `${found.purl}\0${text}`;
    if (this.#packages.has(key)) return;
    const isTooMuch = this.#packages.size >= this.limits.maxPackages || this.#bytes > this.limits.maxDocumentBytes;
    if (isTooMuch || text.length > MAX_PATH_CHARS) {
      this.note(isTooMuch ? 'packages' : 'pathLength', path);
      return;
    }
    this.#bytes += Buffer.byteLength(text) + Buffer.byteLength(found.purl) * 2 + PACKAGE_BYTES;
    const layer = this.#layerOf(path);
    this.#packages.set(key, {
      ...found,
      path: text,
      ...(layer === undefined ? {} : { layer }),
      ...(ownedBy === undefined ? {} : { ownedBy }),
    });
  }

  build(unowned: Inventory['unowned']): Inventory {
    const limits = this.notes;
    return {
      format: 'holdfast-inventory-v1',
      databases: this.#databases.sort((a, b) => compareText(a.path, b.path) || compareText(a.type, b.type)),
      complete: limits.length === 0,
      limits,
      packages: [...this.#packages.values()].sort((a, b) => compareText(a.purl, b.purl) || compareText(a.path, b.path)),
      unowned,
    };
  }

  #readFollowed(path: BytePath, maxBytes: number): Buffer | undefined {
    this.checkTime(path);
    const real = this.view.resolve(path);
    return real === undefined ? undefined : this.view.readFile(real, maxBytes);
  }

  /** Databases hold many packages, so the last answers are kept. */
  #layerOf(path: BytePath): string | undefined {
    const { layers } = this.view;
    if (layers.length === 1) return layers[0]?.diffId ?? undefined;
    if (this.#layers.has(path)) return this.#layers.get(path);
    const layer = this.attempt(() => {
      const real = this.view.lstat(path)?.type === 'file' ? path : this.view.resolve(path);
      return real === undefined ? undefined : this.view.lstat(real)?.layer;
    });
    const diffId = layer === undefined ? undefined : (layers[layer]?.diffId ?? undefined);
    if (this.#layers.size > 64) this.#layers.clear();
    this.#layers.set(path, diffId);
    return diffId;
  }
}

/** Loaded where it is needed only: that takes as long as reading all databases of a small root. */
function hashWithNode(bytes: Buffer): string {
  return process.getBuiltinModule('node:crypto').hash('sha256', bytes);
}

/** By UTF-16 code unit, so that the order does not depend on a locale. */
function compareText(a: string, b: string): number {
  return a < b ? -1 : a > b ? 1 : 0;
}
