import assert from 'node:assert/strict';
import { test } from 'node:test';
import { assertSurvivesHostileBytes, createRandom, evidenceError } from '../testing/foreign-bytes.test.ts';
import { parseStrictJson } from './strict-json.ts';

const accepted = [
  'null',
  ' [ ] ',
  '{}',
  '-0.5e+3',
  '"\\u00e9\\n\\/ \\ud83d\\ude00"',
  '{"a":[1,{"b":null}],"c":true,"":false}',
  '["\u2028"]',
  '[1,2,\t3]\r\n',
];
for (const text of accepted) {
  test(`reads ${JSON.stringify(text)} as JSON.parse does`, () => {
    assert.deepEqual(parseStrictJson(text), JSON.parse(text));
    assert.deepEqual(parseStrictJson(Buffer.from(text)), JSON.parse(text));
  });
}

const malformed = {
  'nothing at all': '',
  'a duplicate name': '{"a":1,"a":2}',
  'a duplicate name spelt by an escape': '{"a":1,"\\u0061":2}',
  __proto__: '{"__proto__":{}}',
  '__proto__ spelt by an escape': '{"\\u005f_proto__":{}}',
  'a lone high surrogate': '"\\ud800"',
  'a lone low surrogate as a name': '{"\\udc00":1}',
  'a number beyond a double': '1e999',
  'a leading zero': '01',
  'a plus sign': '+1',
  'a hexadecimal number': '0x1',
  'a bare point': '1.',
  'a comma at the end': '[1,]',
  'a missing comma': '[1 2]',
  'a comment': '[1/**/]',
  'single quotes': "{'a':1}",
  'an unquoted name': '{a:1}',
  'a control character': '"\u0001"',
  'an unknown escape': '"\\x41"',
  'an escape cut short': '"\\u00"',
  'a string without end': '"abc',
  'a backslash at the end': '"abc\\',
  'two documents': '{}{}',
  'a byte order mark': '\ufeff{}',
  NaN: 'NaN',
  'an unknown word': 'nul',
  'another kind of space': '\u00a0{}',
};
for (const [what, text] of Object.entries(malformed)) {
  test(`JSON with ${what} is refused`, () => {
    assert.throws(() => parseStrictJson(text), evidenceError('ERR_EVIDENCE_MALFORMED'));
  });
}

test('bytes that are not UTF-8 are refused', () => {
  assert.throws(() => parseStrictJson(Buffer.from([0x22, 0xff, 0x22])), evidenceError('ERR_EVIDENCE_MALFORMED'));
});

test('each limit is enforced at its border', () => {
  assert.deepEqual(parseStrictJson('[1,2]', { maxBytes: 5, maxDepth: 1, maxKeys: 2 }), [1, 2]);
  assert.throws(() => parseStrictJson('[1,2]', { maxBytes: 4 }), evidenceError('ERR_EVIDENCE_LIMIT'));
  assert.throws(() => parseStrictJson('[[1]]', { maxDepth: 1 }), evidenceError('ERR_EVIDENCE_LIMIT'));
  assert.throws(() => parseStrictJson('{"a":1,"b":2}', { maxKeys: 1 }), evidenceError('ERR_EVIDENCE_LIMIT'));
  assert.throws(() => parseStrictJson('"é"', { maxBytes: 3 }), evidenceError('ERR_EVIDENCE_LIMIT'));
});

test('deep nesting within the byte limit ends in an error, not in a full stack', () => {
  assert.throws(() => parseStrictJson('['.repeat(1_000_000)), evidenceError('ERR_EVIDENCE_LIMIT'));
});

test('names of Object.prototype are ordinary members', () => {
  assert.deepEqual(Object.keys(Object(parseStrictJson('{"constructor":1,"toString":2}'))), ['constructor', 'toString']);
});

test('hostile bytes end in EvidenceError only', () => {
  const sample = Buffer.from('{"a":[1,-2.5e3,true,null,"x\\u0041é"],"b":{"c":""}}');
  assertSurvivesHostileBytes(parseStrictJson, sample);
});

test('whatever is accepted means the same to JSON.parse', () => {
  const random = createRandom(7);
  const alphabet = [
    '{',
    '}',
    '[',
    ']',
    ',',
    ':',
    '"',
    '\\',
    'a',
    'u',
    '0',
    '1',
    '-',
    '.',
    'e',
    ' ',
    'true',
    'null',
    '"b"',
  ];
  for (let round = 0; round < 20_000; round += 1) {
    const text = Array.from({ length: 1 + (random() % 8) }, () => alphabet[random() % alphabet.length]).join('');
    let value: unknown;
    try {
      value = parseStrictJson(text);
    } catch (error) {
      evidenceError('ERR_EVIDENCE_MALFORMED')(error);
      continue;
    }
    assert.deepEqual(value, JSON.parse(text));
  }
});
