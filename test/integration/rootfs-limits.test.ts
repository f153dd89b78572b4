import assert from 'node:assert/strict';
import { execFileSync, spawn, spawnSync } from 'node:child_process';
import { once } from 'node:events';
import { existsSync, mkdirSync, mkdtempSync, openSync, rmSync, truncateSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { test } from 'node:test';
import { lowerThreadPriority, openRoot, RootfsError, setReadDeadline } from '@holdfast/rootfs';
import { makeTree } from '../support/hostile-tree.ts';

const GIB = 1024 ** 3;
const isTimeLimit = (error: unknown) =>
  error instanceof RootfsError && error.code === 'ERR_ROOTFS_LIMIT' && error.syscall === 'clock_gettime';

/** A file of nothing but a hole, which takes no room and minutes to read. */
function makeHole(directory: string, bytes: number): void {
  const path = join(directory, 'hole');
  openSync(path, 'w');
  truncateSync(path, bytes);
}

test('a deadline ends hashing, reading and walking, and is gone when it is taken away', (t) => {
  const base = makeTree(t);
  makeHole(base, 512 * GIB);
  writeFileSync(join(base, 'small'), 'x');
  using root = openRoot(base);
  const hole = Buffer.from('hole');
  const maxBytes = 1024 * GIB;
  const walk = { maxEntries: 10, maxDepth: 2, hashFiles: true, maxFileBytes: maxBytes };
  try {
    for (const read of [
      () => root.hashFile(hole, { maxBytes }),
      () => root.walk(Buffer.alloc(0), walk, () => undefined),
      () => root.readFile(hole, { maxBytes, length: 3 * GIB }),
    ]) {
      setReadDeadline(50);
      assert.throws(read, isTimeLimit);
    }
    assert.throws(() => root.list(Buffer.alloc(0), 10), isTimeLimit);
    setReadDeadline(undefined);
    assert.equal(root.readFile(Buffer.from('small'), { maxBytes: 1 }).content.toString(), 'x');
    assert.throws(() => setReadDeadline(0), TypeError);
  } finally {
    setReadDeadline(undefined);
  }
});

test('a thread that is ended while it reads leaves the process alive', (t) => {
  const base = makeTree(t);
  makeHole(base, GIB / 2);
  const worker = `
    const { openRoot } = await import(${JSON.stringify(import.meta.resolve('@holdfast/rootfs'))});
    const root = openRoot(${JSON.stringify(base)});
    (await import('node:worker_threads')).parentPort.postMessage('reading');
    for (;;) root.hashFile(Buffer.from('hole'), { maxBytes: ${GIB} });`;
  const program = `
    import { Worker } from 'node:worker_threads';
    for (let round = 0; round < 2; round += 1) {
      const worker = new Worker(${JSON.stringify(worker)}, { eval: true });
      await new Promise((resolve) => worker.once('message', resolve));
      await worker.terminate();
    }
    console.log('alive');`;
  const ended = spawnSync(process.execPath, ['--input-type=module', '-e', program], { timeout: 60_000 });
  assert.equal(ended.stdout.toString(), 'alive\n', ended.stderr.toString());
  assert.deepEqual([ended.status, ended.signal], [0, null]);
});

test('a thread takes the lowest rank at the disk, and only that thread', () => {
  const program = `
    const { lowerThreadPriority } = await import(${JSON.stringify(import.meta.resolve('@holdfast/rootfs'))});
    const { execFileSync } = await import('node:child_process');
    const ask = () => execFileSync('ionice', ['-p', String(process.pid)]).toString().trim();
    const before = ask();
    lowerThreadPriority('low');
    const low = ask();
    lowerThreadPriority('idle');
    console.log(JSON.stringify([before, low, ask()]));`;
  const ended = spawnSync(process.execPath, ['--input-type=module', '-e', program], { timeout: 60_000 });
  const [before, low, idle] = JSON.parse(ended.stdout.toString() || '[]');
  assert.notEqual(before, 'idle', ended.stderr.toString());
  assert.deepEqual([low, idle], ['best-effort: prio 7', 'idle']);
  assert.throws(() => Reflect.apply(lowerThreadPriority, undefined, ['high']), TypeError);
});

const needsFuse = existsSync('/dev/fuse') && process.getuid?.() === 0 ? false : 'needs root and /dev/fuse';

test('a file system that does not answer holds nobody who only looks at its root', { skip: needsFuse }, async (t) => {
  const base = mkdtempSync(join(tmpdir(), 'holdfast-silent-'));
  const silent = join(base, 'silent');
  mkdirSync(silent);
  const attacker = join(base, 'attacker');
  execFileSync('cc', ['-O2', '-o', attacker, join(import.meta.dirname, '../support/attacker.c')]);
  const child = spawn(attacker, ['silent', silent], { stdio: ['ignore', 'pipe', 'inherit'] });
  t.after(() => {
    // First what does not answer, then what would ask it.
    child.kill('SIGKILL');
    spawnSync('umount', ['--lazy', silent]);
    rmSync(base, { recursive: true, force: true });
  });
  await once(child.stdout, 'data');
  const look = (code: string) =>
    spawnSync(process.execPath, ['--input-type=module', '-e', code, silent], {
      timeout: 10_000,
      killSignal: 'SIGKILL',
    });
  const careful = look(`
    const { openRoot } = await import(${JSON.stringify(import.meta.resolve('@holdfast/rootfs'))});
    console.log(openRoot(process.argv[1]).lstat(Buffer.alloc(0)).type);`);
  assert.equal(careful.stdout.toString(), 'directory\n', careful.stderr.toString());
});
