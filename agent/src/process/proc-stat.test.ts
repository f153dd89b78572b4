import assert from 'node:assert/strict';
import { test } from 'node:test';
import { isLivingThread, parseProcessStat } from './proc-stat.ts';

const REST = 'S 41 42 42 34816 42 4194304 1 0 0 0 0 0 0 0 20 0 1 0 987654 1 1 1';

test('parent, terminal and start are read, whatever the program is called', () => {
  const expected = { parent: 41, hasTerminal: true, startTime: '987654' };
  assert.deepEqual(parseProcessStat(`42 (sh) ${REST}\n`), expected);
  assert.deepEqual(parseProcessStat(`42 (a) R 1 1 1 0 1 ) ${REST}\n`), expected);
  assert.equal(parseProcessStat(`42 (sh) ${REST.replace('34816', '0')}`)?.hasTerminal, false);
});

test('a text that is cut before its start time, or is another, says nothing', () => {
  const text = `42 (sh) ${REST}`;
  const end = text.indexOf('987654');
  for (let size = 0; size < end; size += 1) assert.equal(parseProcessStat(text.slice(0, size)), undefined);
  assert.equal(parseProcessStat('42 (sh) S x y z'), undefined);
});

test('a thread lives unless it ended, is ending or is of the kernel; a text that says nothing is no life', () => {
  const tell = (state: string, flags: number) => isLivingThread(`42 (a) Z 1 ) ${state} 41 42 42 0 42 ${flags} 1 0\n`);
  assert.deepEqual([tell('S', 0x40_0100), tell('D', 0)], [true, true]);
  assert.deepEqual(
    [tell('Z', 0), tell('X', 0), tell('R', 0x40_0004), tell('S', 0x20_8040)],
    [false, false, false, false],
  );
  for (const text of ['', '42 (sh)', '42 (sh) S 41 42', '42 (sh) S 1 1 1 0 1 x'])
    assert.equal(isLivingThread(text), false);
});
