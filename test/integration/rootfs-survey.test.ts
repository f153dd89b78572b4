import assert from 'node:assert/strict';
import { execFileSync } from 'node:child_process';
import { chmodSync, mkdirSync, symlinkSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { type TestContext, test } from 'node:test';
import { openRoot, RootfsError, type SurveyedEntry, type SurveyOptions, type WalkProblem } from '@holdfast/rootfs';
import { ATTACKER_PRELUDE, makeTree, startAttacker } from '../support/hostile-tree.ts';

const LIMITS = { maxEntries: 100_000, maxDepth: 100 };
const HELPERS = [0, 1, 3];

interface Surveyed {
  readonly files: Map<string, SurveyedEntry>;
  readonly unlisted: [string, WalkProblem][];
}

function survey(base: string, options: Partial<SurveyOptions> = {}): Surveyed {
  using root = openRoot(base, { parentLinks: 'refuse' });
  using begun = root.startSurvey({ ...LIMITS, ...options });
  const told: Surveyed = { files: new Map(), unlisted: [] };
  begun.tell({
    entry: (directory, name, entry) => {
      const path = `${directory}/${name}`;
      assert.ok(!told.files.has(path), `${path} was told twice`);
      told.files.set(path, entry);
    },
    unlisted: (directory, problem) => told.unlisted.push([directory, problem]),
  });
  return told;
}

/** What a walk, which opens by descriptors and in order, says of the same files. */
function walkFiles(base: string): Map<string, SurveyedEntry> {
  using root = openRoot(base);
  const files = new Map<string, SurveyedEntry>();
  root.walk(Buffer.alloc(0), LIMITS, (entries) => {
    for (const { path, stat } of entries) {
      const text = path.toString('latin1');
      const full = text.includes('/') ? text : `/${text}`;
      if (stat.type === 'file') files.set(full, { type: 'file', mode: stat.mode, size: stat.size });
    }
  });
  return files;
}

function makeMixedTree(t: TestContext): string {
  const base = makeTree(t);
  for (let at = 0; at < 300; at += 1) {
    const directory = join(base, `d${at % 20}`, `e${at % 7}`, String(at));
    mkdirSync(directory, { recursive: true });
    writeFileSync(join(directory, 'file'), 'x'.repeat(at));
    symlinkSync('file', join(directory, 'link'));
  }
  for (let at = 0; at < 3000; at += 1) writeFileSync(join(base, 'd0', `many-${at}`), '');
  writeFileSync(Buffer.concat([Buffer.from(`${base}/`), Buffer.alloc(255, 0xff)]), 'bytes');
  chmodSync(join(base, 'd0', 'many-1'), 0o4755);
  execFileSync('mkfifo', [join(base, 'd1', 'fifo')]);
  return base;
}

test('a survey tells the same files as a walk, with any number of helpers', (t) => {
  const base = makeMixedTree(t);
  const expected = [...walkFiles(base)].sort(([a], [b]) => (a < b ? -1 : 1));
  assert.equal(expected.length, 3301);
  for (const helpers of HELPERS) {
    const { files, unlisted } = survey(base, { helpers });
    assert.deepEqual(
      [...files].sort(([a], [b]) => (a < b ? -1 : 1)),
      expected,
    );
    assert.deepEqual(unlisted, []);
  }
});

test('limits are refused: entries, depth, in the middle of the work of helpers too', (t) => {
  const base = makeMixedTree(t);
  for (const helpers of HELPERS) {
    const refused = (syscall: string) => (error: unknown) =>
      error instanceof RootfsError && error.code === 'ERR_ROOTFS_LIMIT' && error.syscall === syscall;
    assert.throws(() => survey(base, { helpers, maxEntries: 3000 }), refused('getdents64'));
    assert.throws(() => survey(base, { helpers, maxDepth: 3 }), refused('walk'));
    assert.equal(survey(base, { helpers, maxDepth: 4 }).files.size, 3301);
  }
});

test('a tree two thousand deep and one of directories alone come to their end', (t) => {
  const base = makeTree(t);
  const program = `import os,sys
os.chdir(sys.argv[1])
for i in range(2000):
    open('a', 'w').close(); os.mkdir('d'); os.chdir('d')`;
  execFileSync('/usr/bin/python3', ['-c', program, base]);
  t.after(() => execFileSync('rm', ['-rf', join(base, 'd')]));
  for (const helpers of [0, 1]) assert.equal(survey(base, { helpers, maxDepth: 5000 }).files.size, 2000);
  const empty = makeTree(t);
  for (let at = 0; at < 2000; at += 1) mkdirSync(join(empty, `d${at % 40}`, String(at)), { recursive: true });
  for (const helpers of HELPERS) assert.deepEqual(survey(empty, { helpers }), { files: new Map(), unlisted: [] });
});

test('what lies on a mount is named and not listed, a directory as well as a file', (t) => {
  const base = makeTree(t);
  const other = makeTree(t);
  mkdirSync(join(base, 'covered'));
  for (const name of ['file', 'plain']) writeFileSync(join(base, name), name);
  writeFileSync(join(other, 'foreign'), 'not ours');
  execFileSync('mount', ['-t', 'tmpfs', 'none', join(base, 'covered')]);
  execFileSync('mount', ['--bind', join(other, 'foreign'), join(base, 'file')]);
  try {
    writeFileSync(join(base, 'covered', 'inside'), 'x');
    const { files, unlisted } = survey(base);
    assert.deepEqual(unlisted, [['covered', 'mount']]);
    assert.equal(files.get('/file')?.problem, 'mount');
    assert.deepEqual([...files.keys()].sort(), ['/file', '/plain']);
  } finally {
    execFileSync('umount', [join(base, 'covered'), join(base, 'file')]);
  }
});

test('what the visitor throws ends the survey, and one that was never told lets go of its helpers', (t) => {
  const base = makeMixedTree(t);
  using root = openRoot(base);
  const visitor = {
    entry: () => {
      throw new RangeError('enough');
    },
    unlisted: () => undefined,
  };
  for (const helpers of HELPERS) {
    assert.throws(() => root.startSurvey({ ...LIMITS, helpers }).tell(visitor), RangeError);
    root.startSurvey({ ...LIMITS, helpers }).close();
    const closed = root.startSurvey({ ...LIMITS, helpers });
    closed.close();
    assert.throws(() => closed.tell(visitor), { code: 'ERR_ROOTFS_CLOSED' });
  }
});

test('directories swapped for links to the host never lead there', async (t) => {
  const base = makeTree(t);
  const host = makeTree(t);
  writeFileSync(join(host, 'secret-of-the-host'), 'x');
  for (let at = 0; at < 40; at += 1) {
    mkdirSync(join(base, `d${at}`, 'sub'), { recursive: true });
    writeFileSync(join(base, `d${at}`, 'sub', 'file'), 'x');
  }
  const program = `${ATTACKER_PRELUDE}
base, host = sys.argv[1:3]
for at in range(40):
    os.symlink(host, os.path.join(base, 'link%d' % at))
print('ready', flush=True)
while not stopped():
    for at in range(40):
        exchange(os.path.join(base, 'd%d' % at), os.path.join(base, 'link%d' % at))
print('done')`;
  const attacker = await startAttacker(t, program, base, host);
  for (let round = 0; round < 60; round += 1) {
    const { files } = survey(base, { helpers: HELPERS[round % HELPERS.length] ?? 0 });
    for (const path of files.keys()) assert.ok(!path.includes('secret'), path);
  }
  assert.equal(await attacker.stop(), 'done');
});

test('many files are read at once; what is special is left to be asked for alone', (t) => {
  const base = makeTree(t);
  const names = Array.from({ length: 200 }, (_, at) => `file-${at}`);
  for (const [at, name] of names.entries()) writeFileSync(join(base, name), 'y'.repeat(at));
  mkdirSync(join(base, 'directory'));
  symlinkSync('file-1', join(base, 'link'));
  execFileSync('mkfifo', [join(base, 'fifo')]);
  using root = openRoot(base, { parentLinks: 'refuse' });
  const special = ['directory', 'link', 'fifo', 'missing', 'file-1/below', 'file-199'];
  for (const helpers of HELPERS) {
    const reads = root.startReads([...names, ...special], { maxBytes: 198, maxAllBytes: 1 << 20, helpers });
    const contents = reads.take();
    assert.equal(contents.length, names.length + special.length);
    for (const [at, content] of contents.entries()) {
      assert.equal(content?.toString(), at < 199 ? 'y'.repeat(at) : undefined, String(at));
    }
    assert.throws(() => reads.take(), { code: 'ERR_ROOTFS_CLOSED' });
    const heads = root.startReads(names, { maxBytes: 10, maxAllBytes: 1 << 20, heads: true, helpers }).take();
    assert.deepEqual(
      heads.map(String),
      names.map((_, at) => 'y'.repeat(Math.min(at, 10))),
    );
    const few = root.startReads(names, { maxBytes: 198, maxAllBytes: 1000, helpers }).take();
    const bytes = few.reduce((sum, content) => sum + (content?.length ?? 0), 0);
    assert.ok(bytes <= 1000 && few.includes(undefined));
    assert.deepEqual(root.typesOf(['', 'file-1', ...special], { helpers }).slice(0, 6), [
      'directory',
      'file',
      'directory',
      'symlink',
      'fifo',
      undefined,
    ]);
  }
  assert.throws(() => root.typesOf(['a/../../etc']), TypeError);
  assert.throws(() => root.startReads(['a\0b'], { maxBytes: 1, maxAllBytes: 1 }), TypeError);
});

test('both ends of many files are read at once, and never a byte twice', (t) => {
  const base = makeTree(t);
  const text = Array.from({ length: 100 }, (_, at) => String.fromCharCode(33 + (at % 90))).join('');
  const sizes = [0, 1, 9, 10, 11, 15, 16, 17, 100];
  for (const size of sizes) writeFileSync(join(base, `f${size}`), text.slice(0, size));
  symlinkSync('f100', join(base, 'link'));
  execFileSync('mkfifo', [join(base, 'fifo')]);
  const paths = [...sizes.map((size) => `f${size}`), 'link', 'fifo', 'missing'];
  using root = openRoot(base, { parentLinks: 'refuse' });
  for (const helpers of HELPERS) {
    const options = { maxBytes: 10, endBytes: 6, maxAllBytes: 1000, helpers };
    const ends = root.startEnds(paths, options).take();
    const told = ends.map((each) => each && [each.size, each.head.toString(), each.end.toString()]);
    const expected = sizes.map((size) => {
      const whole = text.slice(0, size);
      return [size, whole.slice(0, 10), whole.slice(Math.max(10, size - 6))];
    });
    assert.deepEqual(told, [...expected, undefined, undefined, undefined]);
    const few = root.startEnds(['f100', 'f17', 'f16'], { ...options, helpers: 0, maxAllBytes: 33 }).take();
    assert.deepEqual(
      few.map((each) => each?.size),
      [100, 17, undefined],
    );
  }
  assert.throws(() => root.startEnds([], { maxBytes: 1, maxAllBytes: 1, endBytes: 0 }), TypeError);
});
