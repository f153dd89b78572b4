import assert from 'node:assert/strict';
import { test } from 'node:test';
import { decodeEvents } from './fanotify-watch.ts';

function packEvent(id: number, mask: number, path: string): Buffer {
  const head = Buffer.alloc(16);
  head.writeUInt32LE(16 + path.length, 0);
  head.writeUInt32LE(id, 4);
  head.writeUInt32LE(mask, 8);
  return Buffer.concat([head, Buffer.from(path, 'latin1')]);
}

test('events are named by their directory as given, and those of removed directories are left out', () => {
  const packed = Buffer.concat([
    packEvent(1, 0x100 | 0x2 | 0x8, 'new\xff'),
    packEvent(2, 0x40, 'gone'),
    packEvent(1, 0x40000000 | 0x80 | 0x40, 'dir'),
    packEvent(1, 0x4 | 0x200, ''),
  ]);
  assert.deepEqual(decodeEvents(packed, new Map([[1, '/upper']])).events, [
    {
      directory: '/upper',
      path: 'new\xff',
      kinds: ['create', 'modify', 'closeWrite'],
      isDirectory: false,
    },
    { directory: '/upper', path: 'dir', kinds: ['movedFrom', 'movedTo'], isDirectory: true },
    { directory: '/upper', path: '', kinds: ['delete', 'attributes'], isDirectory: false },
  ]);
  assert.deepEqual(decodeEvents(Buffer.alloc(0), new Map()), { events: [], muted: [] });
});

test('muted writes are a number for each directory', () => {
  const [counted, removed] = [packEvent(1, 4_000_000_000, ''), packEvent(2, 7, '')];
  for (const record of [counted, removed]) record.writeUInt32LE(0x80000000, 12);
  assert.deepEqual(decodeEvents(Buffer.concat([counted, removed]), new Map([[1, '/upper']])), {
    events: [],
    muted: [{ directory: '/upper', count: 4_000_000_000 }],
  });
});

test('a record with a wrong length is refused', () => {
  const event = packEvent(1, 2, 'x');
  assert.throws(() => decodeEvents(event.subarray(0, -1), new Map()), TypeError);
  event.writeUInt32LE(15, 0);
  assert.throws(() => decodeEvents(event, new Map()), TypeError);
});
