import { execFile } from 'node:child_process';
import { access, mkdir, mkdtemp, readFile, rename, rm, truncate, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { promisify } from 'node:util';
import type { LayerSource, TarEntry } from '@holdfast/scripts';

export const run = promisify(execFile);

const CACHE = join(import.meta.dirname, '../../.cache/test-roots');

/** Path of the tar of a small Debian root, made once by mmdebstrap and kept in the checkout's cache. */
export async function cacheDebianRoot(): Promise<string> {
  const tar = join(CACHE, 'bookworm-minbase.tar');
  const isThere = await access(tar).then(
    () => true,
    () => false,
  );
  if (isThere) return tar;
  await mkdir(CACHE, { recursive: true });
  const part = join(CACHE, `part-${process.pid}.tar`);
  await run('mmdebstrap', ['--quiet', '--variant=minbase', 'bookworm', part], { maxBuffer: 1 << 26 });
  await rename(part, tar);
  return tar;
}

/** A directory of its own that is gone when the test ends. */
export async function makeTemporaryDirectory(test: { after(fn: () => Promise<void>): void }): Promise<string> {
  const directory = await mkdtemp(join(tmpdir(), 'holdfast-layer-'));
  test.after(() => rm(directory, { recursive: true, force: true, maxRetries: 3 }));
  return directory;
}

/** cap_net_raw=ep as the kernel stores it. */
export const CAPABILITY = Buffer.from('0100000200200000000000000000000000000000', 'hex');

/** Everything that a lower layer of the test image holds and that the upper one works on. */
const LOWER: readonly TarEntry[] = [
  { path: 'usr', type: 'directory' },
  { path: 'usr/lib', type: 'directory', mode: 0o751, uid: 3, gid: 4 },
  { path: 'usr/lib/a', content: 'lower a' },
  { path: 'lib', type: 'symlink', target: 'usr/lib' },
  { path: 'etc/conf', content: 'lower conf' },
  { path: 'etc/gone', content: 'removed above' },
  { path: 'opaque/old', content: 'hidden above' },
  { path: 'opaque/deep/old', content: 'hidden above' },
  { path: 'tree/x/y', content: 'removed as a tree' },
  { path: 'turns', type: 'directory', mode: 0o700 },
  { path: 'turns/old', content: 'directory becomes file' },
  { path: 'back', content: 'file becomes directory' },
  { path: 'again/kept', content: 'seen through a directory that came back' },
];

const UPPER: readonly TarEntry[] = [
  { path: '.', type: 'directory', mode: 0o711 },
  { path: 'd', type: 'directory', mode: 0o700, uid: 5, gid: 6 },
  { path: 'd/suid', content: 'suid', mode: 0o4755 },
  { path: 'd/suid2', type: 'hardlink', target: 'd/suid', mode: 0o4755 },
  { path: 'd/cap', content: 'cap', mode: 0o755, xattrs: { 'security.capability': CAPABILITY } },
  {
    path: 'd/linkedcap',
    content: 'cap',
    mode: 0o755,
    xattrs: { 'security.capability': CAPABILITY, 'user.x': Buffer.from([0x80, 0xff, 0]) },
  },
  { path: 'd/linkedcap2', type: 'hardlink', target: 'd/linkedcap', mode: 0o755 },
  { path: 'd/fifo', type: 'fifo' },
  { path: 'd/null', type: 'char', rdev: [1, 3], mode: 0o666 },
  { path: 'd/loop', type: 'block', rdev: [7, 0], mode: 0o660, gid: 6 },
  { path: 'd/sym', type: 'symlink', target: 'suid', uid: 9 },
  { path: 'd/symhard', type: 'hardlink', target: 'd/sym', uid: 9 },
  { path: Buffer.from([0x64, 0x2f, 0xff, 0xfe, 0x25]), content: 'a name that is no UTF-8' },
  { path: `d/${'long'.repeat(50)}`, content: 'long', uid: 3_000_000, gid: 2_500_000 },
  { path: 'd/empty' },
  { path: 'd/twice', content: 'first', mode: 0o600 },
  { path: 'd/twice', content: 'second one' },
  { path: 'd/device-whiteout', type: 'char', rdev: [0, 0], mode: 0o644 },
  { path: 'd/sticky', type: 'directory', mode: 0o1777 },
  { path: 'd/sticky', content: 'a file replaces a directory' },
  { path: 'etc/.wh.gone' },
  { path: 'etc/.wh.never-there', uid: 4 },
  { path: 'etc/new/implicit', content: 'parents that nobody named' },
  { path: 'opaque/.wh..wh..opq' },
  { path: 'opaque/new', content: 'new' },
  { path: '.wh.tree' },
  { path: 'turns', content: 'a file now' },
  { path: 'back', type: 'directory' },
  { path: 'back/inside', content: 'inside' },
  { path: '.wh.again' },
  { path: 'again', type: 'directory' },
  { path: 'lib/real', content: 'a real directory hides the link' },
  { path: 'ln', type: 'symlink', target: '/d' },
  { path: 'ln/through', content: 'through a link of the same layer' },
  { path: 'x/../d/dots', content: 'dots' },
];

/** Two layers with all that overlay rules and tars know, and three sparse ones by GNU tar. */
export async function listTestLayers(work: string): Promise<LayerSource[]> {
  const sparse = await Promise.all([
    makeSparseTar(work, 'pax00', ['--format=posix', '--sparse-version=0.0']),
    makeSparseTar(work, 'pax01', ['--format=posix', '--sparse-version=0.1']),
    makeSparseTar(work, 'pax10', ['--format=posix', '--sparse-version=1.0']),
  ]);
  return [{ entries: LOWER }, { entries: UPPER }, ...sparse.map((tar) => ({ tar }))];
}

/** A layer in GNU's own sparse format, which containerd refuses and others unpack. */
export async function makeGnuSparseTar(work: string): Promise<{ tar: Buffer; directory: string }> {
  return { tar: await makeSparseTar(work, 'gnu', ['--format=gnu']), directory: join(work, 'sparse-gnu') };
}

async function makeSparseTar(work: string, name: string, flags: readonly string[]): Promise<Buffer> {
  const directory = join(work, `sparse-${name}`);
  const file = join(directory, `${name}-${'n'.repeat(120)}`);
  await mkdir(directory, { recursive: true });
  await writeFile(file, 'start');
  for (const offset of [1 << 20, 3 << 20, 5 << 20, 7 << 20, 9 << 20, 11 << 20]) {
    await writeFile(file, Buffer.from(`at ${offset}`), { flag: 'r+' });
    await run('dd', [
      `if=/etc/hostname`,
      `of=${file}`,
      `seek=${offset}`,
      'oflag=seek_bytes',
      'conv=notrunc',
      'status=none',
    ]);
  }
  await truncate(file, 16 << 20);
  await writeFile(join(directory, `${name}-hole`), '');
  await truncate(join(directory, `${name}-hole`), 1 << 20);
  const tar = join(work, `${name}.tar`);
  await run('tar', ['--sparse', '--hole-detection=raw', ...flags, '-C', directory, '-cf', tar, '.']);
  return await readFile(tar);
}
