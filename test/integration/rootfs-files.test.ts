import assert from 'node:assert/strict';
import { execFileSync } from 'node:child_process';
import {
  closeSync,
  openSync,
  readdirSync,
  readFileSync,
  readlinkSync,
  realpathSync,
  symlinkSync,
  writeFileSync,
} from 'node:fs';
import { join } from 'node:path';
import { test } from 'node:test';
import { readFiles } from '@holdfast/rootfs';
import { makeTree } from '../support/hostile-tree.ts';

const needsRoot = process.getuid?.() === 0 ? false : 'needs root';
const MIB = 1024 ** 2;

test('files that the kernel makes as they are read are read to their end, in the order of their paths', () => {
  const paths = ['/proc/sys/kernel/ostype', '/proc/filesystems', '/proc/cmdline', '/proc/version', '/proc/self/limits'];
  assert.deepEqual(
    readFiles(paths, MIB),
    paths.map((path) => readFileSync(path)),
  );
  // Longer than one read of the kernel gives.
  const maps = readFiles(['/proc/self/smaps'], 64 * MIB)[0]?.toString('latin1') ?? '';
  assert.ok(maps.length > 100_000);
  assert.match(maps, /\nVmFlags: .*\n$/);
});

test('what is missing, no file or too long is undefined, and those after it are read', { skip: needsRoot }, (t) => {
  const base = makeTree(t);
  const at = (name: string) => join(base, name);
  writeFileSync(at('empty'), '');
  writeFileSync(at('exact'), 'x'.repeat(40_000));
  writeFileSync(at('longer'), 'x'.repeat(40_001));
  writeFileSync(at('é\udcff'), 'name');
  symlinkSync('exact', at('link'));
  execFileSync('mkfifo', [at('fifo')]);
  execFileSync('mknod', [at('zero'), 'c', '1', '5']);
  const names = ['missing', 'fifo', 'zero', 'longer', '.', 'empty', 'exact', 'link', 'é\udcff'];
  const lengths = readFiles(names.map(at), 40_000).map((content) => content?.length);
  assert.deepEqual(lengths, [undefined, undefined, undefined, undefined, undefined, 0, 40_000, 40_000, 4]);
  assert.deepEqual(readFiles([], 10), []);
  assert.deepEqual(readFiles([at('empty'), at('exact')], 0), [Buffer.alloc(0), undefined]);
});

test('a path that is not absolute, or holds NUL, and a length that is none are the caller’s mistake', () => {
  for (const path of ['', 'proc/version', '/proc/version\0']) assert.throws(() => readFiles([path], 10), TypeError);
  for (const maxBytes of [-1, 1.5, Number.NaN, 512 * MIB]) assert.throws(() => readFiles([], maxBytes), TypeError);
});

test('descriptors are closed whatever came of a file', { skip: needsRoot }, (t) => {
  const base = realpathSync(makeTree(t));
  writeFileSync(join(base, 'long'), 'x'.repeat(100));
  execFileSync('mkfifo', [join(base, 'fifo')]);
  const paths = [join(base, 'long'), join(base, 'fifo'), base, '/proc/version'];
  for (let at = 0; at < 200; at += 1) readFiles(paths, 10);
  assert.deepEqual(listOpen(paths), []);
  const file = openSync(join(base, 'long'), 'r');
  assert.deepEqual(listOpen(paths), [join(base, 'long')]);
  closeSync(file);
});

/** Which of these paths this process has open. */
function listOpen(paths: readonly string[]): string[] {
  const links = readdirSync('/proc/self/fd').map((name) => {
    try {
      return readlinkSync(`/proc/self/fd/${name}`);
    } catch {
      // The directory that is being listed was one of them.
      return '';
    }
  });
  return links.filter((link) => paths.includes(link));
}
