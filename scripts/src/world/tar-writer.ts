import { Buffer } from 'node:buffer';
import { lstat, readdir, readFile, readlink } from 'node:fs/promises';
import { join } from 'node:path';

export type TarEntryType = 'file' | 'directory' | 'symlink' | 'hardlink' | 'char' | 'block' | 'fifo';

/** One entry of a layer tar as a test wants it: nothing is checked, so that hostile tars can be made too. */
export interface TarEntry {
  /** Without a leading slash. Bytes need not be UTF-8. */
  readonly path: string | Buffer;
  /** Default `file`. */
  readonly type?: TarEntryType;
  readonly content?: string | Uint8Array;
  /** Default 0644 for files, 0755 for directories. */
  readonly mode?: number;
  readonly uid?: number;
  readonly gid?: number;
  /** Of symbolic and hard links. */
  readonly target?: string | Buffer;
  readonly rdev?: readonly [major: number, minor: number];
  /** Seconds since 1970. */
  readonly mtime?: number;
  readonly xattrs?: Readonly<Record<string, Uint8Array>>;
}

const TYPE_FLAGS: Record<TarEntryType, string> = {
  file: '0',
  hardlink: '1',
  symlink: '2',
  char: '3',
  block: '4',
  directory: '5',
  fifo: '6',
};

const DEFAULT_MODES: Partial<Record<TarEntryType, number>> = { directory: 0o755, symlink: 0o777 };

const BLOCK = 512;
const MAX_OCTAL_8 = 0o7777777;

/** Encodes entries as a pax tar, one chunk or more an entry, with the two empty blocks at the end. */
export async function* encodeTar(entries: Iterable<TarEntry> | AsyncIterable<TarEntry>): AsyncGenerator<Buffer> {
  for await (const entry of entries) yield encodeTarEntry(entry);
  yield Buffer.alloc(2 * BLOCK);
}

function encodeTarEntry(entry: TarEntry): Buffer {
  const type = entry.type ?? 'file';
  const content = type === 'file' ? Buffer.from(entry.content ?? '') : Buffer.alloc(0);
  const name = Buffer.from(type === 'directory' ? appendSlash(entry.path) : entry.path);
  const target = Buffer.from(entry.target ?? '');
  const records = listPaxRecords(entry, name, target);
  const header = encodeHeader({ ...entry, type, name, target, size: content.length });
  const body = padToBlock(content);
  if (records.length === 0) return Buffer.concat([header, body]);
  const pax = Buffer.concat(records);
  const paxHeader = encodeHeader({
    name: Buffer.from('PaxHeaders/x'),
    target: Buffer.alloc(0),
    size: pax.length,
    flag: 'x',
  });
  return Buffer.concat([paxHeader, padToBlock(pax), header, body]);
}

function appendSlash(path: string | Buffer): Buffer {
  const bytes = Buffer.from(path);
  return bytes.at(-1) === 0x2f ? bytes : Buffer.concat([bytes, Buffer.from('/')]);
}

function listPaxRecords(entry: TarEntry, name: Buffer, target: Buffer): Buffer[] {
  const records: Buffer[] = [];
  if (name.length > 100) records.push(encodePaxRecord('path', name));
  if (target.length > 100) records.push(encodePaxRecord('linkpath', target));
  if ((entry.uid ?? 0) > MAX_OCTAL_8) records.push(encodePaxRecord('uid', Buffer.from(String(entry.uid))));
  if ((entry.gid ?? 0) > MAX_OCTAL_8) records.push(encodePaxRecord('gid', Buffer.from(String(entry.gid))));
  for (const [key, value] of Object.entries(entry.xattrs ?? {})) {
    records.push(encodePaxRecord(`SCHILY.xattr.${key}`, Buffer.from(value)));
  }
  return records;
}

/** The length in front counts itself. */
function encodePaxRecord(key: string, value: Buffer): Buffer {
  const tail = Buffer.concat([Buffer.from(` ${key}=`), value, Buffer.from('\n')]);
  let length = tail.length + 1;
  while (String(length).length + tail.length !== length) length = String(length).length + tail.length;
  return Buffer.concat([Buffer.from(String(length)), tail]);
}

interface HeaderFields {
  readonly name: Buffer;
  readonly target: Buffer;
  readonly size: number;
  readonly flag?: string;
  readonly type?: TarEntryType;
  readonly mode?: number;
  readonly uid?: number;
  readonly gid?: number;
  readonly mtime?: number;
  readonly rdev?: readonly [number, number];
}

