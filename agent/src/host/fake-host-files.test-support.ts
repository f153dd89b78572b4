import type { HostFiles } from './host-files.ts';

/** Host files in memory, by path; directories follow from them. */
export class FakeHostFiles implements HostFiles {
  readonly files: Map<string, Buffer>;
  readonly links: Map<string, string>;
  reads = 0;

  constructor(files: Record<string, string | Buffer>, links: Record<string, string> = {}) {
    this.links = new Map(Object.entries(links));
    this.files = new Map(Object.entries(files).map(([path, content]) => [path, Buffer.from(content)]));
  }

  read(path: string, maxBytes: number): Buffer | undefined {
    this.reads += 1;
    const content = this.files.get(path);
    return content !== undefined && content.length <= maxBytes ? content : undefined;
  }

  readMany(paths: readonly string[], maxBytes: number): (Buffer | undefined)[] {
    return paths.map((path) => this.read(path, maxBytes));
  }

  readPart(path: string, offset: number, bytes: number): Buffer | undefined {
    this.reads += 1;
    return this.files.get(path)?.subarray(offset, offset + bytes);
  }

  readEnd(path: string, bytes: number): Buffer | undefined {
    this.reads += 1;
    return this.files.get(path)?.subarray(-bytes);
  }

  readLink(path: string): string | undefined {
    this.reads += 1;
    return this.links.get(path);
  }

  list(path: string): { name: string; isDirectory: boolean }[] {
    const names = new Map<string, boolean>();
    for (const file of [...this.files.keys(), ...this.links.keys()]) {
      if (!file.startsWith(`${path}/`)) continue;
      const [name = '', ...rest] = file.slice(path.length + 1).split('/');
      names.set(name, rest.length > 0);
    }
    return [...names].map(([name, isDirectory]) => ({ name, isDirectory })).sort((a, b) => (a.name < b.name ? -1 : 1));
  }
}
