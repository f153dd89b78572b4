import assert from 'node:assert/strict';
import { test } from 'node:test';
import { EvidenceError } from '@holdfast/evidence';
import { Crc64 } from './crc64.ts';
import { type TarSplitEntry, TarSplitParser } from './parse-tar-split.ts';

/** As podman 4.3 wrote it, headers cut short. */
const LINES = Buffer.from(
  [
    { type: 2, payload: 'Li9ldGMv', position: 0 },
    { type: 1, name: './etc/', payload: null, position: 1 },
    { type: 1, name: './etc/conf', size: 3, payload: 'YUmYEAAAAAA=', position: 2 },
    { type: 2, payload: '', position: 3 },
    { type: 1, name_raw: 'YmFk/w==', size: 3, payload: 'YUmYEAAAAAA=', position: 4 },
    { type: 2, payload: null, position: 5 },
  ]
    .map((line) => `${JSON.stringify(line)}\n`)
    .join(''),
);

function parse(bytes: Buffer, pieceBytes = bytes.length || 1): TarSplitEntry[] {
  const entries: TarSplitEntry[] = [];
  const parser = new TarSplitParser((entry) => entries.push(entry));
  for (let at = 0; at < bytes.length; at += pieceBytes) parser.push(bytes.subarray(at, at + pieceBytes));
  parser.end();
  return entries;
}

const parseLine = (line: object) => parse(Buffer.from(JSON.stringify(line)));

test('entries are the same however the bytes come in', () => {
  const crc = Buffer.from('6149981000000000', 'hex');
  const expected = [
    { kind: 'bytes', bytes: Buffer.from('./etc/') },
    { kind: 'file', path: './etc/', size: 0, crc: undefined },
    { kind: 'file', path: './etc/conf', size: 3, crc },
    { kind: 'bytes', bytes: Buffer.alloc(0) },
    { kind: 'file', path: 'bad\xff', size: 3, crc },
    { kind: 'bytes', bytes: Buffer.alloc(0) },
  ];
  for (const pieceBytes of [1, 7, 64, LINES.length]) assert.deepEqual(parse(LINES, pieceBytes), expected);
});

test('the checksum is the one that tar-split keeps, however the content comes in', () => {
  const whole = new Crc64();
  whole.update(Buffer.from('hi\n'));
  const split = new Crc64();
  for (const byte of Buffer.from('hi\n')) split.update(Buffer.from([byte]));
  assert.equal(whole.digest().toString('base64'), 'YUmYEAAAAAA=');
  assert.deepEqual(split.digest(), whole.digest());
});

test('what is not tar-split is refused', () => {
  const file = { type: 1, name: 'a', size: 1, payload: 'YUmYEAAAAAA=', position: 0 };
  assert.equal(parseLine(file).length, 1);
  const refused = [
    { ...file, position: 1 },
    { ...file, type: 3 },
    { ...file, type: 'file' },
    { ...file, size: -1 },
    { ...file, size: 1.5 },
    { ...file, size: '1' },
    { ...file, payload: null },
    { ...file, payload: 7 },
    { type: 1, size: 0, payload: null, position: 0 },
    { type: 2, position: 0 },
    [],
  ];
  for (const line of refused) assert.throws(() => parseLine(line), EvidenceError, JSON.stringify(line));
});

test('a line without an end is refused before memory is', () => {
  const parser = new TarSplitParser(() => undefined);
  const push = () => {
    for (let piece = 0; piece < 20; piece += 1) parser.push(Buffer.alloc(1 << 20, 0x20));
  };
  assert.throws(push, { code: 'ERR_EVIDENCE_LIMIT' });
});

test('truncated, flipped and random bytes throw nothing but the own error', () => {
  const attempt = (bytes: Buffer) => {
    try {
      parse(bytes, 100);
    } catch (error) {
      assert.ok(error instanceof EvidenceError, String(error));
    }
  };
  for (let length = 0; length <= LINES.length; length += 1) attempt(LINES.subarray(0, length));
  for (let bit = 0; bit < LINES.length * 8; bit += 1) {
    const flipped = Buffer.from(LINES);
    flipped.writeUInt8(flipped.readUInt8(bit >> 3) ^ (1 << (bit & 7)), bit >> 3);
    attempt(flipped);
  }
  let seed = 7;
  for (let round = 0; round < 300; round += 1) {
    const bytes = Buffer.alloc(round);
    for (let at = 0; at < round; at += 1) {
      seed = (seed * 1_103_515_245 + 12_345) & 0x7fffffff;
      bytes.writeUInt8(round % 2 === 0 ? (seed >> 16) & 0xff : (LINES[(seed >> 8) % LINES.length] ?? 0), at);
    }
    attempt(bytes);
  }
});
