import { closeSync, constants, openSync, readSync } from 'node:fs';

/** Longest file that is read here. */
export const MAX_KERNEL_FILE_BYTES = 64 * 1024 - 1;
const OPEN_FLAGS = constants.O_RDONLY | constants.O_NONBLOCK | constants.O_NOCTTY;
const scratch = Buffer.allocUnsafeSlow(MAX_KERNEL_FILE_BYTES + 1);

/**
 * A file that the kernel makes as it is read and gives whole by the first read that has room for it, such as a kernel
 * parameter or the account of a cgroup. They are read by the hundred: three calls each, and no buffer that is not kept.
 * Undefined where it cannot be read or is longer.
 */
export function readKernelFile(path: string, maxBytes: number): Buffer | undefined {
  return withFile(path, (file) => {
    const most = Math.min(maxBytes, MAX_KERNEL_FILE_BYTES);
    const size = readSync(file, scratch, 0, most + 1, null);
    return size > most ? undefined : Buffer.from(scratch.subarray(0, size));
  });
}

/** Opens a file, never waiting for another side of it, and closes it again. Undefined where it cannot be opened or read. */
export function withFile<T>(path: string, read: (file: number) => T | undefined): T | undefined {
  let file: number;
  try {
    file = openSync(path, OPEN_FLAGS);
  } catch {
    return undefined;
  }
  try {
    return read(file);
  } catch {
    return undefined;
  } finally {
    closeSync(file);
  }
}
