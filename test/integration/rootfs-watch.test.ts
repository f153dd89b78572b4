import assert from 'node:assert/strict';
import { execFile, execFileSync, spawnSync } from 'node:child_process';
import {
  mkdirSync,
  mkdtempSync,
  readdirSync,
  readFileSync,
  realpathSync,
  rmdirSync,
  rmSync,
  writeFileSync,
} from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { after, before, type TestContext, test } from 'node:test';
import { setTimeout as sleep } from 'node:timers/promises';
import { promisify } from 'node:util';
import { type FanotifyEventKind, type FanotifyWatch, RootfsError, watchFilesystem } from '@holdfast/rootfs';
import { makeTree } from '../support/hostile-tree.ts';

const skip = process.getuid?.() === 0 ? false : 'needs root';
const failsWith = (code: string) => (error: unknown) => error instanceof RootfsError && error.code === code;

/** What a watch told so far: the kinds by directory and path, merged. */
class Log {
  readonly kinds = new Map<string, Set<FanotifyEventKind>>();
  readonly muted = new Map<string, number>();
  overflows = 0;
  batches = 0;

  watch(paths: string[], batchMs = 5): FanotifyWatch {
    return watchFilesystem({ paths, batchMs }, ({ events, muted, overflow, error }) => {
      if (error !== undefined) throw error;
      this.batches += 1;
      if (overflow) this.overflows += 1;
      for (const { directory, count } of muted) this.muted.set(directory, (this.muted.get(directory) ?? 0) + count);
      for (const event of events) {
        const key = join(event.directory, event.path);
        const known = this.kinds.get(key) ?? new Set();
        for (const kind of event.kinds) known.add(kind);
        this.kinds.set(key, known);
      }
    });
  }

  /** Waits until something was told of a path. */
  async until(path: string, ...kinds: FanotifyEventKind[]): Promise<void> {
    const isTold = (told: string) => told === path && kinds.every((kind) => this.kinds.get(path)?.has(kind));
    await this.untilOne(isTold, `${path} (${kinds.join()})`);
  }

  /** Waits until something was told of one such path. */
  async untilOne(isWanted: (path: string) => boolean, what: string): Promise<void> {
    const end = performance.now() + 10_000;
    while (![...this.kinds.keys()].some(isWanted)) {
      if (performance.now() > end || this.overflows > 0)
        assert.fail(`nothing of ${what} among ${[...this.kinds.keys()].join()}`);
      await sleep(2);
    }
  }
}

// A file system of their own: a watch is told of everything on its file system, and what others write there fills its queue.
const filesystem = mkdtempSync(join(tmpdir(), 'holdfast-watch-'));

before(() => {
  if (skip !== false) return;
  execFileSync('mount', ['-t', 'tmpfs', 'tmpfs', filesystem]);
  process.env['TMPDIR'] = filesystem;
});

after(() => {
  if (skip === false) execFileSync('umount', [filesystem]);
  rmdirSync(filesystem);
});

function testTold(name: string, body: (t: TestContext, log: Log) => Promise<void>): void {
  test(name, { skip }, (t) => body(t, new Log()));
}

/** Runs shell lines as another process: what this one does itself is never told. */
function run(script: string): void {
  execFileSync('sh', ['-ec', script]);
}

interface Overlay {
  readonly lower: string;
  readonly upper: string;
  readonly merged: string;
}

function mountOverlay(t: TestContext): Overlay {
  const base = realpathSync(mkdtempSync(join(tmpdir(), 'holdfast-overlay-')));
  const [lower, upper, work, merged] = ['lower', 'upper', 'work', 'merged'].map((name) => join(base, name));
  assert.ok(lower !== undefined && upper !== undefined && work !== undefined && merged !== undefined);
  for (const directory of [lower, upper, work, merged]) mkdirSync(directory);
  mkdirSync(join(lower, 'etc'));
  writeFileSync(join(lower, 'etc/passwd'), 'root');
  writeFileSync(join(lower, 'etc/shadow'), 'root');
  const options = `lowerdir=${lower},upperdir=${upper},workdir=${work}`;
  execFileSync('mount', ['-t', 'overlay', 'overlay', '-o', options, merged]);
  t.after(() => {
    execFileSync('umount', [merged]);
    rmSync(base, { recursive: true, force: true });
  });
  return { lower, upper, merged };
}

function watchThreads(): number {
  const tasks = readdirSync('/proc/self/task');
  return tasks.filter((task) => readFileSync(`/proc/self/task/${task}/comm`, 'utf8').trim() === 'rootfs-watch').length;
}

