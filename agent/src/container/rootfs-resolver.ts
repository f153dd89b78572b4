import type { ContainerdClient } from '../containerd/containerd-client.ts';
import type { MountInfo } from './mountinfo.ts';
import { collectOptions, type OverlayOptions, parseOverlayOptions, resolveLowers } from './overlay-options.ts';

/** The parts of the runtime that tell of snapshots. */
export type SnapshotStore = Pick<ContainerdClient, 'statSnapshot' | 'listMounts'>;

/** The root file system of a container, as its snapshotter made it. */
export interface Rootfs {
  /** File system that the snapshotter mounts; `overlay` is the one that is read. */
  readonly driver: string;
  /** Directories of the layers, bottom first, absolute, latin1, as the runtime names them. */
  readonly lowers: readonly string[];
  readonly upper: string | undefined;
  /** chainIDs that the snapshots are named by, bottom first. */
  readonly chainIds: readonly string[];
  /** Why it cannot be read; empty where it can. */
  readonly unsupported: readonly string[];
  /** Other names by which the kernel may show these directories, and which one each means. */
  readonly aliases?: Readonly<Record<string, string>>;
}

const CHAIN_ID = /^sha256:[0-9a-f]{64}$/;
const MAX_PARENTS = 512;
/** Others may keep their layers in a form that no directory shows, or fetch them while they are read. */
export const KNOWN_SNAPSHOTTERS: ReadonlySet<string> = new Set(['overlayfs']);

/**
 * Reads which directories make up a container's root file system, and which chainIDs its snapshots have. Undefined where
 * the snapshot is gone. Throws `AgentError` when the runtime does not answer.
 */
export async function resolveRootfs(
  store: SnapshotStore,
  namespace: string,
  snapshotter: string,
  key: string,
): Promise<Rootfs | undefined> {
  const mounts = await store.listMounts(namespace, snapshotter, key);
  const parents = await listParents(store, namespace, snapshotter, key);
  if (mounts === undefined || parents === undefined) return undefined;
  const [mount] = mounts;
  const driver = mount?.type ?? 'none';
  const unsupported: string[] = [];
  if (!KNOWN_SNAPSHOTTERS.has(snapshotter)) unsupported.push(`snapshotter:${snapshotter}`);
  if (mounts.length !== 1 || driver !== 'overlay') unsupported.push(`mount:${driver}`);
  const latin1 = (mount?.options ?? []).map((option) => Buffer.from(option).toString('latin1'));
  const options = collectOptions(latin1);
  unsupported.push(...options.unsupported);
  // Snapshots whose owners were moved for a user namespace carry that in their names.
  const isNamedByChain = parents.every((name) => CHAIN_ID.test(name));
  if (!isNamedByChain) unsupported.push('snapshotName');
  if (unsupported.length === 0 && options.lowers.length !== parents.length) unsupported.push('lowerCount');
  const lowers = options.lowers.every((lower) => lower.startsWith('/')) ? options.lowers.toReversed() : [];
  if (lowers.length !== options.lowers.length) unsupported.push('relativeLower');
  // Other parts take paths as text; a path that is not plain ASCII would not reach the kernel as it came.
  if ([...lowers, options.upper ?? ''].some((path) => !/^[\x20-\x7e]*$/.test(path))) unsupported.push('pathEncoding');
  return { driver, lowers, upper: options.upper, chainIds: isNamedByChain ? parents.toReversed() : [], unsupported };
}

/** Names of the committed snapshots below one, top first. Undefined where it or one of them is gone. */
async function listParents(
  store: SnapshotStore,
  namespace: string,
  snapshotter: string,
  key: string,
): Promise<string[] | undefined> {
  const parents: string[] = [];
  let at = key;
  while (parents.length < MAX_PARENTS) {
    const info = await store.statSnapshot(namespace, snapshotter, at);
    if (info === undefined) return undefined;
    if (info.parent === '') return parents;
    parents.push(info.parent);
    at = info.parent;
  }
  return undefined;
}

/**
 * Whether the root mount that the kernel shows is the one that the snapshotter tells of: the same directories in the same
 * order. `mounts` is the mount table of a process of the container; the last mount on `/` is what shows.
 */
export function findRootMount(mounts: readonly MountInfo[], rootfs: Rootfs): MountInfo | undefined {
  const shown = mounts.filter((mount) => mount.mountPoint === '/').at(-1);
  if (shown?.fsType !== 'overlay') return undefined;
  const options = resolveAliases(parseOverlayOptions(shown.superOptions), rootfs.aliases ?? {});
  const lowers = resolveLowers(options).toReversed();
  const isSame = lowers.length === rootfs.lowers.length && lowers.every((lower, at) => lower === rootfs.lowers[at]);
  return isSame && options.upper === rootfs.upper && options.unsupported.length === 0 ? shown : undefined;
}

function resolveAliases(options: OverlayOptions, aliases: Readonly<Record<string, string>>): OverlayOptions {
  const resolve = (name: string): string => (Object.hasOwn(aliases, name) ? (aliases[name] ?? name) : name);
  const { lowers, upper } = options;
  return { ...options, lowers: lowers.map(resolve), upper: upper === undefined ? undefined : resolve(upper) };
}
