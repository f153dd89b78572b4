import { constants } from 'node:fs';
import { open } from 'node:fs/promises';
import { undecided } from './cli-error.ts';

/**
 * Reads a file that a person named, whole, at most `maxBytes`. Throws a sentence for a missing, unreadable, empty or too
 * large file, and for what is no regular file.
 */
export async function readInputFile(path: string, maxBytes: number): Promise<Buffer> {
  let file: Awaited<ReturnType<typeof open>>;
  try {
    // A FIFO is to be refused, and not to be waited for.
    file = await open(path, constants.O_RDONLY | constants.O_NONBLOCK | constants.O_NOCTTY);
  } catch (error) {
    throw undecided(explainFileError(path, error), error);
  }
  try {
    const stat = await file.stat();
    if (stat.isDirectory()) throw undecided(`${path} is a directory; name a file`);
    if (!stat.isFile()) throw undecided(`${path} is not a regular file`);
    if (stat.size > maxBytes) throw undecided(`${path} has ${stat.size} bytes; more than ${maxBytes} are not read`);
    const content = await file.readFile();
    if (content.length === 0) throw undecided(`${path} is empty`);
    return content;
  } finally {
    await file.close();
  }
}

/** Says in a sentence why the system would not give a file. */
export function explainFileError(path: string, error: unknown): string {
  const code = error instanceof Error && 'code' in error ? String(error.code) : '';
  if (code === 'ENOENT' || code === 'ENOTDIR') return `${path} does not exist`;
  if (code === 'EACCES' || code === 'EPERM') return `no permission to read ${path}; run as root or change its mode`;
  if (code === 'EISDIR') return `${path} is a directory; name a file`;
  if (code === 'ELOOP') return `${path} is a loop of symbolic links`;
  return `${path} cannot be read (${code || 'unknown reason'})`;
}
