import assert from 'node:assert/strict';
import { createHash } from 'node:crypto';
import { mkdir, mkdtemp, readFile, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { after, before, describe, it } from 'node:test';
import { collectInventory, createPackageOwners, openDirectoryView, openImageView } from '@holdfast/agent';
import { encodeInventory, type Inventory, toBytePath } from '@holdfast/evidence';
import { writeOciImage } from '@holdfast/scripts';
import { cacheDebianRoot, makeTemporaryDirectory, run } from './layer-fixtures.ts';

const skip = process.getuid?.() === 0 ? false : 'needs root to unpack and enter a root file system';

describe('inventory of a real Debian root', { skip }, () => {
  let tar: string;
  /** Shared: the last test alone changes it. */
  let root: string;

  before(async () => {
    tar = await cacheDebianRoot();
    root = await mkdtemp(join(tmpdir(), 'holdfast-root-'));
    await run('tar', ['--numeric-owner', '--xattrs', '--xattrs-include=*', '-C', root, '-xf', tar]);
  });
  after(() => rm(root, { recursive: true, force: true }));

  async function inside(command: string, ...args: string[]): Promise<string[]> {
    const { stdout } = await run('chroot', [root, command, ...args], { maxBuffer: 1 << 26 });
    return stdout.split('\n').filter((line) => line !== '');
  }

  function collect(): Inventory {
    using view = openDirectoryView(root);
    return collectInventory(view);
  }

  it('has the packages that dpkg-query names, to the last, with version, architecture and source', async () => {
    const fields = ['Package', 'Version', 'Architecture', 'source:Package', 'source:Version'];
    const format = `${fields.map((field) => `\${${field}}`).join(' ')}\\n`;
    const expected = await inside('dpkg-query', '-W', '-f', format);
    const inventory = collect();
    const found = inventory.packages.map(({ name, version, arch, source }) =>
      [name, version, arch, source?.name ?? name, source?.version ?? version].join(' '),
    );
    assert.ok(expected.length >= 90);
    assert.deepEqual(found.sort(), expected.sort());
    assert.deepEqual(inventory.limits, []);
    assert.deepEqual(inventory.unowned, { executables: 0, sharedObjects: 0 });
    assert.ok(inventory.packages.every(({ purl }) => purl.startsWith('pkg:deb/debian/')));
    assert.ok(encodeInventory(inventory).length > 0);
  });

  it('is the same from an image that was never unpacked, with the layer named', async (test) => {
    const layout = join(await makeTemporaryDirectory(test), 'layout');
    const image = await writeOciImage(layout, {
      name: 'holdfast.local/debian:1',
      layers: [{ tar: await readFile(tar) }],
    });
    using view = await openImageView(layout);
    const inventory = collectInventory(view);
    const layers = new Set(inventory.packages.map(({ layer }) => layer));
    assert.deepEqual([...layers], [image.layers[0]?.diffId]);
    const packages = inventory.packages.map(({ layer: _layer, ...rest }) => rest);
    assert.deepEqual({ ...inventory, packages }, collect());
  });

  it('knows the owner that dpkg knows, and the digest of every file that has one', async () => {
    using view = openDirectoryView(root);
    const owners = createPackageOwners(view);
    assert.deepEqual(owners.limits, []);
    let digests = 0;
    for (const line of await inside('sh', '-c', 'cd /var/lib/dpkg/info; grep -H ^/ *.list')) {
      const [, list = '', path = ''] = /^([^/]+)\.list:(.*)$/.exec(line) ?? [];
      if (path === '/.') continue;
      const owner = owners.ownerOf(toBytePath(path));
      assert.ok(owner, path);
      const real = view.resolve(toBytePath(path));
      if (owner.digest === undefined || real === undefined) continue;
      const content = view.readFile(real, 1 << 28);
      assert.ok(content, path);
      assert.equal(createHash('md5').update(content).digest('hex'), owner.digest.hex, path);
      assert.ok(
        owner.purl.startsWith(`pkg:deb/debian/${encodeURIComponent(list.replace(/:.*/, ''))}@`),
        `${path} ${list}`,
      );
      digests += 1;
    }
    assert.ok(digests > 3000, `${digests} digests`);
    for (const path of ['/usr/bin/env', '/lib/x86_64-linux-gnu/libc.so.6', '/bin/sh']) {
      const [line = ''] = await inside('dpkg', '-S', path).catch(() => []);
      const expected = line.replace(/[:,].*/, '');
      if (expected === '' || expected.startsWith('diversion')) continue;
      assert.ok(owners.ownerOf(toBytePath(path))?.purl.includes(`/${expected}@`), path);
    }
    assert.equal(owners.ownerOf(toBytePath('/usr/bin/nobody-owns-this')), undefined);
  });

  it('sees what an attacker adds: a hidden stanza, a language package, a program nobody owns', async () => {
    const status = join(root, 'var/lib/dpkg/status');
    const hidden = '\n\n\nPackage: hidden\nStatus: install ok installed\nArchitecture: all\nVersion: 6.6\n';
    await writeFile(status, hidden, { flag: 'a' });
    await mkdir(join(root, 'opt/app/node_modules/left'), { recursive: true });
    await writeFile(join(root, 'opt/app/node_modules/left/package.json'), '{"name":"left","version":"1.0.0"}');
    await mkdir(join(root, 'opt/venv/Evil_Pkg-1.dist-info'), { recursive: true });
    await writeFile(join(root, 'opt/venv/Evil_Pkg-1.dist-info/METADATA'), 'Name: Evil_Pkg\nVersion: 1\n\n');
    await writeFile(join(root, 'opt/tool'), await readFile('/bin/true'), { mode: 0o755 });
    await run('mkfifo', [join(root, 'opt/package.json')]);
    const inventory = collect();
    const added = inventory.packages.filter(({ name }) => ['hidden', 'left', 'Evil_Pkg'].includes(name));
    assert.deepEqual(
      added.map(({ purl }) => purl),
      ['pkg:deb/debian/hidden@6.6?arch=all', 'pkg:npm/left@1.0.0', 'pkg:pypi/evil-pkg@1'],
    );
    assert.deepEqual(inventory.unowned, { executables: 1, sharedObjects: 0 });
    assert.deepEqual(inventory.limits, []);
  });
});
