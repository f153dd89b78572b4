import type { CodeOrigin } from '@holdfast/evidence/documents';
import type { MountInfo } from '../container/mountinfo.ts';
import { SHARED_MEMORY_DEVICE } from './proc-maps.ts';
import type { HeldFile, LayerFiles } from './process-files.ts';

/** The root file system of a container: what its processes run is looked up there. */
export interface ContainerLayers {
  /** Device number of the overlay, `major:minor`, decimal. */
  readonly device: string;
  /** Directories as this process sees them, bottom first. */
  readonly lowers: readonly string[];
  readonly upper: string | null;
}

/** Where a piece of code lies. */
export interface LocatedCode {
  /** From inside, latin1, without the kernel's mark. */
  readonly path: string;
  readonly origin: CodeOrigin;
  /** SHA-256, hex; undefined with `limit` said. */
  readonly sha256: string | undefined;
  readonly limit: string | undefined;
}

/** What is known of a file beside the descriptor that holds it. */
export interface CodeReference {
  readonly file: HeldFile;
  /** Device by the process's map, `major:minor`, hex; undefined where the map does not show the file. */
  readonly device: string | undefined;
  /** Mounts of the process's mount namespace by id. */
  readonly mounts: ReadonlyMap<number, MountInfo>;
  /** Stores may have gone to it unseen: it is read whatever its times say. */
  readonly isRestless: boolean;
}

/** The overlay itself, whose layers are directories of this kernel's file systems. */
const ROOT = 'root';
const DELETED = ' (deleted)';
const MAX_FILE_BYTES = 512 * 1024 * 1024;
const MEMORY_FILE_SYSTEMS: ReadonlySet<string> = new Set(['tmpfs', 'ramfs', 'devtmpfs', 'hugetlbfs']);
/** Those whose files are served by this kernel alone: reading cannot be held up by somebody else. */
const LOCAL_FILE_SYSTEMS: ReadonlySet<string> = new Set([
  ...MEMORY_FILE_SYSTEMS,
  'bcachefs',
  'btrfs',
  'erofs',
  'ext2',
  'ext3',
  'ext4',
  'f2fs',
  'squashfs',
  'vfat',
  'xfs',
  'zfs',
]);

/** Finds out where code lies that a process runs, and hashes it, without asking a file system that others serve. */
export class CodeLocator {
  readonly #layers: ContainerLayers;
  readonly #files: LayerFiles;
  /** Type of the file system of each device that the host has mounted, by `major:minor`, decimal. */
  readonly #hostTypes: () => ReadonlyMap<string, string>;

  constructor(layers: ContainerLayers, files: LayerFiles, hostTypes: () => ReadonlyMap<string, string>) {
    this.#layers = layers;
    this.#files = files;
    this.#hostTypes = hostTypes;
  }

