import assert from 'node:assert/strict';
import { execFileSync } from 'node:child_process';
import { chmodSync, mkdirSync, rmSync, truncateSync, writeFileSync } from 'node:fs';
import { dirname, join } from 'node:path';
import { test } from 'node:test';
import { createPathClaims, openRoot, type PathClaims } from '@holdfast/rootfs';
import { makeTree } from '../support/hostile-tree.ts';

const ROOMY = 64 * 1024 * 1024;
const MAGIC = Buffer.from('\x7fELF', 'latin1');

function lines(...paths: string[]): Buffer {
  return Buffer.from(paths.join('\n'), 'latin1');
}

/** Claims whose directories lie where they are listed. */
function settled(claims: PathClaims): PathClaims {
  claims.settle(claims.directories().map((directory) => (directory === '' ? '/' : directory)));
  return claims;
}

test('the last one to claim a path has it, and what is no path claims nothing', () => {
  const claims = createPathClaims(ROOMY);
  claims.addLines(
    lines('/.', '/', '', 'relative/x', '/bin', '/bin/sh', '/bin/', '/bin/..', '/a\0b', '/\xff/\xe9'),
    0,
    'a',
  );
  claims.addLines(lines('/bin/sh', `/${'x'.repeat(4096)}`, '/long'), 1, 'b');
  claims.add('/bin/ls', 2);
  claims.add('bin/none', 2);
  assert.deepEqual(claims.directories(), ['', '/bin', '/\xff']);
  settled(claims);
  const found = (directory: string, name: string) => claims.find(directory, name);
  assert.deepEqual(
    [found('/', 'bin'), found('/bin', 'sh'), found('/bin', 'ls'), found('/\xff', '\xe9'), found('/', 'long')],
    [0, 1, 2, 0, 1],
  );
  assert.deepEqual(
    [found('/bin', 'none'), found('/bin', '..'), found('/nowhere', 'x'), found('/', 'relative')],
    Array(4).fill(undefined),
  );
  assert.equal(claims.isFull, false);
});

test('a renamed path counts under its other name, but not in the list that it is excepted for', () => {
  const claims = createPathClaims(ROOMY);
  claims.rename('/bin/sh', '/bin/sh.real', 'dash');
  claims.addLines(lines('/bin/sh'), 0, 'bash');
  claims.addLines(lines('/bin/sh'), 1, 'dash');
  settled(claims);
  assert.deepEqual([claims.find('/bin', 'sh.real'), claims.find('/bin', 'sh')], [0, 1]);
});

test('claims lie where their directories do, and know where they were listed', () => {
  const claims = createPathClaims(ROOMY);
  claims.addLines(lines('/lib/x', '/usr/lib/x', '/usr/lib/y', '/gone/z'), 0, 'a');
  claims.addLines(lines('/lib/y'), 1, 'b');
  const real: Record<string, string | undefined> = { '/lib': '/usr/lib', '/usr/lib': '/usr/lib' };
  claims.settle(claims.directories().map((directory) => real[directory]));
  // /usr/lib was listed after /lib.
  assert.deepEqual([claims.find('/usr/lib', 'x'), claims.listedIn('/usr/lib', 'x')], [0, '/usr/lib']);
  assert.deepEqual([claims.find('/usr/lib', 'y'), claims.listedIn('/usr/lib', 'y')], [0, '/usr/lib']);
  assert.deepEqual([claims.find('/lib', 'x'), claims.find('/gone', 'z')], [undefined, undefined]);
});

test('what would be too much is left out and said', () => {
  const claims = createPathClaims(250);
  claims.addLines(lines('/a/b'), 0, 'a');
  assert.equal(claims.isFull, false);
  claims.add('/c/d', 0);
  assert.equal(claims.isFull, false);
  claims.add('/e/f', 0);
  assert.equal(claims.isFull, true);
  settled(claims);
  assert.deepEqual([claims.find('/a', 'b'), claims.find('/c', 'd'), claims.find('/e', 'f')], [0, 0, undefined]);
});

