import { createHash } from 'node:crypto';
import { type BytePath, toBytePath } from '@holdfast/evidence/inventory';
import { resolvePath } from './resolve-path.ts';
import { type RootView, type ViewEntry, type ViewLayer, ViewLimitError } from './root-view.ts';

/** A file by its content, a link by `{ link }`, or an entry with attributes. Paths are absolute; parents are made. */
export type MemoryEntry =
  | string
  | Buffer
  | { readonly link: string }
  | {
      readonly content?: string | Buffer;
      readonly mode?: number;
      readonly layer?: number;
      readonly fails?: ViewLimitError;
    };

interface StoredEntry {
  readonly entry: ViewEntry;
  readonly content: Buffer;
  readonly fails: ViewLimitError | undefined;
}

/** A view over entries given by hand. */
export function createMemoryView(
  entries: Readonly<Record<string, MemoryEntry>>,
  layers: readonly ViewLayer[] = [{ diffId: null }],
): RootView {
  const stored = new Map<string, StoredEntry>([['/', toStored('directory', {})]]);
  for (const [path, entry] of Object.entries(entries)) {
    const names = toBytePath(path).slice(1).split('/');
    for (let depth = 1; depth < names.length; depth += 1) {
      const parent = `/${names.slice(0, depth).join('/')}`;
      if (!stored.has(parent)) stored.set(parent, toStored('directory', {}));
    }
    stored.set(toBytePath(path), toEntry(entry));
  }
  return new MemoryView(stored, layers);
}

function toEntry(entry: MemoryEntry): StoredEntry {
  if (typeof entry === 'string' || Buffer.isBuffer(entry)) return toStored('file', { content: Buffer.from(entry) });
  if ('link' in entry) return toStored('symlink', { target: entry.link });
  return toStored('file', { ...entry, content: Buffer.from(entry.content ?? '') });
}

function toStored(
  type: ViewEntry['type'],
  fields: { content?: Buffer; mode?: number; layer?: number; target?: string; fails?: ViewLimitError },
): StoredEntry {
  const { content = Buffer.alloc(0), mode = 0o644, layer = 0, target, fails } = fields;
  const base = { type, mode, uid: 0, gid: 0, size: content.length, rdevMajor: 0, rdevMinor: 0, layer };
  return { entry: target === undefined ? base : { ...base, target }, content, fails };
}

class MemoryView implements RootView {
  readonly layers: readonly ViewLayer[];
  readonly #stored: ReadonlyMap<string, StoredEntry>;

  constructor(stored: ReadonlyMap<string, StoredEntry>, layers: readonly ViewLayer[]) {
    this.#stored = stored;
    this.layers = layers;
  }

  lstat(path: BytePath): ViewEntry | undefined {
    return this.#stored.get(path)?.entry;
  }

  list(path: BytePath): string[] {
    const prefix = path === '/' ? '/' : `${path}/`;
    return [...this.#stored.keys()]
      .filter((key) => key !== '/' && key.startsWith(prefix) && !key.slice(prefix.length).includes('/'))
      .map((key) => key.slice(prefix.length))
      .sort();
  }

  readFile(path: BytePath, maxBytes: number): Buffer | undefined {
    const content = this.#content(path);
    if (content !== undefined && content.length > maxBytes) throw new ViewLimitError('fileBytes', path);
    return content;
  }

  readHead(path: BytePath, bytes: number): Buffer | undefined {
    return this.#content(path)?.subarray(0, bytes);
  }

  readPart(path: BytePath, offset: number, length: number): Buffer | undefined {
    return this.#content(path)?.subarray(offset, offset + length);
  }

  hashFile(path: BytePath): string | undefined {
    const content = this.#content(path);
    return content && createHash('sha256').update(content).digest('hex');
  }

  resolve(path: BytePath): BytePath | undefined {
    return resolvePath((at) => this.lstat(at), path);
  }

  #content(path: BytePath): Buffer | undefined {
    const found = this.#stored.get(path);
    if (found?.fails !== undefined) throw found.fails;
    return found?.entry.type === 'file' ? found.content : undefined;
  }
}
