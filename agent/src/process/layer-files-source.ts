import { openRoot, RootfsError, type RootHandle, type RootStat } from '@holdfast/rootfs';
import type { FileHasher } from './file-hasher.ts';
import type { FileIdentity, LayerFiles } from './process-files.ts';

/** Layer directories that are opened as they are needed, until all are closed together. For use in a worker thread. */
export class OpenLayers implements LayerFiles {
  readonly #hasher: FileHasher;
  readonly #roots = new Map<string, RootHandle | undefined>();

  constructor(hasher: FileHasher) {
    this.#hasher = hasher;
  }

  typeOf(directory: string, path: string): 'file' | 'other' | undefined {
    const stat = this.#stat(directory, path);
    return stat === undefined ? undefined : stat.type === 'file' ? 'file' : 'other';
  }

  identify(directory: string, path: string): FileIdentity | undefined {
    const stat = this.#stat(directory, path);
    return stat?.type === 'file' ? { ino: stat.ino, ctimeNs: stat.ctimeNs, size: BigInt(stat.size) } : undefined;
  }

  hash(directory: string, path: string, maxBytes: number, isRestless: boolean): string | undefined {
    const stat = this.#stat(directory, path);
    if (stat?.type !== 'file') return undefined;
    const { devMajor, devMinor, ino, ctimeNs, size } = stat;
    const key = `${devMajor}:${devMinor} ${ino} ${ctimeNs} ${size}`;
    return this.#hasher.recall({ key, ctimeNs, isRestless }, () =>
      attempt(() => this.#open(directory)?.hashFile(toBytes(path), { maxBytes }).sha256.toString('hex')),
    );
  }

  inodeOf(directory: string): bigint | undefined {
    return this.#stat(directory, '/')?.ino;
  }

  close(): void {
    for (const root of this.#roots.values()) root?.close();
    this.#roots.clear();
  }

  #stat(directory: string, path: string): RootStat | undefined {
    return attempt(() => this.#open(directory)?.lstat(toBytes(path)));
  }

  #open(directory: string): RootHandle | undefined {
    if (this.#roots.has(directory)) return this.#roots.get(directory);
    const root = attempt(() => openRoot(Buffer.from(directory, 'latin1'), { parentLinks: 'refuse' }));
    this.#roots.set(directory, root);
    return root;
  }
}

function toBytes(path: string): Buffer {
  return Buffer.from(path.slice(1), 'latin1');
}

/** What cannot be reached beneath the root is not there. */
function attempt<T>(read: () => T): T | undefined {
  try {
    return read();
  } catch (error) {
    if (error instanceof RootfsError) return undefined;
    throw error;
  }
}
