import { checkInteger } from './arguments.ts';
import { loadNative } from './native.ts';
import { guard } from './rootfs-error.ts';

/**
 * Ends listing, walking and reading on the calling thread once so many milliseconds have passed: calls that block throw
 * ERR_ROOTFS_LIMIT with the system call `clock_gettime`, at the next block of a file or name of a directory. Counts for
 * this thread until it is set again; undefined takes it away. Calls on the package's own threads are not bound by it.
 *
 * A worker thread that is ended from outside otherwise goes on until the call that it is in returns.
 */
export function setReadDeadline(timeoutMs: number | undefined): void {
  const milliseconds = timeoutMs === undefined ? 0 : checkInteger(timeoutMs, 'timeoutMs', 1);
  guard(() => loadNative().setDeadline(milliseconds));
}

/**
 * Gives the calling thread the lowest rank at the disk: `idle` is served when nobody else wants it; `low` comes after others of the usual class. Throws ERR_ROOTFS_SYSTEM where the kernel refuses.
 */
export function lowerThreadPriority(rank: 'idle' | 'low'): void {
  if (rank !== 'idle' && rank !== 'low') throw new TypeError('rank must be idle or low');
  guard(() => loadNative().lowerPriority(rank === 'idle'));
}
