import type { MountInfo } from './mountinfo.ts';

/** A directory's identity: device and inode number. */
export interface DirectoryId {
  readonly dev: bigint;
  readonly ino: bigint;
}

/** What the kernel shows of a process. */
export interface ProcessView {
  /** Mount table. Throws an error with code ENOENT or ESRCH where the process is gone. */
  readMountinfo(pid: number): Promise<MountInfo[]>;
  /** Names its mount namespace, such as `mnt:[4026532281]`; undefined where the process is gone. */
  readMountNamespace(pid: number): Promise<string | undefined>;
  /** Its root directory; undefined where the process is gone. */
  statRoot(pid: number): Promise<DirectoryId | undefined>;
  /** A directory of the host. */
  statDirectory(path: string): Promise<DirectoryId | undefined>;
}

export interface RootCheck {
  /** The container's first process. */
  readonly pid: number;
  readonly pids: readonly number[];
  readonly rootMount: MountInfo;
  /** Directories of the overlay: its root shows the inode of one of them. */
  readonly directories: readonly string[];
}

/** What a process of the container sees that its first process should not. */
export type RootFinding = 'foreignMountNamespace' | 'foreignRoot';

/**
 * Looks at every process of a container's cgroup: one in another mount namespace, or with another root directory than
 * the overlay's own (device and inode), sees files that no scan of the layers shows. The first process is no exception:
 * with CAP_SYS_CHROOT it can choose its root.
 */
export async function findForeignRoots(view: ProcessView, check: RootCheck): Promise<Set<RootFinding>> {
  const findings = new Set<RootFinding>();
  const expected = await listRootIds(view, check);
  const own = await view.readMountNamespace(check.pid);
  for (const pid of new Set([check.pid, ...check.pids])) {
    const namespace = await view.readMountNamespace(pid);
    if (namespace === undefined) continue;
    if (own !== undefined && namespace !== own) findings.add('foreignMountNamespace');
    else if (!(await hasExpectedRoot(view, pid, expected))) findings.add('foreignRoot');
  }
  return findings;
}

async function hasExpectedRoot(view: ProcessView, pid: number, expected: readonly DirectoryId[]): Promise<boolean> {
  const root = await view.statRoot(pid);
  return root === undefined || expected.some(({ dev, ino }) => dev === root.dev && ino === root.ino);
}

async function listRootIds(view: ProcessView, { rootMount, directories }: RootCheck): Promise<DirectoryId[]> {
  const dev = makeDevice(rootMount.devMajor, rootMount.devMinor);
  const found = await Promise.all(directories.map((directory) => view.statDirectory(directory)));
  return found.flatMap((id) => (id === undefined ? [] : [{ dev, ino: id.ino }]));
}

/** st_dev of a device number, as the C library packs it. */
export function makeDevice(major: number, minor: number): bigint {
  const [high, low] = [BigInt(major), BigInt(minor)];
  return ((high & 0xfffff000n) << 32n) | ((high & 0xfffn) << 8n) | ((low & 0xffffff00n) << 12n) | (low & 0xffn);
}
