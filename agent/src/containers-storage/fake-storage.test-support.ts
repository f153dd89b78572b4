import { createHash } from 'node:crypto';
import type { StorageFiles } from './storage-files.ts';

/** Files, links and directories by path; a directory is there when something lies below it. */
export class FakeStorageFiles implements StorageFiles {
  readonly files = new Map<string, Buffer>();
  readonly links = new Map<string, string>();

  write(path: string, content: unknown): void {
    this.files.set(path, Buffer.from(typeof content === 'string' ? content : JSON.stringify(content)));
  }

  remove(prefix: string): void {
    for (const path of this.files.keys()) if (path.startsWith(prefix)) this.files.delete(path);
  }

  async read(path: string) {
    return this.files.get(path);
  }

  async listDirectories(path: string) {
    const names = [...this.files.keys()]
      .filter((file) => file.startsWith(`${path}/`))
      .map((file) => file.slice(path.length + 1).split('/'))
      .flatMap(([name, ...rest]) => (rest.length > 0 && name !== undefined ? [name] : []));
    return [...new Set(names)];
  }

  async readLink(path: string) {
    return this.links.get(path);
  }

  async stamp(path: string) {
    const bytes = this.files.get(path);
    if (bytes !== undefined) return createHash('sha256').update(bytes).digest('hex');
    return [...this.files.keys()].some((file) => file.startsWith(`${path}/`)) ? 'directory' : undefined;
  }

  toHostPath(path: string) {
    return `/host${path}`;
  }
}
