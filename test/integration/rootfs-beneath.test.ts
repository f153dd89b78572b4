import assert from 'node:assert/strict';
import { execFileSync, spawnSync } from 'node:child_process';
import { mkdirSync, symlinkSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { test } from 'node:test';
import { capabilities, openRoot, RootfsError, type RootHandle } from '@holdfast/rootfs';
import { makeTree } from '../support/hostile-tree.ts';

// The same cases run twice: by openat2, and in a child process whose seccomp filter refuses it.
const WITHOUT_OPENAT2 = 'HOLDFAST_TEST_WITHOUT_OPENAT2';
const isChild = process.env[WITHOUT_OPENAT2] !== undefined;
const isRoot = process.getuid?.() === 0;
const needsRoot = isRoot ? false : 'needs root';

const path = (text: string): Buffer => Buffer.from(text);
const read = (root: RootHandle, text: string): string =>
  root.readFile(path(text), { maxBytes: 1000 }).content.toString();
const failsWith = (code: string) => (error: unknown) => error instanceof RootfsError && error.code === code;

function makeRoot(t: Parameters<typeof makeTree>[0]): { base: string; inside: string } {
  const base = makeTree(t);
  const inside = join(base, 'root');
  mkdirSync(join(inside, 'a/b'), { recursive: true });
  writeFileSync(join(base, 'secret'), 'outside');
  writeFileSync(join(inside, 'secret'), 'inside');
  writeFileSync(join(inside, 'a/b/file'), 'deep');
  return { base, inside };
}

test('openat2 is what this run says it is', () => {
  assert.equal(capabilities().openat2.works, !isChild);
});

test('absolute links are resolved inside the root', (t) => {
  const { inside } = makeRoot(t);
  symlinkSync('/', join(inside, 'top'));
  symlinkSync('/a/b', join(inside, 'a/jump'));
  using root = openRoot(inside);
  assert.equal(read(root, 'top/secret'), 'inside');
  assert.equal(read(root, 'a/jump/file'), 'deep');
  assert.equal(read(root, '/top/top/top/a/jump/file'), 'deep');
});

test('links with .. stop at the root', (t) => {
  const { inside } = makeRoot(t);
  symlinkSync('../../../../../../..', join(inside, 'up'));
  symlinkSync('../../../a/../a/b/..', join(inside, 'a/round'));
  using root = openRoot(inside);
  assert.equal(read(root, 'up/secret'), 'inside');
  assert.equal(read(root, 'a/round/b/file'), 'deep');
  assert.equal(root.lstat(path('up/etc/passwd')), undefined);
});

test('a link to a directory outside leads nowhere', (t) => {
  const { base, inside } = makeRoot(t);
  symlinkSync(base, join(inside, 'out'));
  using root = openRoot(inside);
  assert.equal(root.lstat(path('out/secret')), undefined);
  assert.throws(() => read(root, 'out/secret'), failsWith('ERR_ROOTFS_NOT_FOUND'));
});

test('the last part is never followed, with a slash or a dot after it neither', (t) => {
  const { inside } = makeRoot(t);
  symlinkSync('secret', join(inside, 'link'));
  symlinkSync('a', join(inside, 'dirlink'));
  using root = openRoot(inside);
  assert.equal(root.lstat(path('link'))?.type, 'symlink');
  assert.equal(root.lstat(path('dirlink/'))?.type, 'symlink');
  assert.equal(root.lstat(path('dirlink/.//'))?.type, 'symlink');
  assert.throws(() => read(root, 'link'), failsWith('ERR_ROOTFS_TYPE'));
  assert.throws(() => root.list(path('dirlink/'), 10), failsWith('ERR_ROOTFS_TYPE'));
  assert.deepEqual(root.readLink(path('dirlink')), path('a'));
  assert.throws(() => root.readLink(path('secret')), failsWith('ERR_ROOTFS_TYPE'));
});

test('loops and chains of more than 40 links end', (t) => {
  const { inside } = makeRoot(t);
  symlinkSync('loop', join(inside, 'loop'));
  symlinkSync('/pong', join(inside, 'ping'));
  symlinkSync('/ping', join(inside, 'pong'));
  symlinkSync('a', join(inside, 'chain0'));
  for (let i = 1; i <= 50; i += 1) symlinkSync(`chain${i - 1}`, join(inside, `chain${i}`));
  using root = openRoot(inside);
  assert.throws(() => root.lstat(path('loop/x')), failsWith('ERR_ROOTFS_ESCAPE'));
  assert.throws(() => root.lstat(path('ping/x')), failsWith('ERR_ROOTFS_ESCAPE'));
  assert.throws(() => root.lstat(path('chain50/b')), failsWith('ERR_ROOTFS_ESCAPE'));
  assert.equal(read(root, 'chain30/b/file'), 'deep');
});

test('with parent links refused such a path leads nowhere, and the link itself is still seen', (t) => {
  const { inside } = makeRoot(t);
  symlinkSync('a', join(inside, 'link'));
  using root = openRoot(inside, { parentLinks: 'refuse' });
  assert.equal(root.lstat(path('link/b')), undefined);
  assert.equal(root.lstat(path('link'))?.type, 'symlink');
  assert.equal(read(root, 'a/b/file'), 'deep');
  assert.throws(() => read(root, 'link/b/file'), failsWith('ERR_ROOTFS_NOT_FOUND'));
});

test('magic links of /proc are not followed', { skip: needsRoot }, (t) => {
  const { inside } = makeRoot(t);
  using proc = openRoot('/proc');
  for (const magic of ['self/root/etc/passwd', 'self/cwd/package.json', `${process.pid}/root/etc/passwd`]) {
    assert.throws(() => read(proc, magic), RootfsError, magic);
  }
  assert.equal(proc.lstat(path(`${process.pid}/exe`))?.type, 'symlink');
  mkdirSync(join(inside, 'proc'));
  execFileSync('mount', ['-t', 'proc', 'proc', join(inside, 'proc')]);
  try {
    using root = openRoot(inside);
    assert.throws(() => read(root, 'proc/self/root/secret'), failsWith('ERR_ROOTFS_ESCAPE'));
    assert.throws(() => root.lstat(path('proc')), failsWith('ERR_ROOTFS_ESCAPE'));
  } finally {
    execFileSync('umount', [join(inside, 'proc')]);
  }
});

test('mounts below the root are not entered, of another file system or the same', { skip: needsRoot }, (t) => {
  const { base, inside } = makeRoot(t);
  mkdirSync(join(inside, 'tmpfs'));
  mkdirSync(join(inside, 'bind'));
  writeFileSync(join(inside, 'filebind'), 'own');
  const mounts: string[][] = [
    ['-t', 'tmpfs', 'none', join(inside, 'tmpfs')],
    ['--bind', base, join(inside, 'bind')],
    ['--bind', join(base, 'secret'), join(inside, 'filebind')],
  ];
  for (const mount of mounts) execFileSync('mount', mount);
  try {
    using root = openRoot(inside);
    for (const mounted of ['tmpfs', 'bind', 'bind/secret', 'filebind']) {
      assert.throws(() => root.lstat(path(mounted)), failsWith('ERR_ROOTFS_ESCAPE'), mounted);
    }
    assert.throws(() => read(root, 'filebind'), failsWith('ERR_ROOTFS_ESCAPE'));
    const problems = new Map<string, string | undefined>();
    root.walk(path(''), { maxEntries: 100, maxDepth: 10, hashFiles: true, maxFileBytes: 100 }, (entries) => {
      for (const entry of entries) problems.set(entry.path.toString(), entry.problem);
    });
    assert.deepEqual(
      [...problems].filter(([, problem]) => problem !== undefined),
      [
        ['bind', 'mount'],
        ['filebind', 'mount'],
        ['tmpfs', 'mount'],
      ],
    );
    assert.ok(!problems.has('bind/secret'));
  } finally {
    for (const mount of mounts) execFileSync('umount', [mount.at(-1) ?? '']);
  }
});

test('paths above PATH_MAX are opened in pieces', (t) => {
  const base = makeTree(t);
  const name = 'd'.repeat(200);
  const deep = Array.from({ length: 40 }, () => name);
  execFileSync('/usr/bin/python3', [
    '-c',
    `import os,sys
os.chdir(sys.argv[1])
for _ in range(40):
    os.mkdir('${name}'); os.chdir('${name}')
open('end','w').write('bottom'); os.symlink('${name}', '../link')`,
    base,
  ]);
  t.after(() => execFileSync('rm', ['-rf', join(base, name)]));
  using root = openRoot(base);
  assert.equal(read(root, [...deep, 'end'].join('/')), 'bottom');
  assert.equal(read(root, `//./${[...deep, '.', 'end'].join('/./')}/`), 'bottom');
  assert.equal(root.lstat(path([...deep.slice(1), 'end'].join('/'))), undefined);
  const throughLink = [...deep.slice(0, -1), 'link', 'end'].join('/');
  // Links in a path that long are refused by openat2's pieces and resolved by the other way: never outside, though.
  assert.equal(root.lstat(path(throughLink))?.type, isChild ? 'file' : undefined);
  assert.equal(root.lstat(path('x'.repeat(5000))), undefined);
  assert.equal(root.lstat(path('x'.repeat(300))), undefined);
});

test('paths are refused before anything is opened', (t) => {
  const { inside } = makeRoot(t);
  using root = openRoot(inside);
  for (const wrong of ['..', 'a/..', '../secret', 'a/../..', '/..']) {
    assert.throws(() => root.lstat(path(wrong)), TypeError, wrong);
  }
  assert.throws(() => root.lstat(Buffer.from([0x61, 0, 0x62])), TypeError);
  assert.throws(() => root.readFile(path('a'), { maxBytes: -1 }), TypeError);
  assert.equal(root.lstat(path(''))?.type, 'directory');
  assert.equal(root.lstat(path('/'))?.ino, root.lstat(path('.'))?.ino);
});

test('all of this holds where seccomp refuses openat2', { skip: isChild ? 'this is the child' : false }, () => {
  const filter = `
import ctypes, os, struct, sys
libc = ctypes.CDLL(None, use_errno=True)
code = b''.join(struct.pack('HBBI', *step) for step in [
    (0x20, 0, 0, 0), (0x15, 0, 1, 437), (0x06, 0, 0, 0x00050000 | int(sys.argv[1])), (0x06, 0, 0, 0x7fff0000)])
class Program(ctypes.Structure):
    _fields_ = [('length', ctypes.c_ushort), ('filter', ctypes.c_char_p)]
program = Program(4, code)
assert libc.prctl(38, 1, 0, 0, 0) == 0 and libc.prctl(22, 2, ctypes.byref(program)) == 0
os.execv(sys.argv[2], sys.argv[2:])`;
  for (const errno of ['38', '1']) {
    const run = spawnSync(
      '/usr/bin/python3',
      ['-c', filter, errno, process.execPath, '--test-reporter=tap', import.meta.filename],
      {
        env: { PATH: process.env['PATH'], [WITHOUT_OPENAT2]: '1' },
        encoding: 'utf8',
      },
    );
    assert.equal(run.status, 0, run.stdout + run.stderr);
    assert.match(run.stdout, /^# pass 1\d$/m);
    assert.match(run.stdout, /^# fail 0$/m);
  }
});
