import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import { parseControl } from './parse-control.ts';

const FIELDS = new Set(['package', 'version', 'description']);

function parseText(text: string, limits = { maxStanzas: 10, maxChars: 10_000_000 }) {
  return parseControl(Buffer.from(text, 'latin1'), FIELDS, limits);
}

function parse(text: string): Record<string, string>[] {
  return parseText(text).stanzas.map((stanza) => Object.fromEntries(stanza));
}

const PLAIN = [
  { package: 'a', version: '1' },
  { package: 'b', version: '2' },
];

describe('control file', () => {
  it('reads paragraphs whatever stands between them', () => {
    for (const gap of ['\n', '\n\n', '\n\n\n\n', '\n \n', '\n\t\n \n\n', '\n\r\n']) {
      assert.deepEqual(parse(`Package: a\nVersion: 1\n${gap}Package: b\nVersion: 2\n`), PLAIN, JSON.stringify(gap));
    }
  });

  it('reads files with leading blank lines, CRLF and without a final line feed', () => {
    assert.deepEqual(parse('\n\n\nPackage: a\nVersion: 1\n\nPackage: b\nVersion: 2'), PLAIN);
    assert.deepEqual(parse('Package: a\r\nVersion: 1\r\n\r\nPackage: b\r\nVersion: 2\r\n'), PLAIN);
  });

  it('joins continuation lines and keeps them to their field', () => {
    const text = 'Package: a\nDescription: first\n second\n .\n third\nOther: x\n more\nVersion: 1\n';
    assert.deepEqual(parse(text), [{ package: 'a', description: 'first\nsecond\n.\nthird', version: '1' }]);
  });

  it('takes no field from a continuation line', () => {
    assert.deepEqual(parse('Package: a\nDescription: x\n Package: b\n Version: 9\nVersion: 1\n'), [
      { package: 'a', description: 'x\nPackage: b\nVersion: 9', version: '1' },
    ]);
  });

  it('takes field names in any case and with blanks before the colon', () => {
    assert.deepEqual(parse('PACKAGE : a\nversion\t: 1\n'), [{ package: 'a', version: '1' }]);
  });

  it('starts a new paragraph at a second package line', () => {
    assert.deepEqual(parse('Package: a\nVersion: 1\nPackage: b\nVersion: 2\n'), PLAIN);
  });

  it('keeps the first of a repeated field', () => {
    assert.deepEqual(parse('Package: a\nVersion: 1\nVersion: 2\n'), [{ package: 'a', version: '1' }]);
  });

  it('counts package lines on its own', () => {
    assert.equal(parseText('Package: a\n\n\npackage : b\n x\n Package: c\nXPackage: d').packageLines, 2);
  });

  it('ends where it holds more than was asked for, and says so', () => {
    const text = 'Package: a\nVersion: 1\n\n'.repeat(3);
    assert.equal(parseText(text, { maxStanzas: 3, maxChars: 100 }).isCut, false);
    const few = parseText(text, { maxStanzas: 1, maxChars: 100 });
    assert.deepEqual([few.stanzas.length, few.isCut], [2, true]);
    const short = parseText(text, { maxStanzas: 3, maxChars: 3 });
    assert.deepEqual([short.stanzas.length, short.isCut], [2, true]);
  });

  it('bounds a value and survives nonsense', () => {
    const [stanza] = parse(`Package: a\nDescription: ${'x'.repeat(10)}\n${` ${'y'.repeat(1000)}\n`.repeat(2000)}`);
    assert.ok((stanza?.['description']?.length ?? 0) <= 1024 * 1024);
    for (const text of ['', '\n', ':', ' lonely continuation', ':\n: :\n', '\0\0\0', 'Package:\n\nPackage:'])
      parse(text);
  });
});
