import assert from 'node:assert/strict';
import { test } from 'node:test';
import { evidenceError } from '../testing/foreign-bytes.test.ts';
import { BinaryReader } from './binary-reader.ts';
import { BinaryWriter } from './binary-writer.ts';

test('reads what the writer wrote, in order', () => {
  const bytes = new BinaryWriter()
    .u8(1)
    .u16(0x0203)
    .u32(0x04050607)
    .sized16(Buffer.from('ab'))
    .sized32(Buffer.from('c'));
  const reader = new BinaryReader(bytes.finish(), 'big', 'sample');
  assert.deepEqual([reader.u8(), reader.u16(), reader.u32()], [1, 0x0203, 0x04050607]);
  assert.equal(reader.sized16(2).toString(), 'ab');
  assert.equal(reader.take(reader.u32()).toString(), 'c');
  reader.end();
});

test('reads little-endian numbers', () => {
  const reader = new BinaryReader(Buffer.from('0201040302010807060504030201', 'hex'), 'little', 'sample');
  assert.deepEqual([reader.u16(), reader.u32(), reader.u64()], [0x0102, 0x01020304, 0x0102030405060708n]);
});

test('never reads past the end', () => {
  for (const method of ['u8', 'u16', 'u32', 'u64'] as const) {
    const reader = new BinaryReader(Buffer.alloc({ u8: 0, u16: 1, u32: 3, u64: 7 }[method]), 'big', 'sample');
    assert.throws(() => reader[method](), evidenceError('ERR_EVIDENCE_MALFORMED'));
  }
  const reader = new BinaryReader(Buffer.alloc(4), 'big', 'sample');
  assert.throws(() => reader.take(5), evidenceError('ERR_EVIDENCE_MALFORMED'));
  assert.throws(() => reader.take(-1), evidenceError('ERR_EVIDENCE_MALFORMED'));
  assert.equal(reader.remaining, 4);
});

test('a sized field longer than its bound is refused even when the bytes are there', () => {
  const bytes = new BinaryWriter().sized16(Buffer.alloc(9)).finish();
  assert.equal(new BinaryReader(bytes, 'big', 'sample').sized16(9).length, 9);
  assert.throws(() => new BinaryReader(bytes, 'big', 'sample').sized16(8), evidenceError('ERR_EVIDENCE_MALFORMED'));
});

test('bytes left over are refused', () => {
  assert.throws(
    () => new BinaryReader(Buffer.alloc(1), 'big', 'sample').end(),
    evidenceError('ERR_EVIDENCE_MALFORMED'),
  );
});
