import assert from 'node:assert/strict';
import { test } from 'node:test';
import { makeDevice } from './make-device.ts';

test('device numbers are packed as the C library does', () => {
  assert.equal(makeDevice(0, 39), 39n);
  assert.equal(makeDevice(254, 0), 0xfe00n);
  assert.equal(makeDevice(8, 0x12345), 0x12300845n);
  assert.equal(makeDevice(0x12345, 1), 0x1200000034501n);
});
