import assert from 'node:assert/strict';
import { test } from 'node:test';
import { checkBytes, checkFlag, checkInteger, checkOptions, checkWord } from './check-options.ts';

test('a misspelt option is named with the likely spelling', () => {
  assert.throws(() => checkOptions({ qualifingData: 1 }, ['qualifyingData', 'key'], 'quote'), {
    name: 'TypeError',
    message: 'quote knows no option "qualifingData": did you mean "qualifyingData"?',
  });
});

test('an unknown option is answered with the known ones', () => {
  assert.throws(() => checkOptions({ colour: 1 }, ['key', 'digest'], 'sign'), {
    message: 'sign knows no option "colour": it takes key, digest',
  });
});

test('known options pass, in any number', () => {
  checkOptions({}, ['key'], 'sign');
  checkOptions({ key: undefined }, ['key'], 'sign');
});

for (const wrong of [undefined, null, 'text', 7, [], Buffer.alloc(1), () => 1]) {
  test(`options may not be ${Array.isArray(wrong) ? 'an array' : typeof wrong}`, () => {
    assert.throws(() => checkOptions(wrong, ['key'], 'sign'), TypeError);
  });
}

test('bytes must be bytes of the right length', () => {
  checkBytes(Buffer.alloc(0), 'x');
  checkBytes(new Uint8Array(3), 'x', { min: 3, max: 3 });
  assert.throws(() => checkBytes('text', 'x'), TypeError);
  assert.throws(() => checkBytes([1], 'x'), TypeError);
  assert.throws(() => checkBytes(Buffer.alloc(2), 'x', { min: 3 }), /x must have 3 to 65535 bytes, not 2/);
  assert.throws(() => checkBytes(Buffer.alloc(65_536), 'x'), TypeError);
});

test('numbers must be whole and in range', () => {
  checkInteger(0, 'x', 0, 1);
  for (const wrong of [-1, 2, 0.5, Number.NaN, Number.POSITIVE_INFINITY, '1', 1n, undefined]) {
    assert.throws(() => checkInteger(wrong, 'x', 0, 1), TypeError);
  }
});

test('words and flags are checked', () => {
  checkWord('a', 'x', ['a', 'b']);
  assert.throws(() => checkWord('c', 'x', ['a', 'b']), /x must be one of a, b/);
  assert.throws(() => checkWord('toString', 'x', ['a']), TypeError);
  checkFlag(undefined, 'x');
  checkFlag(false, 'x');
  assert.throws(() => checkFlag(1, 'x'), TypeError);
});
