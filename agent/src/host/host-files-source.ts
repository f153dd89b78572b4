import { fstatSync, readdirSync, readlinkSync, readSync } from 'node:fs';
import { join } from 'node:path';
import type { HostFiles } from './host-files.ts';
import { MAX_KERNEL_FILE_BYTES, readKernelFile, withFile } from './kernel-file.ts';

/** The kernel makes these files as they are read: their size is unknown before and a read may come short. */
const CHUNK_BYTES = 64 * 1024;
const MAX_NAMES = 10_000;
/** Kernel parameters: regular files, each given whole by its first read. */
const PARAMETERS = '/proc/sys/';
const scratch = Buffer.allocUnsafeSlow(CHUNK_BYTES);

/** Reads the host's files below `hostRoot`, never waiting: a FIFO or device in the place of a file is not read. */
export function createHostFiles(hostRoot: string): HostFiles {
  return {
    read: (path, maxBytes) => {
      const isParameter = path.startsWith(PARAMETERS) && maxBytes <= MAX_KERNEL_FILE_BYTES;
      if (isParameter) return readKernelFile(join(hostRoot, path), maxBytes);
      return withRegularFile(join(hostRoot, path), (file) => readAll(file, maxBytes));
    },
    readPart: (path, offset, bytes) => withRegularFile(join(hostRoot, path), (file) => readPart(file, offset, bytes)),
    readEnd: (path, bytes) => withRegularFile(join(hostRoot, path), (file) => readEnd(file, bytes)),
    readLink: (path) => readLink(join(hostRoot, path)),
    list: (path) => listDirectory(join(hostRoot, path)),
  };
}

function withRegularFile<T>(path: string, read: (file: number) => T | undefined): T | undefined {
  return withFile(path, (file) => (fstatSync(file).isFile() ? read(file) : undefined));
}

function readAll(file: number, maxBytes: number): Buffer | undefined {
  const chunks: Buffer[] = [];
  let total = 0;
  while (total <= maxBytes) {
    const size = readSync(file, scratch, 0, Math.min(CHUNK_BYTES, maxBytes + 1 - total), null);
    if (size === 0) return Buffer.concat(chunks, total);
    chunks.push(Buffer.from(scratch.subarray(0, size)));
    total += size;
  }
  return undefined;
}

function readPart(file: number, offset: number, bytes: number): Buffer {
  const part = Buffer.allocUnsafe(bytes);
  let total = 0;
  while (total < bytes) {
    const size = readSync(file, part, total, Math.min(CHUNK_BYTES, bytes - total), offset + total);
    if (size === 0) break;
    total += size;
  }
  return part.subarray(0, total);
}

function readEnd(file: number, bytes: number): Buffer {
  const { size } = fstatSync(file);
  return readPart(file, Math.max(0, size - bytes), Math.min(size, bytes));
}

function readLink(path: string): string | undefined {
  try {
    return readlinkSync(path);
  } catch {
    return undefined;
  }
}

function listDirectory(path: string): { name: string; isDirectory: boolean }[] {
  try {
    return readdirSync(path, { withFileTypes: true })
      .slice(0, MAX_NAMES)
      .map((entry) => ({ name: entry.name, isDirectory: entry.isDirectory() }))
      .sort((a, b) => (a.name < b.name ? -1 : 1));
  } catch {
    return [];
  }
}
