import assert from 'node:assert/strict';
import { suite, test } from 'node:test';
import { formatTable } from './table.ts';
import { createTerminal, printable } from './terminal.ts';

function createStreams(isTTY: boolean, environment: Record<string, string> = {}) {
  const written = { out: '', err: '' };
  const streams = {
    stdout: { isTTY, write: (text: string) => (written.out += text) },
    stderr: { write: (text: string) => (written.err += text) },
    environment,
  };
  return { streams, written };
}

suite('the terminal', () => {
  test('in JSON mode stdout has one document and nothing else', () => {
    const { streams, written } = createStreams(true);
    const terminal = createTerminal(streams, true);
    terminal.print('for people');
    terminal.note('progress');
    terminal.printJson({ a: 1 });
    assert.equal(written.out, '{"a":1}\n');
    assert.equal(written.err, 'progress\n');
  });

  test('without JSON mode documents stay away', () => {
    const { streams, written } = createStreams(false);
    const terminal = createTerminal(streams, false);
    terminal.printJson({ a: 1 });
    terminal.print('for people');
    assert.equal(written.out, 'for people\n');
  });

  test('colours are for terminals that want them', () => {
    const paint = (isTTY: boolean, environment?: Record<string, string>) =>
      createTerminal(createStreams(isTTY, environment).streams, false).paint('red', 'x');
    assert.equal(paint(true), '\u001b[31mx\u001b[39m');
    assert.equal(paint(false), 'x');
    assert.equal(paint(true, { NO_COLOR: '1' }), 'x');
    assert.equal(paint(true, { TERM: 'dumb' }), 'x');
  });

  test('foreign text cannot move the cursor, break lines or turn the reading direction', () => {
    assert.equal(printable('a\u001b[2Jb\nc\u202ed'), 'a\\u{1b}[2Jb\\u{a}c\\u{202e}d');
    assert.equal(printable('naïve 日本 🎈'), 'naïve 日本 🎈');
  });

  test('table cells are made safe and lined up', () => {
    const { streams } = createStreams(false);
    const text = formatTable(
      [
        { title: 'NAME', cell: (row: { name: string; n: number }) => row.name },
        { title: 'N', cell: (row) => String(row.n), align: 'right' },
      ],
      [
        { name: 'a\nb', n: 1 },
        { name: 'long name', n: 100 },
      ],
      createTerminal(streams, false),
    );
    assert.deepEqual(text.split('\n'), ['NAME         N', 'a\\u{a}b      1', 'long name  100']);
  });
});
