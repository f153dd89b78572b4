import assert from 'node:assert/strict';
import { test } from 'node:test';
import { findPreloads } from './preload-variables.ts';

test('only variables that the dynamic linker loads code by are told, and no other value', () => {
  const environment = 'PATH=/bin\0LD_PRELOAD=/a.so /b.so\0TOKEN=secret\0LD_AUDIT=/c=d\0';
  assert.deepEqual(findPreloads(environment), [
    { name: 'LD_PRELOAD', value: '/a.so /b.so' },
    { name: 'LD_AUDIT', value: '/c=d' },
  ]);
});

test('empty, broken and look-alike variables are none, and a long value is cut', () => {
  assert.deepEqual(findPreloads('LD_PRELOAD=\0LD_PRELOAD\0=LD_PRELOAD\0XLD_PRELOAD=/a\0LD_PRELOADX=/a\0\0'), []);
  assert.deepEqual(findPreloads(''), []);
  assert.equal(findPreloads(`LD_PRELOAD=${'x'.repeat(5_000)}`)[0]?.value.length, 1_024);
});