test('directories lie where they are listed but for those that links lead through, which are asked for', () => {
  const claims = createPathClaims(ROOMY);
  claims.addLines(
    lines('/x', '/lib/x', '/lib/a/x', '/usr/lib/x', '/libs/x', '/a/../x', '/a//b/x', '/opt/./x', '/gone/x', '/usr/y'),
    0,
    '',
  );
  const asked: string[] = [];
  const real: Record<string, string> = { '/lib': '/usr/lib', '/lib/a': '/usr/lib/a' };
  claims.settleByLinks(['/lib', '/gone', '/usr/z'], (directory) => {
    asked.push(directory);
    return real[directory];
  });
  assert.deepEqual(asked, ['/lib', '/lib/a', '/gone']);
  const owned = ['/', '/usr/lib', '/usr/lib/a', '/libs'].map((directory) => claims.find(directory, 'x'));
  assert.deepEqual(owned, [0, 0, 0, 0]);
  const none = ['/lib', '/lib/a', '/a', '/a/..', '/a//b', '/a/b', '/opt/.', '/opt', '/gone'];
  assert.deepEqual(
    none.filter((directory) => claims.find(directory, 'x') !== undefined),
    [],
  );
  assert.deepEqual([claims.find('/usr', 'y'), claims.listedIn('/usr/lib', 'x')], [0, '/usr/lib']);
  claims.add('/usr/late', 1);
  claims.settle([]);
  assert.deepEqual([claims.find('/usr', 'late'), claims.find('/usr', 'y')], [undefined, 0]);
});

test('many random claims are what a map says', () => {
  const claims = createPathClaims(ROOMY);
  const model = new Map<string, number>();
  let seed = 7;
  const draw = (below: number) => {
    seed = (seed * 48_271) % 0x7fffffff;
    return seed % below;
  };
  for (let owner = 0; owner < 200; owner += 1) {
    const paths = Array.from({ length: draw(60) }, () => `/d${draw(9)}/e${draw(9)}/f${draw(99)}`.slice(0, 4 + draw(9)));
    for (const path of paths) if (!path.endsWith('/')) model.set(path, owner);
    claims.addLines(lines(...paths), owner, '');
  }
  settled(claims);
  for (const [path, owner] of model) {
    const slash = path.lastIndexOf('/');
    assert.equal(claims.find(path.slice(0, slash) || '/', path.slice(slash + 1)), owner, path);
  }
});

test('a sifted survey tells what nobody claims, large programs, and names that end as wanted', (t) => {
  const base = makeTree(t);
  const make = (path: string, bytes: number, mode = 0o644) => {
    mkdirSync(dirname(join(base, path)), { recursive: true });
    writeFileSync(join(base, path), '');
    truncateSync(join(base, path), bytes);
    chmodSync(join(base, path), mode);
  };
  const write = (path: string, text: string) => writeFileSync(join(base, path), text);
  make('top', 1);
  make('free', 1);
  make('a/owned', 1);
  make('a/owned-large', 5000);
  make('a/program', 5000, 0o755);
  make('a/program.py', 5000, 0o755);
  make('a/free.py', 5000, 0o755);
  make('a/script', 4999, 0o755);
  make('a/X.JSON', 1);
  make('a/free', 1);
  make('a/free-large', 5000);
  write('a/elf', '\x7fELF and more');
  write('a/other', '\x7fELG and more');
  write('a/X.so', '\x7fELF');
  mkdirSync(join(base, 'many'));
  for (let at = 0; at < 3_000; at += 1) write(`many/${at}`, at % 1_000 === 7 ? '\x7fELF' : 'text');
  make('b/owned', 1);
  make('b/c/owned', 1);
  const owned = [
    '/top',
    '/a/owned',
    '/a/owned-large',
    '/a/program',
    '/a/program.py',
    '/a/script',
    '/a/X.JSON',
    '/b/owned',
    '/elsewhere/x',
  ];
  const claims = createPathClaims(ROOMY);
  claims.addLines(lines(...owned, '/b/c/owned'), 0, '');
  settled(claims);
  for (const helpers of [0, 1]) {
    using root = openRoot(base, { parentLinks: 'refuse' });
    using survey = root.startSurvey({ maxEntries: 10_000, maxDepth: 9, helpers });
    const told: string[] = [];
    survey.tell(
      { entry: (directory, name) => told.push(`${directory}/${name}`), unlisted: () => assert.fail() },
      root.startSift(claims, {
        suffixes: ['.json'],
        quiet: ['py'],
        minProgramBytes: 5000,
        magic: MAGIC,
        minBytes: 4,
        helpers,
      }),
    );
    const programs = ['a/X.so', 'a/elf', 'a/free.py', 'a/program', 'many/1007', 'many/2007', 'many/7'];
    assert.deepEqual(told.sort(), ['a/X.JSON', ...programs].sort());
  }
});