  locate(reference: CodeReference): LocatedCode {
    const { file, mounts } = reference;
    const mount = mounts.get(file.mountId);
    const device = mount === undefined ? toDecimal(reference.device) : formatDevice(mount);
    if (device === this.#layers.device) return this.#locateOnRoot(reference, mount);
    if (mount !== undefined) return locateOnMount(reference, mount);
    if (reference.device === SHARED_MEMORY_DEVICE && file.path.startsWith('/memfd:')) {
      return hash(reference, 'memfd', stripMark(file.path));
    }
    const type = device === undefined ? undefined : this.#hostTypes().get(device);
    return hash(reference, 'host', stripMark(file.path), type ?? 'unknown');
  }

  /**
   * The path below the upper directory of a file that a process maps shared and writable, so that it lies there if it is on
   * the root file system at all. Reads nothing of it. `limit`: it is there, and no path is known to lead to it.
   */
  findOnUpper({ file, mounts, device }: CodeReference): { readonly path?: string; readonly limit?: string } {
    const mount = mounts.get(file.mountId);
    const actual = mount === undefined ? toDecimal(device) : formatDevice(mount);
    const { upper, lowers } = this.#layers;
    if (actual !== this.#layers.device || upper === null) return {};
    const inside = mount === undefined ? file.path : toRootPath(file.path, mount);
    if (inside !== undefined && this.#files.typeOf(upper, inside) === 'file') {
      // What was copied up keeps the number that it had in its layer.
      const lower = lowers.findLast((directory) => this.#files.typeOf(directory, inside) !== undefined);
      const inodes = [upper, lower].map((each) => each && this.#files.identify(each, inside)?.ino);
      const own = file.identify()?.ino;
      if (own !== undefined && inodes.includes(own)) return { path: inside };
    }
    return file.path.endsWith(DELETED) && !file.hasName() ? {} : { limit: `mapping:${file.path}` };
  }

  /** A path on the upper directory that was executed; undefined where no regular file is there any more. */
  locateExecuted(path: string): LocatedCode | undefined {
    const { upper } = this.#layers;
    if (upper === null || this.#files.typeOf(upper, path) !== 'file') return undefined;
    return this.#hashLayer(path, 'upper', upper, path, false);
  }

  #locateOnRoot(reference: CodeReference, mount: MountInfo | undefined): LocatedCode {
    const { path } = reference.file;
    const inside = mount === undefined ? path : toRootPath(path, mount);
    const { upper, lowers } = this.#layers;
    if (inside !== undefined) {
      const isUpper = upper !== null && this.#files.typeOf(upper, inside) === 'file';
      const lower = lowers.findLast((directory) => this.#files.typeOf(directory, inside) !== undefined);
      const found = isUpper
        ? this.#hashLayer(path, 'upper', upper, inside, reference.isRestless)
        : lower !== undefined && this.#files.typeOf(lower, inside) === 'file'
          ? this.#hashLayer(path, 'layer', lower, inside, false)
          : undefined;
      const directory = isUpper ? upper : lower;
      if (found !== undefined && directory !== undefined && this.#isHeld(reference, directory, inside, found))
        return found;
    }
    // Its name may have been taken away only after the kernel told it.
    const isGone = path.endsWith(DELETED) || !reference.file.hasName();
    return hash(reference, isGone ? 'deleted' : 'unknown', stripMark(path), ROOT);
  }

  /**
   * Whether what lies at a path of a layer is the file that the process holds: a mount that was taken away gives its files
   * paths that are others'. What was copied up has another number than its copy, and then the bytes decide.
   */
  #isHeld({ file, isRestless }: CodeReference, directory: string, inside: string, { sha256 }: LocatedCode): boolean {
    const [held, found] = [file.identify(), this.#files.identify(directory, inside)];
    if (held === undefined || found === undefined) return false;
    if (held.ino === found.ino && held.ctimeNs === found.ctimeNs && held.size === found.size) return true;
    return sha256 !== undefined && held.size === found.size && file.hash(MAX_FILE_BYTES, isRestless) === sha256;
  }

  #hashLayer(
    path: string,
    origin: 'upper' | 'layer',
    directory: string,
    inside: string,
    isRestless: boolean,
  ): LocatedCode {
    const sha256 = this.#files.hash(directory, inside, MAX_FILE_BYTES, isRestless);
    const limit = sha256 === undefined ? 'file' : undefined;
    return { path, origin, sha256, limit };
  }
}

function locateOnMount(reference: CodeReference, { fsType }: MountInfo): LocatedCode {
  const { file } = reference;
  // Only a file system of this kernel is asked.
  const isGone = LOCAL_FILE_SYSTEMS.has(fsType) && !file.hasName();
  if (isGone) return hash(reference, 'deleted', stripMark(file.path), fsType);
  return hash(reference, MEMORY_FILE_SYSTEMS.has(fsType) ? 'tmpfs' : 'volume', file.path, fsType);
}

function hash({ file, isRestless }: CodeReference, origin: CodeOrigin, path: string, fsType = 'tmpfs'): LocatedCode {
  const isLocal = fsType === ROOT || LOCAL_FILE_SYSTEMS.has(fsType);
  const sha256 = isLocal ? file.hash(MAX_FILE_BYTES, isRestless) : undefined;
  const limit = isLocal ? (sha256 === undefined ? 'file' : undefined) : `fileSystem:${fsType}`;
  return { path, origin, sha256, limit };
}

/** The path within the mounted file system; undefined where the mount does not lie on the path's way. */
function toRootPath(path: string, { mountPoint, root }: MountInfo): string | undefined {
  const base = mountPoint === '/' ? '' : mountPoint;
  if (path !== base && !path.startsWith(`${base}/`)) return undefined;
  return `${root === '/' ? '' : root}${path.slice(base.length)}`;
}

function stripMark(path: string): string {
  return path.endsWith(DELETED) ? path.slice(0, -DELETED.length) : path;
}

export function formatDevice({ devMajor, devMinor }: MountInfo): string {
  return `${devMajor}:${devMinor}`;
}

function toDecimal(device: string | undefined): string | undefined {
  return device
    ?.split(':')
    .map((part) => Number.parseInt(part, 16))
    .join(':');
}
