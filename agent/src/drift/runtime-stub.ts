import { type BytePath, toBytePath } from '@holdfast/evidence/documents';
import type { UpperEntry } from './upper-source.ts';

/** Where a runtime mounts something over the root file system, and the directories above those places. */
export interface MountPoints {
  readonly points: ReadonlySet<BytePath>;
  readonly parents: ReadonlySet<BytePath>;
}

/** Collects mount points (absolute, latin1); those that are no plain absolute path are passed over. */
export function collectMountPoints(paths: Iterable<string>): MountPoints {
  const points = new Set<BytePath>();
  const parents = new Set<BytePath>();
  for (const path of paths) {
    const parts = path.split('/').filter((part) => part !== '' && part !== '.');
    if (!path.startsWith('/') || parts.length === 0 || parts.includes('..')) continue;
    parts.forEach((_part, at) => {
      const prefix = toBytePath(Buffer.from(`/${parts.slice(0, at + 1).join('/')}`, 'latin1'));
      (at === parts.length - 1 ? points : parents).add(prefix);
    });
  }
  return { points, parents };
}

/**
 * Whether a new entry is one that the runtime made to mount something on: at a mount point an empty file or a directory,
 * above one a directory; owned by root, writable by root alone, without set-id bits or capabilities. What lies in such a
 * directory is looked at like everything else, so that nothing hides behind the name. And the one link that podman and
 * CRI-O make where an image lacks it: `/etc/mtab`, root's, to `/proc/mounts`.
 */
export function isRuntimeStub(entry: UpperEntry, mountPoints: MountPoints): boolean {
  const { path, stat, xattrs } = entry;
  if (isMountTableLink(entry)) return true;
  const isPoint = mountPoints.points.has(path);
  const isParent = mountPoints.parents.has(path);
  if (!isPoint && !isParent) return false;
  if (stat.uid !== 0 || stat.gid !== 0 || (stat.mode & 0o7022) !== 0) return false;
  if (xattrs['security.capability'] !== undefined) return false;
  return stat.type === 'directory' || (isPoint && stat.type === 'file' && stat.size === 0);
}

function isMountTableLink({ path, stat, target }: UpperEntry): boolean {
  return (
    path === MOUNT_TABLE && stat.type === 'symlink' && target === '/proc/mounts' && stat.uid === 0 && stat.gid === 0
  );
}

const MOUNT_TABLE = toBytePath('/etc/mtab');
