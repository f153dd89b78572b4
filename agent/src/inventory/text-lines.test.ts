import assert from 'node:assert/strict';
import { test } from 'node:test';
import { copyText, readLines } from './text-lines.ts';

const MIB = 1024 * 1024;

function listLines(bytes: Buffer): string[] {
  const lines: string[] = [];
  readLines(bytes, (line) => lines.push(line) > 0);
  return lines;
}

test('lines are those of the whole text, wherever a window ends', () => {
  for (const text of ['', 'a', 'a\n', '\n', '\n\na', 'a\n\nb\r\n\xff\n']) {
    const expected = text === '' ? [] : text.replace(/\n$/, '').split('\n');
    assert.deepEqual(listLines(Buffer.from(text, 'latin1')), expected, JSON.stringify(text));
  }
  for (const first of [MIB - 2, MIB - 1, MIB, MIB + 1, 2 * MIB - 1]) {
    const text = `${'x'.repeat(first)}\n${'y'.repeat(MIB - 1)}\n\nlast`;
    const expected = [Math.min(first, MIB), MIB - 1, 0, 4];
    assert.deepEqual(
      listLines(Buffer.from(text)).map((line) => line.length),
      expected,
      `${first}`,
    );
  }
});

test('it ends where the caller has enough', () => {
  const lines: string[] = [];
  readLines(Buffer.from('a\nb\nc\n'), (line) => lines.push(line) < 2);
  assert.deepEqual(lines, ['a', 'b']);
});

test('a copy is the same text', () => {
  for (const text of ['', 'a', '\xff\0 x'.repeat(20)]) assert.equal(copyText(text), text);
});
