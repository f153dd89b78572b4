import assert from 'node:assert/strict';
import { test } from 'node:test';
import { decodeHashes, decodeNames } from './packed-lists.ts';
import { STAT_BYTES } from './root-stat.ts';

function packOutcome(status: number, errno: number, digest: number): Buffer {
  const bytes = Buffer.alloc(8 + STAT_BYTES + 32);
  bytes.writeUInt8(status, 0);
  bytes.writeUInt32LE(errno, 4);
  bytes.fill(digest, 8 + STAT_BYTES);
  return bytes;
}

test('names come back byte by byte, empty and longest ones too', () => {
  const long = Buffer.alloc(255, 0xff);
  const packed = Buffer.concat([Buffer.from([0, 0]), Buffer.from([255, 0]), long, Buffer.from([1, 0, 0x61])]);
  assert.deepEqual(decodeNames(packed), [Buffer.alloc(0), long, Buffer.from('a')]);
  assert.deepEqual(decodeNames(Buffer.alloc(0)), []);
  assert.throws(() => decodeNames(packed.subarray(0, -1)), TypeError);
});

test('outcomes of hashing are digests or errors with the code of the native part', () => {
  const codes = ['SYSTEM', 'LIMIT', 'CHANGED', 'ESCAPE', 'NOT_FOUND', 'TYPE', 'UNSUPPORTED', 'CLOSED'];
  const failures = codes.map((_, index) => packOutcome(index + 1, index === 0 ? 5 : 0, 0));
  const [good, ...bad] = decodeHashes(Buffer.concat([packOutcome(0, 0, 0xcd), ...failures]));
  assert.ok(good !== undefined && 'sha256' in good);
  assert.deepEqual(good.sha256, Buffer.alloc(32, 0xcd));
  assert.equal(good.stat.type, 'file');
  assert.deepEqual(
    bad.map((outcome) => 'error' in outcome && outcome.error.code),
    codes.map((code) => `ERR_ROOTFS_${code}`),
  );
  assert.ok(bad[0] !== undefined && 'error' in bad[0]);
  assert.equal(bad[0].error.errno, 5);
});
