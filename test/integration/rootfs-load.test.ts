import assert from 'node:assert/strict';
import { spawnSync } from 'node:child_process';
import { cpSync, mkdirSync, rmSync, symlinkSync, writeFileSync } from 'node:fs';
import { delimiter, join } from 'node:path';
import { type TestContext, test } from 'node:test';
import { makeTree } from '../support/hostile-tree.ts';

const checkout = join(import.meta.dirname, '../..');
const packageDirectory = join(checkout, 'native/rootfs');

/** A copy of the TypeScript where the compiler would put it, in a checkout of its own. */
function layOut(t: TestContext): string {
  const base = makeTree(t);
  cpSync(join(packageDirectory, 'src'), join(base, 'dist/native/rootfs/src'), { recursive: true });
  writeFileSync(join(base, 'package.json'), '{"type":"module"}');
  return base;
}

function open(base: string): string {
  const program = `
    const { openRoot } = await import(${JSON.stringify(join(base, 'dist/native/rootfs/src/index.ts'))});
    console.log('imported');
    try { console.log(openRoot('/').lstat(Buffer.from('etc')).type); } catch (error) { console.log(error.code, error.message); }`;
  const run = spawnSync(process.execPath, ['--input-type=module', '-e', program], { encoding: 'utf8' });
  assert.equal(run.status, 0, run.stderr);
  return run.stdout;
}

test('the compiled copy in dist finds the addon of the package', (t) => {
  const base = layOut(t);
  symlinkSync(join(checkout, 'native'), join(base, 'native'));
  assert.equal(open(base), 'imported\ndirectory\n');
});

test('a missing package, a missing or a broken addon is an error that says what to do, at first use', (t) => {
  const base = layOut(t);
  assert.match(open(base), /^imported\nERR_ROOTFS_NATIVE no package @holdfast\/rootfs is found/);
  mkdirSync(join(base, 'native/rootfs/build/Release'), { recursive: true });
  cpSync(join(packageDirectory, 'package.json'), join(base, 'native/rootfs/package.json'));
  assert.match(
    open(base),
    /^imported\nERR_ROOTFS_NATIVE .*rootfs\.node is not built: run native\/rootfs\/scripts\/build/,
  );
  writeFileSync(join(base, 'native/rootfs/build/Release/rootfs.node'), 'no library');
  assert.match(
    open(base),
    /^imported\nERR_ROOTFS_NATIVE .*rootfs\.node does not load .*run native\/rootfs\/scripts\/build/,
  );
});

test('building without a compiler says which package brings it', (t) => {
  const base = makeTree(t);
  const tools = join(base, 'bin');
  mkdirSync(tools);
  for (const tool of ['sh', 'dirname', 'uname', 'cut', 'find', 'sort', 'xargs', 'sha256sum', 'cat']) {
    const found = (process.env['PATH'] ?? '').split(delimiter).concat('/bin', '/usr/bin');
    const from = found.find((directory) => spawnSync('test', ['-x', join(directory, tool)]).status === 0);
    assert.ok(from !== undefined, tool);
    symlinkSync(join(from, tool), join(tools, tool));
  }
  for (const part of ['native', 'scripts', 'binding.gyp', 'package.json']) {
    cpSync(join(packageDirectory, part), join(base, 'native/rootfs', part), { recursive: true });
  }
  symlinkSync(join(checkout, 'node_modules'), join(base, 'node_modules'));
  const built = spawnSync(join(base, 'native/rootfs/scripts/build'), { env: { PATH: tools }, encoding: 'utf8' });
  rmSync(join(base, 'node_modules'));
  assert.equal(built.status, 1);
  assert.match(built.stderr, /^rootfs: g\+\+ is missing: apt-get install g\+\+ make python3/);
  assert.equal(built.stdout, '');
});
