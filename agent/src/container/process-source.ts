import { readFile, readlink, stat } from 'node:fs/promises';
import { join } from 'node:path';
import { parseMountinfo } from './mountinfo.ts';
import type { DirectoryId, ProcessView } from './process-roots.ts';

/** Reads /proc of the host, whose root directory this process sees at `hostRoot`. */
export function createProcessSource(hostRoot: string): ProcessView {
  const proc = (pid: number, name: string) => join(hostRoot, 'proc', String(pid), name);
  return {
    readMountinfo: async (pid) => parseMountinfo(await readFile(proc(pid, 'mountinfo'))),
    readMountNamespace: async (pid) => await ignoreGone(readlink(proc(pid, 'ns/mnt'))),
    statRoot: async (pid) => await ignoreGone(statId(`${proc(pid, 'root')}/`)),
    statDirectory: async (path) => await ignoreGone(statId(Buffer.from(join(hostRoot, path), 'latin1'))),
  };
}

async function statId(path: string | Buffer): Promise<DirectoryId> {
  const { dev, ino } = await stat(path, { bigint: true });
  return { dev, ino };
}

/** Whether an error only says that a process or a file went away meanwhile. */
export function isGone(error: unknown): boolean {
  return error instanceof Error && 'code' in error && GONE.has(String(error.code));
}

/** EINVAL is what the kernel says of the mount table of a process that is ending. */
const GONE: ReadonlySet<string> = new Set(['ENOENT', 'ESRCH', 'EINVAL']);

async function ignoreGone<T>(promise: Promise<T>): Promise<T | undefined> {
  try {
    return await promise;
  } catch (error) {
    if (isGone(error)) return undefined;
    throw error;
  }
}
