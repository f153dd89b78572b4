import { checkHostPath, checkInteger, checkOptions } from './arguments.ts';
import { loadNative, type NativeWatch } from './native.ts';
import { guard, RootfsError } from './rootfs-error.ts';

/**
 * What happened to a name, as fanotify says it. Several may stand together: events on one path are merged. `execute`: it
 * was opened to be executed, as a program, as the interpreter of one or as a script with a `#!` line.
 */
export type FanotifyEventKind =
  | 'create'
  | 'delete'
  | 'movedFrom'
  | 'movedTo'
  | 'modify'
  | 'closeWrite'
  | 'attributes'
  | 'execute';

/** Something changed at a path below a watched directory. A reason to look, never evidence: look with `RootHandle`. */
export interface FanotifyEvent {
  /** The watched directory, exactly as it was given. */
  readonly directory: string;
  /** Relative to it, bytes as latin1, no leading slash; empty for the watched directory itself. */
  readonly path: string;
  readonly kinds: readonly FanotifyEventKind[];
  /** The object is a directory. After a move of one, everything below it has other paths. */
  readonly isDirectory: boolean;
}

export interface MutedWrites {
  readonly directory: string;
  readonly count: number;
}

/** Events since the batch before. */
export interface FanotifyBatch {
  readonly events: readonly FanotifyEvent[];
  /** How many writes were not told because their names are muted. */
  readonly muted: readonly MutedWrites[];
  /** Events were lost: all watched directories must be scanned again. */
  readonly overflow: boolean;
  /** The watch ended by itself; no more batches follow. Counts as an overflow. */
  readonly error?: RootfsError;
}

export interface WatchOptions {
  /** Directories to tell about, given as absolute paths without symbolic links; more may be added later. */
  readonly paths: readonly string[];
  /** Shortest time between two batches, 0 to 10,000 ms; 20 by default. The first event after a pause comes at once. */
  readonly batchMs?: number;
}

const KIND_BITS: readonly (readonly [number, FanotifyEventKind])[] = [
  [0x100, 'create'],
  [0x200, 'delete'],
  [0x40, 'movedFrom'],
  [0x80, 'movedTo'],
  [0x2, 'modify'],
  [0x8, 'closeWrite'],
  [0x4, 'attributes'],
  [0x1000, 'execute'],
];
const ON_DIRECTORY = 0x40000000;
/** In the upper word of a mask: the record is a number of muted writes. */
const MUTED = 0x80000000;

/**
 * Watches whole directories through a fanotify mark on the file system under each (FAN_REPORT_DFID_NAME), on a thread of
 * its own. Meant for overlay upper directories: a write through the overlay mount is reported with the path in the
 * upper directory. Events by this process itself are left out. Stores through a shared mapping raise no event; that a
 * file is executed through the overlay mount is reported where the kernel's overlayfs opens it in the open (seen on 6.18).
 * Needs CAP_SYS_ADMIN and CAP_DAC_READ_SEARCH. Throws `TypeError`, ERR_ROOTFS_UNSUPPORTED, ERR_ROOTFS_NOT_FOUND,
 * ERR_ROOTFS_SYSTEM.
 */
export function watchFilesystem(options: WatchOptions, onEvents: (batch: FanotifyBatch) => void): FanotifyWatch {
  checkOptions(options, ['paths', 'batchMs']);
  if (!Array.isArray(options.paths)) throw new TypeError('paths must be a list');
  const batchMs = checkInteger(options.batchMs ?? 20, 'batchMs');
  if (batchMs > 10_000) throw new TypeError('batchMs must be at most 10000');
  if (typeof onEvents !== 'function') throw new TypeError('onEvents must be a function');
  const watch = new FanotifyWatch(batchMs, onEvents);
  try {
    for (const path of options.paths) watch.add(path);
  } catch (error) {
    watch.close();
    throw error;
  }
  return watch;
}

/** A running watch. It keeps the process alive until it is closed. */
export class FanotifyWatch {
  readonly #native: NativeWatch;
  readonly #directories = new Map<number, string>();
  readonly #ids = new Map<string, number>();
  #nextId = 1;
  #closed = false;

