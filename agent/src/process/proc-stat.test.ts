import assert from 'node:assert/strict';
import { test } from 'node:test';
import { parseProcessStat } from './proc-stat.ts';

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
