import { createHash } from 'node:crypto';
import type { BytePath } from '@holdfast/evidence/documents';
import type { LayerStat, OverlayLayer } from './overlay-layer.ts';

/** An entry of a layer that tests make up. */
export interface FakeEntry {
  readonly type?: LayerStat['type'];
  readonly content?: string;
  readonly target?: string;
  readonly xattrs?: Record<string, string>;
  readonly rdev?: readonly [number, number];
  readonly mode?: number;
  readonly uid?: number;
}

/** For tests: a layer in memory; directories above an entry are made by themselves. */
export class FakeLayer implements OverlayLayer {
  readonly #entries = new Map<string, FakeEntry>([['/', { type: 'directory' }]]);
  closed = 0;

  constructor(entries: Record<string, FakeEntry | string>) {
    for (const [path, entry] of Object.entries(entries)) {
      const parts = path.split('/').slice(1, -1);
      parts.forEach((_part, at) => {
        const parent = `/${parts.slice(0, at + 1).join('/')}`;
        if (!this.#entries.has(parent)) this.#entries.set(parent, { type: 'directory' });
      });
      this.#entries.set(path, typeof entry === 'string' ? { content: entry } : entry);
    }
  }

  lstat(path: BytePath): LayerStat | undefined {
    const entry = this.#entries.get(path);
    if (entry === undefined) return undefined;
    const [rdevMajor, rdevMinor] = entry.rdev ?? [0, 0];
    const type = entry.type ?? 'file';
    return {
      type,
      mode: entry.mode ?? 0o644,
      uid: entry.uid ?? 0,
      gid: 0,
      size: entry.content?.length ?? 0,
      rdevMajor,
      rdevMinor,
    };
  }

  list(path: BytePath): string[] {
    const prefix = path === '/' ? '/' : `${path}/`;
    const below = [...this.#entries.keys()].filter((key) => key !== '/' && key.startsWith(prefix));
    return below.map((key) => key.slice(prefix.length)).filter((name) => !name.includes('/'));
  }

  readLink(path: BytePath): string | undefined {
    return this.#entries.get(path)?.target;
  }

  xattr(path: BytePath, name: string): Buffer | undefined {
    const value = this.#entries.get(path)?.xattrs?.[name];
    return value === undefined ? undefined : Buffer.from(value, 'latin1');
  }

  listXattrs(path: BytePath): string[] {
    return Object.keys(this.#entries.get(path)?.xattrs ?? {});
  }

  readFile(path: BytePath): Buffer | undefined {
    return Buffer.from(this.#entries.get(path)?.content ?? '');
  }

  readPart(path: BytePath, offset: number, length: number): Buffer | undefined {
    return this.readFile(path)?.subarray(offset, offset + length);
  }

  hashFile(path: BytePath): string | undefined {
    return createHash('sha256')
      .update(this.readFile(path) ?? '')
      .digest('hex');
  }

  close(): void {
    this.closed += 1;
  }
}