/** A thread that was joined may stay in /proc for a moment. */
async function allThreadsGone(): Promise<void> {
  for (let tries = 0; tries < 20 && watchThreads() > 0; tries += 1) await sleep(5);
  assert.equal(watchThreads(), 0);
}

testTold('changes made through an overlay mount are told with the path in its upper directory', async (t, log) => {
  const { upper, merged } = mountOverlay(t);
  using _watch = log.watch([upper]);
  run(`mkdir ${merged}/new && echo 1 > ${merged}/new/file`);
  await log.until(`${upper}/new`, 'create');
  await log.until(`${upper}/new/file`, 'create', 'modify', 'closeWrite');
  run(`mv ${merged}/new/file ${merged}/new/renamed`);
  await log.until(`${upper}/new/file`, 'movedFrom');
  await log.until(`${upper}/new/renamed`, 'movedTo');
  run(`chmod 4755 ${merged}/new/renamed`);
  await log.until(`${upper}/new/renamed`, 'attributes');
  run(`rm ${merged}/new/renamed`);
  await log.until(`${upper}/new/renamed`, 'delete');
  run(`echo more >> ${merged}/etc/passwd`);
  await log.until(`${upper}/etc/passwd`);
  run(`rm ${merged}/etc/shadow`);
  await log.until(`${upper}/etc/shadow`);
  assert.equal(log.overflows, 0);
  for (const path of log.kinds.keys()) assert.ok(path.startsWith(upper), path);
});

testTold(
  'writes to muted names are counted, all else about them is told; after unmute writes are told too',
  async (t, log) => {
    const { upper, merged } = mountOverlay(t);
    run(`mkdir ${merged}/log; echo 1 > ${merged}/log/a; echo 1 > ${merged}/log/b; echo 1 > ${merged}/top`);
    using watch = log.watch([upper]);
    watch.mute(upper, ['log/a', 'top']);
    watch.mute('/nonexistent', ['log/b']);
    run(`echo 2 >> ${merged}/log/a; echo 2 >> ${merged}/top; echo 2 >> ${merged}/log/b`);
    await log.until(`${upper}/log/b`, 'modify', 'closeWrite');
    assert.deepEqual([...log.kinds.keys()], [`${upper}/log/b`]);
    assert.ok((log.muted.get(upper) ?? 0) >= 2);
    run(`chmod 600 ${merged}/log/a; mv ${merged}/top ${merged}/moved`);
    await log.until(`${upper}/log/a`, 'attributes');
    await log.until(`${upper}/top`, 'movedFrom');
    assert.equal(log.kinds.get(`${upper}/log/a`)?.has('modify'), false);
    watch.unmute(upper);
    run(`echo 3 >> ${merged}/log/a`);
    await log.until(`${upper}/log/a`, 'modify');
  },
);

testTold('what is executed is told, through an overlay mount also after it is gone', async (t, log) => {
  const { upper, merged } = mountOverlay(t);
  using _watch = log.watch([upper]);
  run(`printf '#!/bin/sh\\ntrue\\n' > ${merged}/kept && chmod 755 ${merged}/kept && cp ${merged}/kept ${merged}/gone`);
  run(`cat ${merged}/kept > /dev/null; ${merged}/gone; rm ${merged}/gone`);
  await log.until(`${upper}/gone`, 'execute', 'delete');
  assert.ok(log.kinds.get(`${upper}/kept`)?.has('execute') === false);
  run(`${upper}/kept`);
  await log.until(`${upper}/kept`, 'execute');
});

testTold('after a directory is renamed what is below it has the new path', async (t, log) => {
  const upper = realpathSync(makeTree(t));
  using _watch = log.watch([upper]);
  run(`mkdir -p ${upper}/one/deep && echo 1 > ${upper}/one/deep/a`);
  await log.until(`${upper}/one/deep/a`);
  run(`mv ${upper}/one ${upper}/two && echo 1 > ${upper}/two/deep/b`);
  await log.until(`${upper}/two/deep/b`);
  assert.ok(!log.kinds.has(`${upper}/one/deep/b`));
  run(`echo 1 > "${upper}/two/x (deleted)"`);
  await log.until(`${upper}/two/x (deleted)`);
});

