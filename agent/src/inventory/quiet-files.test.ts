import assert from 'node:assert/strict';
import { test } from 'node:test';
import { isQuiet, QUIET_EXTENSIONS } from './quiet-files.ts';

test('names of text, documents and compressed data are quiet; programs are not', () => {
  for (const name of ['a.py', '.js', 'x.tar.gz', 'README.md', 'lib.so.h']) assert.equal(isQuiet(name), true, name);
  for (const name of ['tool', 'lua5.4', 'python3.11', 'libx.so', 'libx.so.1', 'x.PY', 'a.', 'py', 'app.exe', 'x.node'])
    assert.equal(isQuiet(name), false, name);
  for (const extension of QUIET_EXTENSIONS) assert.match(extension, /^[a-z][a-z0-9]*$/);
});
