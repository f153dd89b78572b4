import assert from 'node:assert/strict';
import { test } from 'node:test';
import { readAgentBuild } from './agent-files.ts';
import { ReferenceRefused } from './reference-refused.ts';

const SHA256 = 'a'.repeat(64);

test('the files of a build are read, with spaces as IMA writes them', () => {
  const build = readAgentBuild({ version: '0.1.0', files: { 'bin/node': SHA256, 'a b/c.js': SHA256 } });
  assert.equal(build.version, '0.1.0');
  assert.deepEqual([...build.files.keys()], ['bin/node', 'a_b/c.js']);
});

const BAD: [what: string, predicate: unknown][] = [
  ['that is no object', null],
  ['without a version', { files: { 'bin/node': SHA256 } }],
  ['without files', { version: '1' }],
  ['with no file', { version: '1', files: {} }],
  ['with an absolute path', { version: '1', files: { '/bin/node': SHA256 } }],
  ['with a path that climbs', { version: '1', files: { 'a/../b': SHA256 } }],
  ['with an empty part in a path', { version: '1', files: { 'a//b': SHA256 } }],
  ['with a digest that is too short', { version: '1', files: { a: 'aa' } }],
  ['with a digest in capitals', { version: '1', files: { a: 'A'.repeat(64) } }],
  ['with a digest that is no text', { version: '1', files: { a: 1 } }],
  [
    'with too many files',
    { version: '1', files: Object.fromEntries(Array.from({ length: 50_001 }, (_, at) => [`f${at}`, SHA256])) },
  ],
];
for (const [what, predicate] of BAD) {
  test(`a list ${what} is refused`, () => {
    assert.throws(
      () => readAgentBuild(predicate),
      (error) => error instanceof ReferenceRefused && error.reason === 'MALFORMED',
    );
  });
}