testTold('only watched directories are told about, and not what this process does', async (t, log) => {
  const base = realpathSync(makeTree(t));
  for (const name of ['a', 'ab', 'c', 'a/inner']) mkdirSync(join(base, name));
  using watch = log.watch([join(base, 'a'), join(base, 'a/inner')]);
  writeFileSync(join(base, 'a/own'), 'x');
  run(`echo 1 > ${base}/ab/no; echo 1 > ${base}/c/no; echo 1 > ${base}/a/yes; echo 1 > ${base}/a/inner/yes`);
  await log.until(`${base}/a/inner/yes`);
  assert.deepEqual([...log.kinds.keys()].toSorted(), [`${base}/a/inner/yes`, `${base}/a/yes`]);
  watch.add(join(base, 'c'));
  watch.add(join(base, 'c'));
  watch.remove(join(base, 'a'));
  watch.remove(join(base, 'never'));
  log.kinds.clear();
  run(`echo 1 > ${base}/a/gone; chmod 700 ${base}/c; echo 1 > ${base}/c/now`);
  await log.until(`${base}/c/now`);
  await log.until(`${base}/c`, 'attributes');
  assert.ok(!log.kinds.has(`${base}/a/gone`));
  watch.remove(join(base, 'c'));
  watch.remove(join(base, 'a/inner'));
  watch.add(join(base, 'a'));
  run(`echo 1 > ${base}/a/again`);
  await log.until(`${base}/a/again`);
});

testTold('names are bytes, and a directory too deep to be named is told by an ancestor', async (t, log) => {
  const base = realpathSync(makeTree(t));
  using _watch = log.watch([base]);
  const program = `import os,sys
os.chdir(os.fsencode(sys.argv[1])); open(b'\\xff\\n' + b'x' * 200, 'w').close()
n = b'n' * 250
for i in range(40): os.mkdir(n); os.chdir(n)
open('bottom', 'w').close()`;
  execFileSync('/usr/bin/python3', ['-c', program, base]);
  t.after(() => execFileSync('rm', ['-rf', join(base, 'n'.repeat(250))]));
  await log.until(join(base, `\u00ff\n${'x'.repeat(200)}`), 'create');
  const isAncestor = (path: string) => path.length > 2000 && path.length < 4096;
  await log.untilOne(isAncestor, 'an ancestor');
  // What is told of a file that was made later comes after most of what there is of the bottom.
  run(`echo 1 > ${base}/last`);
  await log.until(join(base, 'last'));
  await sleep(50);
  assert.ok(![...log.kinds.keys()].some((path) => path.endsWith('bottom')));
});

test('thousands of events in a tree thousands deep do not hold up what is told of its neighbours', {
  skip,
}, async (t) => {
  const base = realpathSync(makeTree(t));
  for (const name of ['deep', 'neighbour']) mkdirSync(join(base, name));
  const log = new Log();
  using _watch = log.watch([join(base, 'deep'), join(base, 'neighbour')]);
  const program = `import os,sys
os.chdir(sys.argv[1])
for i in range(6000): os.mkdir('d'); os.chdir('d')
open(sys.argv[2], 'w').close()`;
  t.after(() => execFileSync('rm', ['-rf', join(base, 'deep/d')]));
  execFileSync('/usr/bin/python3', ['-c', program, join(base, 'deep'), join(base, 'neighbour/changed')]);
  const since = performance.now();
  const isTold = () => log.overflows > 0 || log.kinds.has(join(base, 'neighbour/changed'));
  while (!isTold() && performance.now() - since < 20_000) await sleep(20);
  assert.ok(isTold() && performance.now() - since < 3_000, `${performance.now() - since} ms`);
});

test('when more happens than the kernel queues, an overflow is told and the watch goes on', { skip }, async (t) => {
  const base = realpathSync(makeTree(t));
  const log = new Log();
  // A queue gets its length when it is made: short here, so that a slow disk still overflows it.
  const sysctl = '/proc/sys/fs/fanotify/max_queued_events';
  const usual = readFileSync(sysctl, 'utf8');
  writeFileSync(sysctl, '500');
  using _watch = ((): FanotifyWatch => {
    try {
      return log.watch([base], 1000);
    } finally {
      writeFileSync(sysctl, usual);
    }
  })();
  const program = `import os,sys
for i in range(2000): os.mknod(sys.argv[1] + '/%d' % i)`;
  execFileSync('/usr/bin/python3', ['-c', program, base]);
  const end = performance.now() + 15_000;
  while (log.overflows === 0 && performance.now() < end) await sleep(20);
  assert.ok(log.overflows > 0);
  // What was still queued may come as a further overflow, which takes the first of these along.
  const after = [1, 2, 3].map((at) => join(base, `after-${at}`));
  const isTold = () => after.some((path) => log.kinds.has(path));
  for (const path of after) {
    log.overflows = 0;
    run(`echo 1 > ${path}`);
    while (log.overflows === 0 && !isTold() && performance.now() < end) await sleep(20);
    if (isTold()) break;
  }
  assert.ok(isTold(), `${log.overflows} overflows`);
});

