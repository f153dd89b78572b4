import assert from 'node:assert/strict';
import { test } from 'node:test';
import { listMappedModules } from './agent-files-source.ts';

const MAPS = `
55d0c0a00000-55d0c6000000 r-xp 00000000 08:01 11 /opt/holdfast/bin/node
7f1c5a000000-7f1c5a002000 r--p 00000000 08:01 12 /opt/holdfast/native/b/build/Release/b.node
7f1c5a002000-7f1c5a004000 r-xp 00002000 08:01 12 /opt/holdfast/native/b/build/Release/b.node
7f1c5a004000-7f1c5a006000 r-xp 00004000 08:01 12 /opt/holdfast/native/b/build/Release/b.node
7f1c5b000000-7f1c5b002000 r-xp 00000000 08:01 13 /opt/holdfast/native/a b.node
7f1c5c000000-7f1c5c002000 rw-p 00000000 08:01 14 /opt/holdfast/native/data.node
7f1c5d000000-7f1c5d002000 r-xp 00000000 08:01 15 /opt/holdfast-other/c.node
7f1c5e000000-7f1c5e002000 r-xp 00000000 08:01 16 /usr/lib/libc.so.6
7f1c5f000000-7f1c5f002000 r-xp 00000000 00:00 0 [vdso]
`;

test('native modules of the build that are mapped as code are listed once each', () => {
  assert.deepEqual(listMappedModules(MAPS, '/opt/holdfast'), [
    '/opt/holdfast/native/a b.node',
    '/opt/holdfast/native/b/build/Release/b.node',
  ]);
  assert.deepEqual(listMappedModules('', '/opt/holdfast'), []);
});
