import assert from 'node:assert/strict';
import { execFileSync } from 'node:child_process';
import { mkdirSync, readdirSync, renameSync, symlinkSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { type TestContext, test } from 'node:test';
import { openRoot, RootfsError, type WalkEntry, type WalkOptions } from '@holdfast/rootfs';
import { makeTree } from '../support/hostile-tree.ts';

const failsWith = (code: string) => (error: unknown) => error instanceof RootfsError && error.code === code;

const byBytes = (a: Buffer, b: Buffer): number => Buffer.compare(a, b);

function walkAll(base: string, options: Partial<WalkOptions> = {}, start = ''): WalkEntry[] {
  using root = openRoot(base);
  const all: WalkEntry[] = [];
  const limits = { maxEntries: 100_000, maxDepth: 100, ...options };
  root.walk(Buffer.from(start), limits, (entries) => all.push(...entries));
  return all;
}

/** Makes a directory as deep as asked, with a file in each level; Node's own calls end at PATH_MAX. */
function makeDeep(t: TestContext, depth: number): string {
  const base = makeTree(t);
  const program = `import os,sys
os.chdir(sys.argv[1])
for i in range(int(sys.argv[2])):
    open('a', 'w').close(); os.mkdir('d'); open('z', 'w').close(); os.chdir('d')`;
  execFileSync('/usr/bin/python3', ['-c', program, base, String(depth)]);
  t.after(() => execFileSync('rm', ['-rf', join(base, 'd')]));
  return base;
}

test('a walk gives every entry once, directories before their content, names sorted by bytes', (t) => {
  const base = makeTree(t);
  const names = ['B', 'a', 'a-', 'a.b', 'a0', 'ä', 'zz', '\u{10000}', '\uffee'];
  for (const name of names) {
    mkdirSync(join(base, name, 'sub'), { recursive: true });
    writeFileSync(join(base, name, 'sub', 'file'), name);
    symlinkSync(`target of ${name}`, join(base, name, 'link'));
  }
  const sorted = names.map((name) => Buffer.from(name)).sort(byBytes);
  const expected = sorted.flatMap((name) =>
    ['', '/link', '/sub', '/sub/file'].map((end) => `${name.toString()}${end}`),
  );
  const entries = walkAll(base);
  assert.deepEqual(
    entries.map((entry) => entry.path.toString()),
    expected,
  );
  assert.equal(entries.find((entry) => entry.path.toString() === 'zz/link')?.target?.toString(), 'target of zz');
  assert.equal(entries.find((entry) => entry.path.toString() === 'zz/sub/file')?.target, undefined);
  assert.deepEqual(
    walkAll(base, {}, '/zz//').map((entry) => entry.path.toString()),
    ['zz/link', 'zz/sub', 'zz/sub/file'],
  );
});

test('names of 255 bytes that are no UTF-8 come back byte by byte', (t) => {
  const base = makeTree(t);
  const names = [
    Buffer.alloc(255, 0xff),
    Buffer.from([0xc3, 0x28, 0x0a, 0x1b]),
    Buffer.from([0x80]),
    Buffer.from(' \n'),
  ];
  for (const name of names) writeFileSync(Buffer.concat([Buffer.from(`${base}/`), name]), 'x');
  using root = openRoot(base);
  const sorted = names.toSorted(byBytes);
  assert.deepEqual(
    walkAll(base).map((entry) => entry.path),
    sorted,
  );
  assert.deepEqual(root.list(Buffer.alloc(0), 4).sort(byBytes), sorted);
  for (const name of names) assert.equal(root.readFile(name, { maxBytes: 1 }).content.toString(), 'x');
});

test('more than one batch gives the same as one, in order', (t) => {
  const base = makeTree(t);
  for (let i = 0; i < 5000; i += 1) writeFileSync(join(base, `file-${String(i).padStart(5, '0')}`), '');
  using root = openRoot(base);
  const sizes: number[] = [];
  const names: string[] = [];
  root.walk(Buffer.alloc(0), { maxEntries: 5000, maxDepth: 1 }, (entries) => {
    sizes.push(entries.length);
    for (const entry of entries) names.push(entry.path.toString());
  });
  assert.ok(sizes.length >= 4 && Math.max(...sizes) <= 1024, String(sizes));
  assert.deepEqual(names, readdirSync(base).sort());
});

test('limits on entries and depth are errors, exact to one', (t) => {
  const base = makeTree(t);
  mkdirSync(join(base, 'a/b/c'), { recursive: true });
  for (let i = 0; i < 7; i += 1) writeFileSync(join(base, `a/b/f${i}`), '');
  assert.equal(walkAll(base, { maxEntries: 10, maxDepth: 3 }).length, 10);
  assert.throws(() => walkAll(base, { maxEntries: 9 }), failsWith('ERR_ROOTFS_LIMIT'));
  assert.throws(() => walkAll(base, { maxDepth: 2 }), failsWith('ERR_ROOTFS_LIMIT'));
  using root = openRoot(base);
  assert.equal(root.list(Buffer.from('a/b'), 8).length, 8);
  assert.throws(() => root.list(Buffer.from('a/b'), 7), failsWith('ERR_ROOTFS_LIMIT'));
});

test('a directory with more entries than allowed ends the walk before it is held in memory', (t) => {
  const base = makeTree(t);
  const program = `import os,sys
for i in range(100000): os.mknod(sys.argv[1] + '/%d' % i)`;
  execFileSync('/usr/bin/python3', ['-c', program, base]);
  const before = process.memoryUsage().rss;
  assert.throws(() => walkAll(base, { maxEntries: 1000 }), failsWith('ERR_ROOTFS_LIMIT'));
  assert.ok(process.memoryUsage().rss - before < 16 * 1024 * 1024);
  assert.equal(walkAll(base, { maxEntries: 100_000 }).length, 100_000);
});

test('a tree 4,000 deep is walked with a few descriptors, and one level too many is a limit', (t) => {
  const base = makeDeep(t, 4000);
  const open = (): number => readdirSync('/proc/self/fd').length;
  const before = open();
  using root = openRoot(base);
  let deepest = 0;
  let count = 0;
  let most = 0;
  root.walk(Buffer.alloc(0), { maxEntries: 12_000, maxDepth: 4001, hashFiles: true, maxFileBytes: 0 }, (entries) => {
    count += entries.length;
    most = Math.max(most, open() - before);
    for (const entry of entries) {
      deepest = Math.max(deepest, entry.path.length);
      assert.equal(entry.problem, undefined);
    }
  });
  assert.equal(count, 12_000);
  assert.equal(deepest, 4000 * 2 - 1);
  assert.ok(most > 10 && most < 60, `${most} descriptors`);
  assert.equal(open() - before, 1);
  assert.throws(() => walkAll(base, { maxEntries: 12_000, maxDepth: 3999 }), failsWith('ERR_ROOTFS_LIMIT'));
  assert.equal(root.lstat(Buffer.from(`${'d/'.repeat(3999)}z`))?.type, 'file');
});

test('paths beyond 64 KiB are a limit', (t) => {
  const base = makeTree(t);
  const program = `import os,sys
os.chdir(sys.argv[1]); n = 'n' * 250
for i in range(300): os.mkdir(n); os.chdir(n)`;
  execFileSync('/usr/bin/python3', ['-c', program, base]);
  t.after(() => execFileSync('rm', ['-rf', join(base, 'n'.repeat(250))]));
  assert.throws(() => walkAll(base, { maxDepth: 1000 }), failsWith('ERR_ROOTFS_LIMIT'));
});

test('a directory moved away from above an open deep walk ends it with an error', (t) => {
  const base = makeDeep(t, 100);
  const leaf = join(base, 'd/'.repeat(100));
  for (let i = 0; i < 2000; i += 1) writeFileSync(join(leaf, `file${i}`), '');
  mkdirSync(join(base, 'elsewhere'));
  using root = openRoot(base);
  const options = { maxEntries: 3000, maxDepth: 200 };
  let entries = 0;
  root.walk(Buffer.alloc(0), options, (batch) => {
    entries += batch.length;
  });
  assert.equal(entries, 300 + 2000 + 1);
  let moves = 0;
  const moveOnce = (): void => {
    // The first batch ends among the files of the deepest directory.
    if (moves === 0) renameSync(join(base, 'd/'.repeat(5)), join(base, 'elsewhere/d'));
    moves += 1;
  };
  assert.throws(() => root.walk(Buffer.alloc(0), options, moveOnce), failsWith('ERR_ROOTFS_CHANGED'));
  assert.ok(moves > 0);
});

test('what the consumer throws ends the walk and comes through', (t) => {
  const base = makeTree(t);
  for (let i = 0; i < 3000; i += 1) writeFileSync(join(base, `f${i}`), '');
  const before = readdirSync('/proc/self/fd').length;
  let calls = 0;
  const stop = new Error('enough');
  {
    using root = openRoot(base);
    const consume = (): void => {
      calls += 1;
      throw stop;
    };
    assert.throws(() => root.walk(Buffer.alloc(0), { maxEntries: 5000, maxDepth: 1 }, consume), stop);
  }
  assert.equal(calls, 1);
  assert.equal(readdirSync('/proc/self/fd').length, before);
});

test('a walk may be left early and several may run at once', async (t) => {
  const base = makeTree(t);
  for (let i = 0; i < 3000; i += 1) writeFileSync(join(base, `f${i}`), '');
  using root = openRoot(base);
  const options = { maxEntries: 5000, maxDepth: 1 };
  for await (const entries of root.walkAsync(Buffer.alloc(0), options)) {
    assert.ok(entries.length > 0);
    break;
  }
  const count = async (): Promise<number> => {
    let total = 0;
    for await (const entries of root.walkAsync(Buffer.alloc(0), options)) total += entries.length;
    return total;
  };
  assert.deepEqual(await Promise.all(Array.from({ length: 8 }, count)), Array(8).fill(3000));
});

test('walking no directory is an error of its own', (t) => {
  const base = makeTree(t);
  writeFileSync(join(base, 'file'), '');
  symlinkSync('/', join(base, 'link'));
  assert.throws(() => walkAll(base, {}, 'file'), failsWith('ERR_ROOTFS_TYPE'));
  assert.throws(() => walkAll(base, {}, 'link'), failsWith('ERR_ROOTFS_TYPE'));
  assert.throws(() => walkAll(base, {}, 'nothing'), failsWith('ERR_ROOTFS_NOT_FOUND'));
  assert.deepEqual(walkAll(makeTree(t)), []);
});