test('a slow consumer loses no event', { skip }, async (t) => {
  const base = realpathSync(makeTree(t));
  const seen = new Set<string>();
  using _watch = watchFilesystem({ paths: [base], batchMs: 0 }, ({ events }) => {
    for (const event of events) seen.add(event.path.toString());
    Atomics.wait(new Int32Array(new SharedArrayBuffer(4)), 0, 0, 5);
  });
  const program = `import os,sys,time
for i in range(300): os.mknod(sys.argv[1] + '/%d' % i); time.sleep(0.001)`;
  await promisify(execFile)('/usr/bin/python3', ['-c', program, base]);
  const end = performance.now() + 5000;
  while (seen.size < 300 && performance.now() < end) await sleep(5);
  assert.equal(seen.size, 300);
});

test('close ends the thread at once, and a watch works again after it', { skip }, async (t) => {
  const base = realpathSync(makeTree(t));
  const before = readdirSync('/proc/self/fd').length;
  for (let i = 0; i < 20; i += 1) {
    const log = new Log();
    using watch = log.watch([base]);
    run(`echo 1 > ${base}/file`);
    await log.until(`${base}/file`);
    assert.equal(watchThreads(), 1);
    const start = performance.now();
    watch.close();
    assert.ok(performance.now() - start < 200);
    watch.close();
    await allThreadsGone();
    const told = log.batches;
    run(`echo 1 > ${base}/late`);
    await sleep(1);
    assert.equal(log.batches, told);
    assert.throws(() => watch.add('/tmp/none'), failsWith('ERR_ROOTFS_CLOSED'));
  }
  const resting = new Log().watch([base], 10_000);
  run(`echo 1 > ${base}/file`);
  await sleep(20);
  const start = performance.now();
  resting.close();
  assert.ok(performance.now() - start < 200);
  assert.equal(readdirSync('/proc/self/fd').length, before);
});

test('what cannot be watched is refused by name and leaves no thread', { skip }, async (t) => {
  const { merged, upper } = mountOverlay(t);
  const watch = (paths: string[]): unknown => watchFilesystem({ paths }, () => {});
  assert.throws(() => watch([upper, '/nonexistent']), failsWith('ERR_ROOTFS_NOT_FOUND'));
  assert.throws(() => watch(['/proc/self']), RootfsError);
  assert.throws(() => watch(['relative']), TypeError);
  assert.throws(() => watchFilesystem(Object.assign({ paths: [] }, { path: [] }), () => {}), /unknown option path;/);
  assert.throws(() => watch([merged]), failsWith('ERR_ROOTFS_UNSUPPORTED'));
  await allThreadsGone();
});

test('a process and a worker thread end with a watch, a walk and hashes under way', { skip }, (t) => {
  const base = realpathSync(makeTree(t));
  writeFileSync(join(base, 'big'), Buffer.alloc(64 * 1024 * 1024));
  const busy = `
    import { openRoot, watchFilesystem } from '@holdfast/rootfs';
    const directory = ${JSON.stringify(base)};
    watchFilesystem({ paths: [directory] }, () => {});
    const root = openRoot(directory);
    root.hashFilesAsync(Array(20).fill(Buffer.from('big')), { maxBytes: 2 ** 30 }).catch(() => {});
    root.walkAsync(Buffer.alloc(0), { maxEntries: 100, maxDepth: 1, hashFiles: true, maxFileBytes: 2 ** 30 }).next();`;
  const inWorker = `
    import { Worker } from 'node:worker_threads';
    for (let i = 0; i < 5; i += 1) {
      const worker = new Worker(new URL('data:text/javascript,' + encodeURIComponent(${JSON.stringify(
        busy.replaceAll("'@holdfast/rootfs'", `'${import.meta.resolve('@holdfast/rootfs')}'`),
      )} + "\\nimport { parentPort } from 'node:worker_threads'; parentPort.postMessage(1);")));
      await new Promise((resolve, reject) => { worker.on('message', resolve); worker.on('error', reject); });
      await worker.terminate();
    }
    console.log('done');`;
  for (const program of [`${busy}\nconsole.log('done'); process.exit(0);`, inWorker]) {
    const ended = spawnSync(process.execPath, ['--input-type=module', '-e', program], {
      cwd: import.meta.dirname,
      encoding: 'utf8',
      timeout: 20_000,
    });
    assert.deepEqual([ended.status, ended.signal, ended.stdout], [0, null, 'done\n'], ended.stderr);
  }
});
