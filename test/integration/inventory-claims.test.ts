import assert from 'node:assert/strict';
import { chmodSync, existsSync, mkdirSync, readFileSync, symlinkSync, writeFileSync } from 'node:fs';
import { dirname, join } from 'node:path';
import { type TestContext, test } from 'node:test';
import { collectInventory, openDirectoryView, type RootView } from '@holdfast/agent';
import { makeTree } from '../support/hostile-tree.ts';

const RUNC = '/usr/bin/runc';
const ELF = Buffer.alloc(64);
ELF.write('\x7fELF\x02\x01\x01', 'latin1');
ELF.writeUInt16LE(3, 16);

const PACKAGES = ['bash', 'dash', 'node-x', 'libc6'];
const LISTS: Readonly<Record<string, readonly string[]>> = {
  bash: ['/.', '/bin', '/bin/sh', '/bin/bash', '/usr/share/n/package.json', '/loop/x'],
  dash: ['/bin/sh', '/lib/so/a.so', '/opt//odd', '/opt/../odd', '/gone/x'],
  'node-x': ['/usr/lib/node_modules/x/package.json', '/lib/so/b.so', '/usr/lib/so/b.so', '/bin/tool'],
  libc6: ['/lib/so/b.so', '/usr/bin/tool', '/usr/bin/go', '/usr/bin/go.py'],
};

function makeRoot(t: TestContext): string {
  const base = makeTree(t);
  const put = (path: string, content: string | Buffer, mode = 0o644) => {
    mkdirSync(dirname(join(base, path)), { recursive: true });
    writeFileSync(join(base, path), content);
    chmodSync(join(base, path), mode);
  };
  const stanza = (name: string) => `Package: ${name}\nStatus: install ok installed\nVersion: 1\nArchitecture: amd64\n`;
  put('var/lib/dpkg/status', PACKAGES.map(stanza).join('\n'));
  for (const name of PACKAGES) put(`var/lib/dpkg/info/${name}.list`, `${LISTS[name]?.join('\n')}\n`);
  put('var/lib/dpkg/diversions', '/bin/sh\n/bin/sh.distrib\ndash\n');
  for (const program of ['sh', 'sh.distrib', 'bash', 'tool', 'free']) put(`usr/bin/${program}`, ELF, 0o755);
  for (const library of ['a.so', 'b.so', 'free.so']) put(`usr/lib/so/${library}`, ELF);
  // Programs of Go, where there is one.
  const program = existsSync(RUNC) ? readFileSync(RUNC) : ELF;
  for (const path of ['usr/bin/go', 'usr/bin/go.py', 'srv/go.py']) put(path, program, 0o755);
  const manifest = (name: string) => JSON.stringify({ name, version: '1' });
  put('usr/lib/node_modules/x/package.json', manifest('x'));
  put('usr/share/n/package.json', manifest('n'));
  put('srv/app/package.json', manifest('free'));
  symlinkSync('usr/bin', join(base, 'bin'));
  symlinkSync('/usr/lib', join(base, 'lib'));
  symlinkSync('loop', join(base, 'loop'));
  return base;
}

/** A view as others are: it lists by itself, and knows no claims. */
function hideFastWays(view: RootView): RootView {
  const hidden = new Set(['createClaims', 'startWalk', 'startReads', 'startEnds', 'typesOf']);
  return new Proxy(view, {
    get(target, name) {
      const value: unknown = hidden.has(String(name)) ? undefined : Reflect.get(target, name);
      return typeof value === 'function' ? value.bind(target) : value;
    },
  });
}

test('the fast ways of a directory find the same inventory as a view without them', (t) => {
  const base = makeRoot(t);
  for (const maxOwnedBytes of [1 << 20, 1200, 600, 1]) {
    using view = openDirectoryView(base, { helpers: 1 });
    const fast = collectInventory(view, { maxOwnedBytes });
    assert.deepEqual(fast, collectInventory(hideFastWays(view), { maxOwnedBytes }));
    assert.equal(fast.limits.includes('ownedPaths /'), maxOwnedBytes < 1 << 20);
    if (maxOwnedBytes < 1 << 20) continue;
    assert.deepEqual(fast.unowned, { executables: 2, sharedObjects: 1 });
    const programs = fast.packages.filter(({ name }) => name === 'stdlib').map(({ path }) => path);
    assert.deepEqual(programs, existsSync(RUNC) ? ['/srv/go.py', '/usr/bin/go'] : []);
    const owners = Object.fromEntries(fast.packages.map(({ name, ownedBy }) => [name, ownedBy]));
    assert.equal(owners['x'], 'pkg:deb/node-x@1?arch=amd64');
    assert.equal(owners['n'], 'pkg:deb/bash@1?arch=amd64');
    assert.equal(owners['free'], undefined);
  }
});
