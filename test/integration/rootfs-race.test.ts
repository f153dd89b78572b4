import assert from 'node:assert/strict';
import { mkdirSync, symlinkSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { test } from 'node:test';
import { openRoot, RootfsError } from '@holdfast/rootfs';
import { ATTACKER_PRELUDE, makeTree, startAttacker } from '../support/hostile-tree.ts';

const ROUND_MS = 1500;
const LIMITS = { maxEntries: 1000, maxDepth: 20, hashFiles: true, maxFileBytes: 1000, xattrs: ['*'] };
const OUTSIDE = 'outside: the host must never be read';

function runFor(ms: number, step: () => void): number {
  const end = performance.now() + ms;
  let rounds = 0;
  for (; performance.now() < end; rounds += 1) step();
  return rounds;
}

/** What the step returns, or undefined where it failed as it may in a race; any other failure is thrown. */
function attempt<T>(step: () => T): T | undefined {
  try {
    return step();
  } catch (error) {
    if (error instanceof RootfsError && error.code !== 'ERR_ROOTFS_SYSTEM') return undefined;
    throw error;
  }
}

test('a directory that turns into a link to the host and back is never read outside the root', async (t) => {
  const base = makeTree(t);
  mkdirSync(join(base, 'host/sub'), { recursive: true });
  writeFileSync(join(base, 'host/file'), OUTSIDE);
  writeFileSync(join(base, 'host/sub/outside-name'), OUTSIDE);
  mkdirSync(join(base, 'root/dir/sub'), { recursive: true });
  writeFileSync(join(base, 'root/dir/file'), 'inside');
  writeFileSync(join(base, 'root/dir/sub/inside-name'), 'inside');
  symlinkSync(join(base, 'host'), join(base, 'root/evil'));
  symlinkSync('../host', join(base, 'root/evil-relative'));
  using follow = openRoot(join(base, 'root'));
  using refuse = openRoot(join(base, 'root'), { parentLinks: 'refuse' });
  const attacker = await startAttacker(
    t,
    `${ATTACKER_PRELUDE}
os.chdir(sys.argv[1]); print('ready', flush=True); n = 0
while not stopped():
    for _ in range(50):
        exchange('dir', 'evil'); exchange('dir', 'evil-relative'); n += 2
print(n)`,
    join(base, 'root'),
  );
  const seen = new Set<string>();
  const rounds = runFor(ROUND_MS, () => {
    for (const root of [follow, refuse]) {
      const content = attempt(() => root.readFile(Buffer.from('dir/file'), { maxBytes: 1000 }).content.toString());
      if (content !== undefined) seen.add(content);
      for (const name of attempt(() => root.list(Buffer.from('dir/sub'), 10)) ?? []) seen.add(name.toString());
      attempt(() =>
        root.walk(Buffer.from(''), LIMITS, (entries) => {
          for (const entry of entries)
            if (entry.stat.type === 'file') seen.add(entry.path.toString().split('/').at(-1) ?? '');
        }),
      );
    }
  });
  const swaps = Number(await attacker.stop());
  assert.ok(rounds > 100 && swaps > 1000, `${rounds} rounds against ${swaps} swaps`);
  assert.deepEqual([...seen].sort(), ['file', 'inside', 'inside-name']);
});

test('moving directories about under a link with .. leads nowhere outside', async (t) => {
  const base = makeTree(t);
  writeFileSync(join(base, 'secret'), OUTSIDE);
  mkdirSync(join(base, 'root/a/b/c/d'), { recursive: true });
  mkdirSync(join(base, 'root/z'));
  writeFileSync(join(base, 'root/secret'), 'inside');
  symlinkSync('../../../../../../secret', join(base, 'root/a/b/c/d/up'));
  symlinkSync('../../../../..', join(base, 'root/a/b/c/d/top'));
  using root = openRoot(join(base, 'root'));
  const attacker = await startAttacker(
    t,
    `${ATTACKER_PRELUDE}
os.chdir(sys.argv[1]); print('ready', flush=True); n = 0
while not stopped():
    for _ in range(50):
        os.rename('a/b/c', 'z/c'); os.rename('z/c', 'a/b/c'); n += 2
print(n)`,
    join(base, 'root'),
  );
  const seen = new Set<string>();
  runFor(ROUND_MS, () => {
    const content = attempt(() =>
      root.readFile(Buffer.from('a/b/c/d/top/secret'), { maxBytes: 100 }).content.toString(),
    );
    if (content !== undefined) seen.add(content);
  });
  assert.ok(Number(await attacker.stop()) > 1000);
  assert.deepEqual([...seen], ['inside']);
});

test('a file that turns into a FIFO and back is never opened as one, and nothing hangs', async (t) => {
  const base = makeTree(t);
  writeFileSync(join(base, 'file'), 'inside');
  using root = openRoot(base);
  // A writer can open a FIFO without waiting only while somebody reads it: that would be us.
  const attacker = await startAttacker(
    t,
    `${ATTACKER_PRELUDE}
os.chdir(sys.argv[1]); os.mkfifo('fifo'); print('ready', flush=True); n = 0; caught = 0
while not stopped():
    for _ in range(50):
        exchange('file', 'fifo'); n += 1
        try:
            os.close(os.open('fifo', os.O_WRONLY | os.O_NONBLOCK)) if n % 2 == 0 else os.close(os.open('file', os.O_WRONLY | os.O_NONBLOCK))
            caught += 1
        except OSError:
            pass
print(caught, n)`,
    base,
  );
  let read = 0;
  runFor(ROUND_MS, () => {
    const hashed = attempt(() => root.hashFile(Buffer.from('file'), { maxBytes: 100 }));
    if (hashed !== undefined) read += 1;
    attempt(() => root.walk(Buffer.from(''), LIMITS, () => {}));
  });
  const [caught, swaps] = (await attacker.stop()).split(' ').map(Number);
  assert.ok(read > 50 && (swaps ?? 0) > 1000, `${read} reads against ${swaps} swaps`);
  assert.equal(caught, 0);
});

test('a file that is written while it is read is reported as changed, never as half of each', async (t) => {
  const base = makeTree(t);
  const size = 4 * 1024 * 1024;
  writeFileSync(join(base, 'file'), Buffer.alloc(size, 0x61));
  using root = openRoot(base);
  const attacker = await startAttacker(
    t,
    `${ATTACKER_PRELUDE}
fd = os.open(sys.argv[1], os.O_WRONLY); print('ready', flush=True); n = 0
while not stopped():
    os.pwrite(fd, bytes([n % 256]) * 4096, (n * 7919 * 4096) % ${size}); n += 1
print(n)`,
    join(base, 'file'),
  );
  const codes = new Map<string, number>();
  const count = (step: () => unknown): void => {
    let code = 'none';
    try {
      step();
    } catch (error) {
      code = error instanceof RootfsError ? error.code : String(error);
    }
    codes.set(code, (codes.get(code) ?? 0) + 1);
  };
  let problems = 0;
  runFor(ROUND_MS, () => {
    count(() => root.hashFile(Buffer.from('file'), { maxBytes: size }));
    count(() => root.readFile(Buffer.from('file'), { maxBytes: size }));
    root.walk(Buffer.from(''), { ...LIMITS, maxFileBytes: size }, ([entry]) => {
      if (entry?.problem === 'changed' && entry.sha256 === undefined) problems += 1;
    });
  });
  await attacker.stop();
  assert.ok((codes.get('ERR_ROOTFS_CHANGED') ?? 0) > 10, JSON.stringify([...codes]));
  assert.deepEqual(
    [...codes.keys()].filter((code) => code !== 'none'),
    ['ERR_ROOTFS_CHANGED'],
  );
  assert.ok(problems > 0);
  count(() => root.hashFile(Buffer.from('file'), { maxBytes: size }));
  assert.equal(root.hashFile(Buffer.from('file'), { maxBytes: size }).stat.size, size);
});

test('entries that come and go under a walk neither stop it nor hide their neighbours', async (t) => {
  const base = makeTree(t);
  for (let i = 0; i < 50; i += 1) writeFileSync(join(base, `stays-${i}`), 'x');
  using root = openRoot(base);
  const attacker = await startAttacker(
    t,
    `${ATTACKER_PRELUDE}
import shutil
os.chdir(sys.argv[1]); print('ready', flush=True); n = 0
while not stopped():
    for i in range(20):
        os.makedirs('goes-%d/sub' % i); open('goes-%d/sub/file' % i, 'w').close(); os.symlink('x', 'link-%d' % i)
    for i in range(20):
        shutil.rmtree('goes-%d' % i); os.unlink('link-%d' % i); n += 1
print(n)`,
    base,
  );
  let shortest = Number.POSITIVE_INFINITY;
  let most = 0;
  runFor(ROUND_MS, () => {
    for (const options of [LIMITS, { maxEntries: 1000, maxDepth: 20 }]) {
      let stays = 0;
      let all = 0;
      root.walk(Buffer.from(''), options, (entries) => {
        all += entries.length;
        stays += entries.filter((entry) => entry.path.toString().startsWith('stays-')).length;
      });
      shortest = Math.min(shortest, stays);
      most = Math.max(most, all);
    }
  });
  assert.ok(Number(await attacker.stop()) > 20);
  assert.equal(shortest, 50);
  assert.ok(most > 50, 'the attacker was never seen');
});

test('a directory and a file that have another name each time they are looked at are never left out without a word', async (t) => {
  const base = makeTree(t);
  mkdirSync(join(base, 'd0'));
  writeFileSync(join(base, 'd0/inside'), 'inside');
  writeFileSync(join(base, 'f0'), 'inside');
  using root = openRoot(base);
  const attacker = await startAttacker(
    t,
    `${ATTACKER_PRELUDE}
os.chdir(sys.argv[1]); print('ready', flush=True); n = 0
while not stopped():
    for _ in range(50):
        for kind in 'df':
            os.rename(kind + str(n), kind + str(n + 1))
        n += 1
print(n)`,
    base,
  );
  let silent = 0;
  const rounds = runFor(ROUND_MS, () => {
    const seen = new Set<string>();
    const walked = attempt(() => {
      root.walk(Buffer.from(''), LIMITS, (entries) => {
        for (const { path, problem } of entries) {
          const name = path.toString();
          if (problem === 'changed') seen.add(name[0] ?? '');
          else if (name.endsWith('/inside')) seen.add('d');
          else if (name.startsWith('f')) seen.add('f');
        }
      });
      return true;
    });
    if (walked === true && seen.size < 2) silent += 1;
  });
  const moves = Number(await attacker.stop());
  assert.ok(rounds > 100 && moves > 1000, `${rounds} rounds against ${moves} moves`);
  assert.equal(silent, 0, `of ${rounds} walks`);
});

test('names of some inodes of a directory are found without a look at the others', (t) => {
  const base = makeTree(t);
  for (const name of ['a', 'b', 'c']) writeFileSync(join(base, name), name);
  using root = openRoot(base);
  const inoOf = (name: string) => root.lstat(Buffer.from(name))?.ino ?? 0n;
  const names = (inodes: bigint[]) => root.listInodes(Buffer.from(''), inodes, 10).map(String).sort();
  assert.deepEqual(names([inoOf('a'), inoOf('c')]), ['a', 'c']);
  assert.deepEqual(names([]), []);
  assert.throws(() => root.listInodes(Buffer.from(''), [], 2), { code: 'ERR_ROOTFS_LIMIT' });
});
