import assert from 'node:assert/strict';
import { test } from 'node:test';
import { describeEvent } from './event-log-view.ts';

const describe = (data: Buffer) =>
  describeEvent({ index: 1, pcr: 4, typeId: 0x80000007, type: 'EV_EFI_ACTION', digests: new Map(), data });

test('data that reads like text is told without its closing zeros', () => {
  assert.equal(describe(Buffer.from('Calling\0\0')), 'Calling');
  assert.equal(describe(Buffer.from('Calling\0', 'utf16le')), 'Calling');
  assert.equal(describe(Buffer.from([0x80, 1])), null);
});

test('a long run of zeros with something behind it is no text, and takes no time', () => {
  assert.equal(describe(Buffer.concat([Buffer.alloc(8 * 1024 * 1024), Buffer.from('a\0')])), null);
});
