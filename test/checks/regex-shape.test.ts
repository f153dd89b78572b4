import assert from 'node:assert/strict';
import { suite, test } from 'node:test';
import { listSources } from './docs-source.ts';
import { listSlowRegexes } from './regex-shape.ts';

suite('regular expressions on text that others write', () => {
  test('none in the sources takes quadratic time for a long run of one character', () => {
    const slow = listSources().flatMap(({ path, code }) =>
      listSlowRegexes(code).map(({ text, reason }) => `${path}: ${text} (${reason})`),
    );
    assert.deepEqual(slow, []);
  });

  const planted = [
    ["text.replace(/\\0+$/, '');", 'unanchoredRun'],
    ['const BLANK_END = /[\\s\\0]+$/;', 'unanchoredRun'],
    ["plain.replace(/^ +| +$/g, '')", 'unanchoredRun'],
    ['const name = /([^/]+)\\.ko(?:\\.[a-z0-9]+)?$/.exec(path)?.[1];', 'unanchoredRun'],
    ['const match = /^version:\\s*(.*?)\\s*$/.exec(line);', 'blanksBehindOptional'],
    ['const BLANK = /^\\s*(?:#.*)?\\s*$/;', 'blanksBehindOptional'],
    ['const NAME = /^\\s*name = /m;', 'blanksAcrossLines'],
  ] as const;
  for (const [code, reason] of planted) {
    test(`one that does is found: ${code}`, () => {
      assert.deepEqual(
        listSlowRegexes(code).map((found) => found.reason),
        [reason],
      );
    });
  }

  test('those that do not are left alone', () => {
    const good = [
      "text.replace(/^\\0+/, '');",
      'path.split(/\\s+/);',
      "listen.replace(/:\\d+$/, '');",
      'a / b + c / d;',
    ];
    for (const code of good) assert.deepEqual(listSlowRegexes(code), []);
  });
});
