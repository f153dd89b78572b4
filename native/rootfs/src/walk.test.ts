import assert from 'node:assert/strict';
import { test } from 'node:test';
import { decodeStat, STAT_BYTES } from './root-stat.ts';
import { decodeWalkBatch } from './walk.ts';

function packStat(type: number, fields: Partial<Record<'size' | 'mtimeNs', bigint>> = {}): Buffer {
  const bytes = Buffer.alloc(STAT_BYTES);
  bytes.writeUInt8(type, 0);
  bytes.writeUInt16LE(0o4755, 2);
  bytes.writeUInt32LE(4_000_000_000, 4);
  bytes.writeUInt32LE(7, 8);
  bytes.writeUInt32LE(3, 12);
  bytes.writeBigUInt64LE(fields.size ?? 5n, 16);
  bytes.writeBigUInt64LE(2n ** 64n - 1n, 24);
  bytes.writeUInt32LE(259, 32);
  bytes.writeUInt32LE(1, 36);
  bytes.writeUInt32LE(8, 40);
  bytes.writeUInt32LE(17, 44);
  bytes.writeBigInt64LE(fields.mtimeNs ?? -1n, 48);
  bytes.writeBigInt64LE(9n, 56);
  bytes.writeBigUInt64LE(16n, 64);
  bytes.writeBigInt64LE(11n, 72);
  return bytes;
}

interface Packed {
  type?: number;
  problem?: number;
  path: string;
  target?: string;
  sha256?: Buffer;
  xattrs?: [string, string][];
}

function packEntry({ type = 0, problem = 0, path, target, sha256, xattrs }: Packed): Buffer {
  const head = Buffer.alloc(12);
  head.writeUInt8(problem, 0);
  head.writeUInt8((target === undefined ? 0 : 1) | (sha256 === undefined ? 0 : 2) | (xattrs === undefined ? 0 : 4), 1);
  head.writeUInt16LE(xattrs?.length ?? 0, 2);
  head.writeUInt32LE(path.length, 4);
  head.writeUInt32LE(target?.length ?? 0, 8);
  const values = (xattrs ?? []).flatMap(([name, value]) => {
    const sizes = Buffer.alloc(6);
    sizes.writeUInt16LE(name.length, 0);
    sizes.writeUInt32LE(value.length, 2);
    return [sizes, Buffer.from(name), Buffer.from(value)];
  });
  const text = [Buffer.from(path, 'latin1'), Buffer.from(target ?? '', 'latin1')];
  const body = Buffer.concat([packStat(type), head, ...text, sha256 ?? Buffer.alloc(0), ...values]);
  const length = Buffer.alloc(4);
  length.writeUInt32LE(body.length + 4, 0);
  return Buffer.concat([length, body]);
}

test('a stat record keeps every field, also the largest', () => {
  assert.deepEqual(decodeStat(packStat(4, { size: 2n ** 40n + 3n }), 0), {
    type: 'block',
    mode: 0o4755,
    uid: 4_000_000_000,
    gid: 7,
    nlink: 3,
    size: 2 ** 40 + 3,
    ino: 2n ** 64n - 1n,
    devMajor: 259,
    devMinor: 1,
    rdevMajor: 8,
    rdevMinor: 17,
    mtimeNs: -1n,
    ctimeNs: 9n,
    blocks: 16n,
    birthNs: 11n,
  });
  assert.throws(() => decodeStat(packStat(7), 0), TypeError);
});

test('a batch is decoded entry by entry with just the fields that it has', () => {
  const sha256 = Buffer.alloc(32, 0xab);
  const batch = Buffer.concat([
    packEntry({
      path: 'a\xff',
      sha256,
      xattrs: [
        ['user.a', 'value'],
        ['__proto__', ''],
      ],
    }),
    packEntry({ type: 2, path: 'link', target: '/t\x80' }),
    packEntry({ type: 1, path: '', xattrs: [], problem: 3 }),
  ]);
  const [file, link, mount, ...rest] = decodeWalkBatch(batch);
  assert.equal(rest.length, 0);
  assert.deepEqual(file?.path, Buffer.from([0x61, 0xff]));
  assert.deepEqual(file?.sha256, sha256);
  assert.deepEqual(Object.entries(file?.xattrs ?? {}), [
    ['user.a', Buffer.from('value')],
    ['__proto__', Buffer.alloc(0)],
  ]);
  assert.deepEqual(Object.keys(link ?? {}).toSorted(), ['path', 'stat', 'target']);
  assert.deepEqual(link?.target, Buffer.from([0x2f, 0x74, 0x80]));
  assert.deepEqual([mount?.problem, Object.keys(mount?.xattrs ?? { none: 1 }).length], ['mount', 0]);
  assert.deepEqual(decodeWalkBatch(Buffer.alloc(0)), []);
});

test('a batch cut at any length is an error or the whole entries before the cut, never garbage', () => {
  const first = packEntry({ path: 'first' });
  const batch = Buffer.concat([first, packEntry({ path: 'second', xattrs: [['user.a', 'b']] })]);
  for (let end = 1; end < batch.length; end += 1) {
    if (end === first.length) assert.equal(decodeWalkBatch(batch.subarray(0, end)).length, 1);
    else
      assert.throws(
        () => decodeWalkBatch(batch.subarray(0, end)),
        (error) => error instanceof TypeError || error instanceof RangeError,
      );
  }
  const zeroLength = Buffer.from(first);
  zeroLength.writeUInt32LE(0, 0);
  assert.throws(() => decodeWalkBatch(zeroLength), TypeError);
});
