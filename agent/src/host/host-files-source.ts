import { existsSync, fstatSync, readdirSync, readlinkSync, readSync } from 'node:fs';
import type { HostFiles } from './host-files.ts';
import { withFile } from './kernel-file.ts';

const CHUNK_BYTES = 64 * 1024;
const MAX_NAMES = 10_000;
const scratch = Buffer.allocUnsafeSlow(CHUNK_BYTES);

/** Reads whole files by absolute path, each undefined as `HostFiles` says. */
export type ReadFiles = (paths: readonly string[], maxBytes: number) => (Buffer | undefined)[];

/**
 * Reads the host's files below `hostRoot`, never waiting: a FIFO or device in the place of a file is not read. `readFiles`
 * is that of the native package where it is at hand: an agent reads hundreds of kernel parameters again and again.
 */
export function createHostFiles(hostRoot: string, readFiles: ReadFiles = readOneByOne): HostFiles {
  const top = hostRoot === '/' ? '' : hostRoot;
  const at = (path: string): string => top + path;
  return {
    read: (path, maxBytes) => readFiles([at(path)], maxBytes)[0],
    readMany: (paths, maxBytes) => readFiles(paths.map(at), maxBytes),
    readPart: (path, offset, bytes) => withRegularFile(at(path), (file) => readPart(file, offset, bytes)),
    readEnd: (path, bytes) => withRegularFile(at(path), (file) => readEnd(file, bytes)),
    readLink: (path) => readLink(at(path)),
    list: (path) => listDirectory(at(path)),
  };
}

function withRegularFile<T>(path: string, read: (file: number) => T | undefined): T | undefined {
  // An error that is thrown costs ten times the question, and most machines keep no measurement list.
  if (!existsSync(path)) return undefined;
  return withFile(path, (file) => (fstatSync(file).isFile() ? read(file) : undefined));
}

function readOneByOne(paths: readonly string[], maxBytes: number): (Buffer | undefined)[] {
  return paths.map((path) => {
    const content = withRegularFile(path, (file) => readPart(file, 0, maxBytes + 1));
    return content !== undefined && content.length <= maxBytes ? content : undefined;
  });
}

/** The kernel makes some files as they are read: a read may come short, and what was asked for be far more than there is. */
function readPart(file: number, offset: number, bytes: number): Buffer {
  const chunks: Buffer[] = [];
  let total = 0;
  while (total < bytes) {
    const size = readSync(file, scratch, 0, Math.min(CHUNK_BYTES, bytes - total), offset + total);
    if (size === 0) break;
    chunks.push(Buffer.from(scratch.subarray(0, size)));
    total += size;
  }
  return Buffer.concat(chunks, total);
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
