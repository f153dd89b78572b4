import assert from 'node:assert/strict';
import { suite, test } from 'node:test';
import { toBytePath } from '@holdfast/evidence/inventory';
import { createMemoryView } from '../root-view/memory-view.test-support.ts';
import type { RootView } from '../root-view/root-view.ts';
import { openFileBytes } from './file-bytes.ts';

const PATH = toBytePath('/file');
const CONTENT = Buffer.from(Array.from({ length: 40_000 }, (_, at) => at % 251));

suite('a file of which both ends are read already', () => {
  test('reads the same anywhere, and its ends without asking the view', () => {
    const view: RootView = createMemoryView({ '/file': CONTENT });
    let asked = 0;
    view.readPart = (_, offset, length) => {
      asked += 1;
      return CONTENT.subarray(offset, offset + length);
    };
    const file = openFileBytes(view, PATH, CONTENT.length, CONTENT.subarray(0, 4096), CONTENT.subarray(-4096));
    const read = (offset: number, length: number) => {
      assert.deepEqual(file.read(offset, length), CONTENT.subarray(offset, offset + length), `${offset} ${length}`);
      return asked;
    };
    assert.deepEqual([read(0, 4096), read(35_904, 4096), read(39_999, 1), read(40_000, 0)], [0, 0, 0, 0]);
    assert.deepEqual([read(4000, 200), read(3000, 1300), read(35_900, 10), read(39_990, 20)], [1, 1, 2, 3]);
    assert.deepEqual([read(10, 10), read(39_000, 10)], [3, 3]);
  });
});
