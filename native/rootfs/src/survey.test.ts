import assert from 'node:assert/strict';
import { test } from 'node:test';
import { checkReadManyOptions, decodeContents, decodeTypes, packPaths } from './many-paths.ts';
import type { NativeSurvey } from './native.ts';
import { RootfsError } from './rootfs-error.ts';
import { checkSurveyOptions, TreeSurvey } from './survey.ts';

/** Text with zeros up to a multiple of four bytes. */
function align(text: string): Buffer {
  return Buffer.concat([Buffer.from(text, 'latin1'), Buffer.alloc((4 - (text.length % 4)) % 4)]);
}

function entry(name: string, type = 0, problem = 0, size = 5): Buffer {
  const head = Buffer.alloc(16);
  head.writeUInt32LE(size, 0);
  head.writeUInt16LE(0o4755, 8);
  head.writeUInt16LE(name.length, 10);
  head.writeUInt16LE(type, 12);
  head.writeUInt16LE(problem, 14);
  return Buffer.concat([head, align(name)]);
}

function record(path: string, problem: number, entries: readonly Buffer[]): Buffer {
  const body = Buffer.concat([align(path), ...entries]);
  const head = Buffer.alloc(16);
  head.writeUInt32LE(16 + body.length, 0);
  head.writeUInt32LE(path.length, 4);
  head.writeUInt32LE(entries.length, 8);
  head.writeUInt32LE(problem, 12);
  return Buffer.concat([head, body]);
}

const LINKS = Buffer.from('bin\0a/\xff\0', 'latin1');

function tell(batches: readonly Buffer[], aheadBytes?: number, links?: Buffer): unknown[] {
  const waiting = [...batches];
  let closed = 0;
  const native: NativeSurvey = {
    next: () => waiting.shift(),
    links: () => (waiting.length === 0 ? links : undefined),
    close: () => (closed += 1),
  };
  const told: unknown[] = [];
  const visitor = {
    entry: (...args: unknown[]) => told.push(args),
    unlisted: (...args: unknown[]) => told.push(args),
  };
  try {
    const nothing = () => Buffer.alloc(0);
    const everything = { take: (batch: Buffer) => batch, rest: nothing, heads: nothing };
    const survey = new TreeSurvey(native, everything);
    if (aheadBytes !== undefined) told.push(survey.readAhead(aheadBytes));
    survey.tell(visitor);
  } finally {
    assert.equal(closed, 1);
  }
  return told;
}

const BATCH = Buffer.concat([
  record('', 0, [entry('a'), entry('\xff\x80')]),
  record('etc/x', 3, []),
  record('b', 0, [entry('c', 0, 3, 0)]),
]);

test('records are told entry by entry, names byte for byte, problems by name', () => {
  const plain = { type: 'file', mode: 0o4755, size: 5 };
  assert.deepEqual(tell([BATCH, record('', 0, [entry('z')])]), [
    ['', 'a', plain],
    ['', '\xff\x80', plain],
    ['etc/x', 'mount'],
    ['b', 'c', { ...plain, size: 0, problem: 'mount' }],
    ['', 'z', plain],
  ]);
  assert.deepEqual(tell([]), []);
});

test('a tree that is listed ahead is told as any other, after its links', () => {
  const entries = tell([BATCH, BATCH]);
  assert.deepEqual(tell([BATCH, BATCH], 1024, LINKS), [['bin', 'a/\xff'], ...entries]);
  assert.deepEqual(tell([BATCH, BATCH], 1024, Buffer.alloc(0)), [[], ...entries]);
  assert.deepEqual(tell([BATCH, BATCH], 1024), [undefined, ...entries], 'too many links');
  assert.deepEqual(tell([BATCH, BATCH], 10, LINKS), [undefined, ...entries], 'too much to hold');
});

test('bytes that the native part cannot have made are a TypeError or fewer entries, never anything else', () => {
  for (let bytes = 0; bytes < BATCH.length; bytes += 1) {
    try {
      tell([BATCH.subarray(0, bytes)]);
    } catch (error) {
      assert.ok(error instanceof TypeError || error instanceof RangeError, String(error));
    }
  }
  assert.throws(() => tell([record('a', 0, [entry('b', 9)])]), TypeError);
});

test('contents and types come back in order; a wrong count or length is a TypeError', () => {
  const packed = Buffer.concat([Buffer.from([2, 0, 0, 0]), Buffer.from('ab'), Buffer.alloc(4, 0xff), Buffer.alloc(4)]);
  assert.deepEqual(decodeContents(packed, 3), [Buffer.from('ab'), undefined, Buffer.alloc(0)]);
  assert.throws(() => decodeContents(packed, 2), TypeError);
  assert.throws(() => decodeContents(packed.subarray(0, 5), 1), TypeError);
  assert.deepEqual(decodeTypes(Buffer.from([0, 1, 255]), 3), ['file', 'directory', undefined]);
  assert.throws(() => decodeTypes(Buffer.from([0]), 2), TypeError);
});

test('paths are packed with a NUL behind each; parts that climb, and NUL, are refused', () => {
  assert.deepEqual(packPaths(['a', '', '/b/\xff']), Buffer.from('a\0\0/b/\xff\0', 'latin1'));
  for (const path of ['..', '../a', 'a/..', '/a/../b', 'a\0b']) assert.throws(() => packPaths([path]), TypeError, path);
  assert.deepEqual(packPaths(['..a', 'a..', '...']), Buffer.from('..a\0a..\0...\0'));
});

test('misspelt options and wrong values are refused by name', () => {
  assert.deepEqual(checkSurveyOptions({ maxEntries: 1, maxDepth: 2 }), { maxEntries: 1, maxDepth: 2, helpers: 0 });
  assert.throws(() => checkSurveyOptions({ maxEntries: 0, maxDepth: 2 }), TypeError);
  const misspelt = { maxEntries: 1, maxDepth: 2, helper: 1 };
  assert.throws(() => checkSurveyOptions(misspelt), /helper/);
  assert.throws(() => checkReadManyOptions({ maxBytes: 1, maxAllBytes: -1 }), TypeError);
  assert.equal(checkReadManyOptions({ maxBytes: 1, maxAllBytes: 1 }).heads, false);
});

test('what was listed before a limit is told, then the limit', () => {
  const limit = new RootfsError('ERR_ROOTFS_LIMIT', 'walk: a limit was reached', { syscall: 'walk' });
  const waiting = [record('a', 0, [entry('x')]), record('b', 0, [entry('y')])];
  const native: NativeSurvey = {
    next: () => {
      if (waiting.length === 0) throw limit;
      return waiting.shift();
    },
    links: () => undefined,
    close: () => undefined,
  };
  const held: Buffer[] = [];
  const told: string[] = [];
  const late = {
    take: (batch: Buffer) => {
      held.push(batch);
      return Buffer.alloc(0);
    },
    rest: () => held[0] ?? Buffer.alloc(0),
    heads: () => held[1] ?? Buffer.alloc(0),
  };
  const visitor = {
    entry: (directory: string, name: string) => told.push(`${directory}/${name}`),
    unlisted: () => assert.fail(),
    beforeHeads: () => told.push('then'),
  };
  assert.throws(() => new TreeSurvey(native, late).tell(visitor), limit);
  assert.deepEqual(told, ['a/x', 'then', 'b/y']);
});