  /** Made by `watchFilesystem` only. */
  constructor(batchMs: number, onEvents: (batch: FanotifyBatch) => void) {
    this.#native = guard(() =>
      loadNative().watch(batchMs, (packed, overflow, errno, syscall) => {
        if (this.#closed) return;
        const told = decodeEvents(packed, this.#directories);
        if (errno === 0) return onEvents({ ...told, overflow });
        const error = new RootfsError('ERR_ROOTFS_SYSTEM', `fanotify watch ended: ${syscall}`, { errno, syscall });
        onEvents({ ...told, overflow: true, error });
      }),
    );
  }

  /** Watches one more directory; again is fine. Only changes after the return are reported. Errors of `watchFilesystem`. */
  add(directory: string): void {
    const bytes = checkHostPath(directory, 'directory');
    if (!directory.startsWith('/')) throw new TypeError('directory must be absolute');
    if (this.#ids.has(directory)) return;
    const id = this.#nextId;
    guard(() => this.#native.add(bytes, id));
    this.#nextId += 1;
    this.#directories.set(id, directory);
    this.#ids.set(directory, id);
  }

  /** Stops telling about a directory. One that is not watched is fine. */
  remove(directory: string): void {
    const id = this.#ids.get(directory);
    if (id === undefined) return;
    this.#ids.delete(directory);
    this.#directories.delete(id);
    guard(() => this.#native.remove(id));
  }

  /**
   * What is only written to these names of a watched directory (paths as they are told) is counted and not told any more
   * until `unmute`; anything else that happens to them is. For names that are looked at later anyway. Of very many some
   * are told all the same.
   */
  mute(directory: string, paths: readonly string[]): void {
    const id = this.#ids.get(directory);
    if (id === undefined) return;
    this.#native.mute(id, Buffer.from(paths.map((path) => `${path}\0`).join(''), 'latin1'));
  }

  /** Tells of all names of a directory again. What is written after the return is told. */
  unmute(directory: string): void {
    const id = this.#ids.get(directory);
    if (id !== undefined) this.#native.unmute(id);
  }

  /** Ends the watch and its thread before it returns. No batch follows; closing twice is fine. */
  close(): void {
    this.#closed = true;
    this.#native.close();
  }

  [Symbol.dispose](): void {
    this.close();
  }
}

/**
 * Decodes packed events: length (u32), directory id (u32), mask (u64), path. Those of unknown ids were just removed. With
 * bit 63 of the mask, the rest of it is how many writes were muted.
 */
export function decodeEvents(packed: Buffer, directories: ReadonlyMap<number, string>) {
  const events: FanotifyEvent[] = [];
  const muted: MutedWrites[] = [];
  let at = 0;
  while (at < packed.length) {
    const end = at + packed.readUInt32LE(at);
    if (end < at + 16 || end > packed.length) throw new TypeError('an event batch has a wrong record length');
    const directory = directories.get(packed.readUInt32LE(at + 4));
    const mask = packed.readUInt32LE(at + 8);
    if (directory !== undefined && packed.readUInt32LE(at + 12) === MUTED) muted.push({ directory, count: mask });
    else if (directory !== undefined) {
      const path = packed.toString('latin1', at + 16, end);
      events.push({ directory, path, kinds: namesOf(mask), isDirectory: (mask & ON_DIRECTORY) !== 0 });
    }
    at = end;
  }
  return { events, muted };
}

/** A busy container gives thousands of events a second, of very few kinds. */
const KINDS = new Map<number, readonly FanotifyEventKind[]>();

function namesOf(mask: number): readonly FanotifyEventKind[] {
  const known = KINDS.get(mask);
  if (known !== undefined) return known;
  const kinds = KIND_BITS.filter(([bit]) => (mask & bit) !== 0).map(([, kind]) => kind);
  // Masks are the kernel's own and few; whatever comes beyond that is not kept.
  if (KINDS.size < 1_024) KINDS.set(mask, kinds);
  return kinds;
}
