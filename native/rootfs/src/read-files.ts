import { checkInteger } from './arguments.ts';
import { decodeContents } from './many-paths.ts';
import { loadNative } from './native.ts';
import { guard } from './rootfs-error.ts';

/** Memory is bounded by the number of files times this. */
const MAX_BYTES = 256 * 1024 ** 2;

/**
 * Reads small regular files of this machine by absolute path, to their end whatever size they are said to have: for those
 * that the kernel makes as they are read. Not beneath a root, and links are followed: never for a path that a container
 * has a part in. On the calling thread, and without waiting for a FIFO or device. Undefined for each that is not there,
 * is no regular file, cannot be read or is longer than `maxBytes`. Throws `TypeError` for a path that is not absolute.
 */
export function readFiles(paths: readonly string[], maxBytes: number): (Buffer | undefined)[] {
  if (checkInteger(maxBytes, 'maxBytes') > MAX_BYTES) throw new TypeError(`maxBytes must be at most ${MAX_BYTES}`);
  for (const path of paths) {
    if (!path.startsWith('/') || path.includes('\0')) throw new TypeError('a path is absolute and without NUL');
  }
  const packed = guard(() => loadNative().readFiles(Buffer.from(paths.map((path) => `${path}\0`).join('')), maxBytes));
  return decodeContents(packed, paths.length);
}
