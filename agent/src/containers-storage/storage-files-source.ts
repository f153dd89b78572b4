import { constants } from 'node:fs';
import { type FileHandle, open, readdir, readlink, stat } from 'node:fs/promises';
import { join } from 'node:path';
import { AgentError } from '../agent-error.ts';
import type { StorageFiles } from './storage-files.ts';

/** Reads the host's files, whose root directory this process sees at `hostRoot`. */
export function createStorageFiles(hostRoot: string): StorageFiles {
  const toHostPath = (path: string): string => join(hostRoot, path);
  return {
    toHostPath,
    read: async (path, maxBytes) => await ignoreGone(path, readWhole(toHostPath(path), maxBytes)),
    listDirectories: async (path) => {
      const found = await ignoreGone(path, readdir(toHostPath(path), { withFileTypes: true }));
      return (found ?? []).filter((entry) => entry.isDirectory()).map((entry) => entry.name);
    },
    readLink: async (path) => await ignoreGone(path, readlink(toHostPath(path))),
    stamp: async (path) => {
      const found = await ignoreGone(path, stat(toHostPath(path), { bigint: true }));
      return found === undefined ? undefined : `${found.ino} ${found.size} ${found.mtimeNs} ${found.ctimeNs}`;
    },
  };
}

async function readWhole(path: string, maxBytes: number): Promise<Buffer> {
  const file = await open(path, constants.O_RDONLY | constants.O_NONBLOCK);
  try {
    if (!(await file.stat()).isFile()) throw new AgentError('ERR_AGENT_RUNTIME_DATA', `${path} is no regular file`);
    return await readAtMost(file, path, maxBytes);
  } finally {
    await file.close();
  }
}

/** Files of /proc have no size: the limit counts what comes. */
async function readAtMost(file: FileHandle, path: string, maxBytes: number): Promise<Buffer> {
  const pieces: Buffer[] = [];
  for (let total = 0; ; ) {
    const { buffer, bytesRead } = await file.read(Buffer.allocUnsafe(64 * 1024), 0, 64 * 1024, null);
    if (bytesRead === 0) return Buffer.concat(pieces);
    total += bytesRead;
    if (total > maxBytes) throw new AgentError('ERR_AGENT_RUNTIME_DATA', `${path} has more than ${maxBytes} bytes`);
    pieces.push(buffer.subarray(0, bytesRead));
  }
}

/** ESRCH: a process that ended while its file was read. */
async function ignoreGone<T>(path: string, promise: Promise<T>): Promise<T | undefined> {
  try {
    return await promise;
  } catch (error) {
    if (error instanceof AgentError) throw error;
    const code = error instanceof Error && 'code' in error ? error.code : undefined;
    if (code === 'ENOENT' || code === 'ENOTDIR' || code === 'ESRCH' || code === 'EINVAL') return undefined;
    const isDenied = code === 'EACCES' || code === 'EPERM';
    const message = isDenied ? `no permission to read ${path}: run as root` : `${path} cannot be read`;
    const kind = isDenied ? 'ERR_AGENT_RUNTIME_PERMISSION' : 'ERR_AGENT_RUNTIME_UNAVAILABLE';
    throw new AgentError(kind, message, { cause: error });
  }
}
