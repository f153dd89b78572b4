import { readFile } from 'node:fs/promises';
import { join } from 'node:path';
import { type MountInfo, parseMountinfo } from './mountinfo.ts';

/** What the kernel shows of a process. */
export interface ProcessView {
  /** Mount table. Throws an error with code ENOENT or ESRCH where the process is gone. */
  readMountinfo(pid: number): Promise<MountInfo[]>;
}

/** Reads /proc of the host, whose root directory this process sees at `hostRoot`. */
export function createProcessSource(hostRoot: string): ProcessView {
  return {
    readMountinfo: async (pid) => parseMountinfo(await readFile(join(hostRoot, 'proc', String(pid), 'mountinfo'))),
  };
}

/** Whether an error only says that a process or a file went away meanwhile. */
export function isGone(error: unknown): boolean {
  return error instanceof Error && 'code' in error && GONE.has(String(error.code));
}

/** EINVAL is what the kernel says of the mount table of a process that is ending. */
const GONE: ReadonlySet<string> = new Set(['ENOENT', 'ESRCH', 'EINVAL']);
