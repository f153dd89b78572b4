import type { HostFiles } from './host-files.ts';

/** Host files in memory, by path; directories follow from them. */
export class FakeHostFiles implements HostFiles {
  readonly files: Map<string, Buffer>;
  reads = 0;

  constructor(files: Record<string, string | Buffer>) {
    this.files = new Map(Object.entries(files).map(([path, content]) => [path, Buffer.from(content)]));
  }

  read(path: string, maxBytes: number): Buffer | undefined {
    this.reads += 1;
    const content = this.files.get(path);
    return content !== undefined && content.length <= maxBytes ? content : undefined;
  }

  readPart(path: string, offset: number, bytes: number): Buffer | undefined {
    this.reads += 1;
    return this.files.get(path)?.subarray(offset, offset + bytes);
  }

  list(path: string): { name: string; isDirectory: boolean }[] {
    const names = new Map<string, boolean>();
    for (const file of this.files.keys()) {
      if (!file.startsWith(`${path}/`)) continue;
      const [name = '', ...rest] = file.slice(path.length + 1).split('/');
      names.set(name, rest.length > 0);
    }
    return [...names].map(([name, isDirectory]) => ({ name, isDirectory })).sort((a, b) => (a.name < b.name ? -1 : 1));
  }
}