test('a file that cannot be looked into stays, so that whoever tries again says why', (t) => {
  const base = makeTree(t);
  for (const name of ['gone', 'fifo', 'text']) writeFileSync(join(base, name), 'text');
  using root = openRoot(base, { parentLinks: 'refuse' });
  using survey = root.startSurvey({ maxEntries: 10, maxDepth: 9 });
  survey.readAhead(1_000);
  rmSync(join(base, 'gone'));
  rmSync(join(base, 'fifo'));
  execFileSync('mkfifo', [join(base, 'fifo')]);
  const told: string[] = [];
  const options = { suffixes: [], quiet: [], minProgramBytes: 5000, magic: MAGIC, minBytes: 4 };
  survey.tell(
    { entry: (_directory, name, { problem }) => told.push(`${name} ${problem}`), unlisted: () => assert.fail() },
    root.startSift(settled(createPathClaims(ROOMY)), options),
  );
  assert.deepEqual(told, ['fifo changed']);
  assert.throws(() => root.startSift(createPathClaims(ROOMY), { ...options, minBytes: 3 }), TypeError);
  assert.throws(() => root.startSift(createPathClaims(ROOMY), options), TypeError);
});

test('a batch that no survey made is refused', (t) => {
  using root = openRoot(makeTree(t), { parentLinks: 'refuse' });
  const options = { suffixes: [''], quiet: [], minProgramBytes: 0, magic: MAGIC, minBytes: 4 };
  const sift = root.startSift(settled(createPathClaims(ROOMY)), options);
  assert.equal(sift.take(Buffer.alloc(0)).length, 0);
  const record = Buffer.alloc(16 + 4 + 20);
  for (const [at, value] of [40, 1, 1, 0, 0x61, 1, 0, 0x0001_01a4, 0, 0x62].entries())
    record.writeUInt32LE(value, at * 4);
  assert.deepEqual(sift.take(record), record);
  for (let at = 0; at < 12; at += 1) {
    for (const value of [1, 0x7f, 0xff]) {
      const changed = Buffer.from(record);
      changed[at] = value;
      if (!changed.equals(record)) assert.throws(() => sift.take(changed), TypeError, `${at} ${value}`);
    }
  }
  for (let bytes = 1; bytes < record.length; bytes += 1)
    assert.throws(() => sift.take(record.subarray(0, bytes)), TypeError);
  for (const name of ['', '.', '..', '/', 'a/b', '\0']) {
    const changed = Buffer.from(record);
    changed.writeUInt16LE(name.length, 30);
    changed.write(name.padEnd(4, '\0'), 36, 'latin1');
    assert.throws(() => sift.take(changed), TypeError, JSON.stringify(name));
  }
});

test('a tree of very many programs is told bit by bit, and all of it', (t) => {
  const base = makeTree(t);
  const count = 20_000;
  for (let at = 0; at < count; at += 1) writeFileSync(join(base, `${at}`.padEnd(240, 'x')), MAGIC);
  for (const helpers of [0, 1]) {
    using root = openRoot(base, { parentLinks: 'refuse' });
    using survey = root.startSurvey({ maxEntries: 100_000, maxDepth: 9, helpers });
    const told = new Set<string>();
    let early = 0;
    survey.tell(
      {
        entry: (_directory, name) => told.add(name),
        unlisted: () => assert.fail(),
        beforeHeads: () => {
          early = told.size;
        },
      },
      root.startSift(settled(createPathClaims(ROOMY)), {
        suffixes: [],
        quiet: [],
        minProgramBytes: 5000,
        magic: MAGIC,
        minBytes: 4,
        helpers,
      }),
    );
    assert.equal(told.size, count);
    assert.ok(early > 0, 'some are told before the end');
  }
});