function encodeHeader(fields: HeaderFields): Buffer {
  const header = Buffer.alloc(BLOCK);
  const type = fields.type ?? 'file';
  fields.name.copy(header, 0, 0, 100);
  writeOctal(header, 100, 8, fields.mode ?? DEFAULT_MODES[type] ?? 0o644);
  writeOctal(header, 108, 8, Math.min(fields.uid ?? 0, MAX_OCTAL_8));
  writeOctal(header, 116, 8, Math.min(fields.gid ?? 0, MAX_OCTAL_8));
  writeOctal(header, 124, 12, fields.size);
  writeOctal(header, 136, 12, fields.mtime ?? 1_700_000_000);
  header.write(fields.flag ?? TYPE_FLAGS[type], 156, 'latin1');
  fields.target.copy(header, 157, 0, 100);
  header.write('ustar\x0000', 257, 'latin1');
  writeOctal(header, 329, 8, fields.rdev?.[0] ?? 0);
  writeOctal(header, 337, 8, fields.rdev?.[1] ?? 0);
  header.fill(' ', 148, 156);
  const sum = header.reduce((total, byte) => total + byte, 0);
  header.write(`${sum.toString(8).padStart(6, '0')}\0 `, 148, 'latin1');
  return header;
}

function writeOctal(header: Buffer, at: number, width: number, value: number): void {
  header.write(`${value.toString(8).padStart(width - 1, '0')}\0`, at, 'latin1');
}

function padToBlock(content: Buffer): Buffer {
  const rest = content.length % BLOCK;
  return rest === 0 ? content : Buffer.concat([content, Buffer.alloc(BLOCK - rest)]);
}

/** Entries of a directory tree, parents first, names sorted by bytes. Devices and sockets are left out. */
export async function* listTarEntries(directory: string): AsyncGenerator<TarEntry> {
  const firstPaths = new Map<string, Buffer>();
  const pending: Buffer[] = [Buffer.from('')];
  for (let path = pending.pop(); path !== undefined; path = pending.pop()) {
    const full = path.length === 0 ? Buffer.from(directory) : Buffer.concat([Buffer.from(`${directory}/`), path]);
    const stat = await lstat(full);
    if (path.length > 0) {
      const entry = await readTarEntry(full, path, stat, firstPaths);
      if (entry !== undefined) yield entry;
    }
    if (!stat.isDirectory()) continue;
    const names = await readdir(full, { encoding: 'buffer' });
    const prefix = path.length === 0 ? Buffer.from('') : Buffer.concat([path, Buffer.from('/')]);
    for (const name of names.sort((a, b) => Buffer.compare(b, a))) pending.push(Buffer.concat([prefix, name]));
  }
}

async function readTarEntry(
  full: Buffer,
  path: Buffer,
  stat: Awaited<ReturnType<typeof lstat>>,
  firstPaths: Map<string, Buffer>,
): Promise<TarEntry | undefined> {
  const common = {
    path,
    mode: Number(stat.mode) & 0o7777,
    uid: Number(stat.uid),
    gid: Number(stat.gid),
    mtime: Math.max(0, Math.floor(Number(stat.mtimeMs) / 1000)),
  };
  if (stat.isDirectory()) return { ...common, type: 'directory' };
  if (stat.isSymbolicLink())
    return { ...common, type: 'symlink', target: await readlink(full, { encoding: 'buffer' }) };
  if (!stat.isFile()) return undefined;
  const first = firstPaths.get(String(stat.ino));
  if (first !== undefined) return { ...common, type: 'hardlink', target: first };
  if (Number(stat.nlink) > 1) firstPaths.set(String(stat.ino), path);
  return { ...common, type: 'file', content: await readFile(full) };
}

/** Entries of one program with its busybox names, the smallest root file system that runs. */
export async function listBusyboxEntries(busybox = '/bin/busybox'): Promise<TarEntry[]> {
  const names = [
    'sh',
    'cat',
    'chmod',
    'cp',
    'echo',
    'kill',
    'ln',
    'ls',
    'mkdir',
    'mv',
    'rm',
    'rmdir',
    'sleep',
    'touch',
  ];
  return [
    { path: 'bin', type: 'directory' },
    { path: 'bin/busybox', content: await readFile(busybox), mode: 0o755 },
    ...names.map((name): TarEntry => ({ path: join('bin', name), type: 'symlink', target: 'busybox' })),
    { path: 'etc', type: 'directory' },
    { path: 'etc/passwd', content: 'root:x:0:0:root:/root:/bin/sh\n' },
    { path: 'proc', type: 'directory' },
    { path: 'sys', type: 'directory' },
    { path: 'dev', type: 'directory' },
    { path: 'run', type: 'directory' },
    { path: 'tmp', type: 'directory', mode: 0o1777 },
    { path: 'var', type: 'directory' },
  ];
}
