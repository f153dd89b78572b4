import assert from 'node:assert/strict';
import { test } from 'node:test';
import { evidenceError } from '../testing/foreign-bytes.test.ts';
import {
  array,
  base64url,
  boolean,
  hex,
  integer,
  nullable,
  object,
  ociDigest,
  oneOf,
  optional,
  pair,
  readShape,
  record,
  refine,
  type Shape,
  single,
  string,
  stringOr,
} from './shape.ts';
import type { JsonValue } from './strict-json.ts';

interface Sample {
  name: string;
  note?: string;
}
const sample = object<Sample>({ name: string({ max: 4 }), note: optional(string({ max: 2 })) });

const cases: { what: string; shape: Shape<unknown>; good: JsonValue[]; bad: JsonValue[] }[] = [
  {
    what: 'an object',
    shape: sample,
    good: [{ name: 'a' }, { name: 'abcd', note: '' }],
    bad: [null, [], 'a', {}, { name: 1 }, { name: 'abcde' }, { name: 'a', note: 'abc' }, { name: 'a', other: 1 }],
  },
  { what: 'a nullable', shape: nullable(boolean), good: [null, true], bad: [0, ''] },
  {
    what: 'an array',
    shape: array(integer(), { min: 1, max: 2 }),
    good: [[1], [1, 2]],
    bad: [[], [1, 2, 3], ['a'], {}],
  },
  {
    what: 'a record',
    shape: record(/^[ab]$/, integer(), { max: 1 }),
    good: [{}, { a: 1 }],
    bad: [{ c: 1 }, { a: 1, b: 2 }, [], { a: '' }],
  },
  {
    what: 'a string',
    shape: string({ min: 1, max: 2, pattern: /^a/ }),
    good: ['a', 'ab'],
    bad: ['', 'abc', 'b', 1, null],
  },
  { what: 'an integer', shape: integer({ min: 1, max: 3 }), good: [1, 3], bad: [0, 4, 1.5, '1', null] },
  { what: 'an unbounded integer', shape: integer(), good: [0, Number.MAX_SAFE_INTEGER], bad: [-1, 2 ** 53] },
  { what: 'one of a list', shape: oneOf('a', -16), good: ['a', -16], bad: ['b', 16, null] },
  { what: 'a pair', shape: pair(integer(), boolean), good: [[1, true]], bad: [[1], [1, true, 2], [true, 1], {}] },
  { what: 'a single', shape: single(integer()), good: [[1]], bad: [[], [1, 2], ['a'], 1] },
  {
    what: 'a string or a list',
    shape: stringOr(string({ max: 1 }), array(integer(), { max: 1 })),
    good: ['a', [1]],
    bad: ['ab', [1, 2], 1],
  },
  { what: 'hex', shape: hex(2), good: ['00ff'], bad: ['00FF', '00f', '00ff0', 'zzzz'] },
  {
    what: 'an OCI digest',
    shape: ociDigest,
    good: [`sha256:${'0'.repeat(64)}`],
    bad: ['0'.repeat(64), `sha256:${'0'.repeat(63)}`, `sha512:${'0'.repeat(64)}`],
  },
  { what: 'base64url of 2 bytes', shape: base64url(2), good: ['AAA'], bad: ['AA', 'AAAA', 1] },
  { what: 'base64url of 1 to 2 bytes', shape: base64url(1, 2), good: ['AA', 'AAA'], bad: ['', 'AAAA'] },
  {
    what: 'a refined value',
    shape: refine(integer(), (n) => (n === 3 ? 'is three' : undefined)),
    good: [2],
    bad: [3, 'a'],
  },
];
for (const { what, shape, good, bad } of cases) {
  test(`${what}: good values pass, others are refused`, () => {
    for (const value of good) assert.equal(readShape(shape, value, 'value'), value);
    for (const value of bad) {
      assert.throws(
        () => readShape(shape, value, 'value'),
        evidenceError('ERR_EVIDENCE_CLAIMS'),
        JSON.stringify(value),
      );
    }
  });
}

test('base64url with unused bits set is refused with the encoding code', () => {
  assert.throws(() => readShape(base64url(1), 'AB', 'value'), evidenceError('ERR_EVIDENCE_ENCODING'));
});

test('the message names the path and not the value', () => {
  assert.throws(
    () => readShape(array(sample, { max: 2 }), [{ name: 'secret' }], 'list'),
    /^EvidenceError: list\[0\]\.name: /,
  );
});
