import { constants, fstatSync, lstatSync } from 'node:fs';
import { type FileHandle, open } from 'node:fs/promises';

/** Each write is on the disk when it returns. */
const FLAGS = constants.O_WRONLY | constants.O_APPEND | constants.O_DSYNC | constants.O_NOFOLLOW;

/**
 * Appends to files by their path and keeps the last one open, as one file is appended to every round: a write is then all
 * that it takes. A path that leads to another file by now is opened anew.
 */
export class AppendedFile {
  #open: { readonly path: string; readonly file: FileHandle } | undefined;

  /** One caller at a time. Rejects where there is no such file; after an error it is unknown what was written. */
  async append(path: string, content: Uint8Array): Promise<void> {
    const file = await this.#find(path);
    try {
      await file.writeFile(content);
    } catch (error) {
      await this.close();
      throw error;
    }
  }

  async close(): Promise<void> {
    const { file } = this.#open ?? {};
    this.#open = undefined;
    await file?.close();
  }

  async #find(path: string): Promise<FileHandle> {
    if (this.#open?.path === path && isAt(this.#open.file.fd, path)) return this.#open.file;
    await this.close();
    const file = await open(path, FLAGS);
    this.#open = { path, file };
    return file;
  }
}

/** Whether the open file is the one at this path: it may have been replaced, moved or removed. */
function isAt(fd: number, path: string): boolean {
  const there = lstatSync(path, { bigint: true, throwIfNoEntry: false });
  const here = fstatSync(fd, { bigint: true });
  return there !== undefined && there.ino === here.ino && there.dev === here.dev;
}
