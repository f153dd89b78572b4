import { closeSync, fstatSync, openSync, readdirSync, readFileSync, readlinkSync, readSync } from 'node:fs';
import { join } from 'node:path';
import { openRoot } from '@holdfast/rootfs';
import { attempt, type FileHasher } from './file-hasher.ts';
import { makeDevice } from './make-device.ts';
import type { HeldFile, ProcBytes, ProcessFiles } from './process-files.ts';

/** Linux: the descriptor only holds the file; opening it asks nothing of its file system. */
const O_PATH = 0o10000000;
const MAX_MAPS_BYTES = 8 * 1024 * 1024;
const MAX_ENVIRONMENT_BYTES = 1024 * 1024;
const CHUNK_BYTES = 64 * 1024;
const NAMELESS = '/(name too long)';

/** Reads /proc of the host, whose root directory this process sees at `hostRoot`. For use in a worker thread. */
export function createProcessFiles(hostRoot: string, hasher: FileHasher): ProcessFiles {
  const proc = (pid: number, name: string) => join(hostRoot, 'proc', String(pid), name);
  const link = (pid: number, name: string) => attempt(() => readlinkSync(proc(pid, name), 'latin1'));
  const text = (pid: number, name: string) => attempt(() => readFileSync(proc(pid, name), 'latin1'));
  return {
    readStat: (pid) => text(pid, 'stat'),
    listThreads: (pid) => attempt(() => readdirSync(proc(pid, 'task')).map(Number)),
    readMaps: (pid) => readBounded(proc(pid, 'maps'), MAX_MAPS_BYTES),
    readEnvironment: (pid) => readBounded(proc(pid, 'environ'), MAX_ENVIRONMENT_BYTES),
    readCommand: (pid) => readBounded(proc(pid, 'cmdline'), CHUNK_BYTES)?.bytes.toString('latin1'),
    readMountinfo: (pid) => attempt(() => readFileSync(proc(pid, 'mountinfo'))),
    readMountNamespace: (pid) => link(pid, 'ns/mnt'),
    readPidNamespace: (pid) => link(pid, 'ns/pid'),
    readInnerPid: (pid) => readInnerPid(text(pid, 'status')),
    statRoot: (pid) =>
      attempt(() => {
        // Held and asked without a question to its file system: that of a hostile container need not answer.
        using root = openRoot(proc(pid, 'root'));
        const stat = root.lstat(Buffer.alloc(0));
        return stat && { dev: makeDevice(stat.devMajor, stat.devMinor), ino: stat.ino };
      }),
    readProgram: (pid) => readName(proc(pid, 'exe')),
    hold: (pid, what) => hold(proc(pid, what === 'program' ? 'exe' : `map_files/${what.range}`), hasher),
  };
}

function readInnerPid(status: string | undefined): number | undefined {
  const inner = /^NSpid:.*?(\d+)$/m.exec(status ?? '')?.[1];
  return inner === undefined ? undefined : Number(inner);
}

/** The kernel names no file whose path is longer than a page; it can be held and read all the same. */
function readName(link: string): string | undefined {
  try {
    return readlinkSync(link, 'latin1');
  } catch (error) {
    if (!(error instanceof Error && 'code' in error)) throw error;
    return error.code === 'ENAMETOOLONG' ? NAMELESS : undefined;
  }
}

function hold(path: string, hasher: FileHasher): HeldFile | undefined {
  const fd = attempt(() => openSync(path, O_PATH));
  if (fd === undefined) return undefined;
  const own = `/proc/self/fd/${fd}`;
  const name = readName(own);
  const mountId = /^mnt_id:\s*(\d+)$/m.exec(
    attempt(() => readFileSync(`/proc/self/fdinfo/${fd}`, 'latin1')) ?? '',
  )?.[1];
  if (name === undefined || mountId === undefined) {
    closeSync(fd);
    return undefined;
  }
  return {
    path: name,
    mountId: Number(mountId),
    identify: () => attempt(() => fstatSync(fd, { bigint: true })),
    hasName: () => fstatSync(fd).nlink > 0,
    hash: (maxBytes, isRestless) => hasher.hashHeld(own, maxBytes, isRestless),
    close: () => closeSync(fd),
  };
}

/** Files of /proc tell no size: they are read until they end or become too long. */
function readBounded(path: string, maxBytes: number): ProcBytes | undefined {
  const fd = attempt(() => openSync(path, 'r'));
  if (fd === undefined) return undefined;
  try {
    const chunks: Buffer[] = [];
    let bytes = 0;
    while (bytes < maxBytes) {
      const chunk = Buffer.allocUnsafe(CHUNK_BYTES);
      const got = attempt(() => readSync(fd, chunk, 0, CHUNK_BYTES, null));
      if (got === undefined) return undefined;
      if (got === 0) return { bytes: Buffer.concat(chunks), isCut: false };
      chunks.push(chunk.subarray(0, got));
      bytes += got;
    }
    return { bytes: Buffer.concat(chunks), isCut: true };
  } finally {
    closeSync(fd);
  }
}
