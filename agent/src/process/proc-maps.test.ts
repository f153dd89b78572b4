import assert from 'node:assert/strict';
import { test } from 'node:test';
import { isAnonymous, isKernelCode, parseMaps } from './proc-maps.ts';

const TABLE = [
  '00400000-00401000 r--p 00000000 00:49 2592325                            /bin/busybox',
  '00401000-00585000 r-xp 00001000 00:49 2592325                            /bin/busybox',
  '00600000-00601000 rw-p 00000000 00:00 0                                  [heap]',
  '7f00-7f01 rwxp 00000000 00:00 0 ',
  '7f01-7f02 rw-s 00000000 00:49 77                                         /tmp/a b\\012c (deleted)',
  '7f02-7f03 r-xs 00000000 00:01 5                                          /memfd:jit (deleted)',
  '7f03-7f04 r-xp 00000000 00:00 0                                          [anon: x [vdso]]',
  '7f04-7f05 rw-s 00000000 00:00 0 ',
  'ffffffffff600000-ffffffffff601000 --xp 00000000 00:00 0                  [vsyscall]',
  '',
].join('\n');
const regions = parseMaps(Buffer.from(TABLE, 'latin1'));

test('only what is executable, or a file that is shared and writable, is kept', () => {
  assert.deepEqual(
    regions.map(({ range, isExecutable, isSharedWritable, path }) => [range, isExecutable, isSharedWritable, path]),
    [
      ['401000-585000', true, false, '/bin/busybox'],
      ['7f00-7f01', true, false, ''],
      ['7f01-7f02', false, true, '/tmp/a b\nc (deleted)'],
      ['7f02-7f03', true, false, '/memfd:jit (deleted)'],
      ['7f03-7f04', true, false, '[anon: x [vdso]]'],
      ['ffffffffff600000-ffffffffff601000', true, false, '[vsyscall]'],
    ],
  );
  assert.deepEqual([regions[0]?.device, regions[0]?.inode], ['00:49', '2592325']);
});

test("the kernel's own code is told from memory that a process gave a name", () => {
  assert.deepEqual(
    regions.map((region) => [isKernelCode(region), isAnonymous(region)]),
    [
      [false, false],
      [false, true],
      [false, false],
      [false, true],
      [false, true],
      [true, true],
    ],
  );
});

test('a file that is only called like a memfd is a file', () => {
  const [region] = parseMaps(Buffer.from('1-2 r-xp 00000000 00:49 9                    /memfd:x (deleted)\n'));
  assert.ok(region !== undefined && !isAnonymous(region));
});

test('a table that is cut anywhere, flipped or random is read as far as it is one', () => {
  const bytes = Buffer.from(TABLE, 'latin1');
  for (let size = 0; size <= bytes.length; size += 1) {
    assert.ok(parseMaps(bytes.subarray(0, size)).length <= regions.length);
  }
  for (let at = 0; at < bytes.length * 8; at += 3) {
    const flipped = Buffer.from(bytes);
    flipped[at >> 3] = (flipped[at >> 3] ?? 0) ^ (1 << (at & 7));
    assert.ok(Array.isArray(parseMaps(flipped)));
  }
  let seed = 7;
  const random = Array.from({ length: 5_000 }, () => {
    seed = (seed * 1_103_515_245 + 12_345) % 2_147_483_648;
    return seed & 255;
  });
  assert.deepEqual(parseMaps(Buffer.from(random)), []);
});
