import assert from 'node:assert/strict';
import { execFileSync } from 'node:child_process';
import { cp, mkdir, readFile, stat } from 'node:fs/promises';
import { join } from 'node:path';
import { describe, it } from 'node:test';
import { collectInventory, createPackageOwners, openDirectoryView, openImageView } from '@holdfast/agent';
import { type Inventory, toBytePath } from '@holdfast/evidence';
import { writeOciImage } from '@holdfast/scripts';
import { makeTree } from '../support/hostile-tree.ts';

const APK = join(import.meta.dirname, '../../../shared/vectors/apk/installed');

function collect(root: string): Inventory {
  using view = openDirectoryView(root);
  return collectInventory(view);
}

async function isThere(path: string): Promise<boolean> {
  return await stat(path).then(
    () => true,
    () => false,
  );
}

describe('programs of Go', () => {
  it('tell the release of Go that they name themselves, from a directory and from an image', async (test) => {
    const runc = '/usr/bin/runc';
    if (!(await isThere(runc))) return test.skip('runc is not installed');
    const expected = /^go: go(\S+)$/m.exec(execFileSync(runc, ['--version'], { encoding: 'utf8' }))?.[1];
    assert.ok(expected !== undefined);
    const root = makeTree(test);
    await cp(runc, join(root, 'runc'), { dereference: true });
    const found = collect(root);
    const rows = found.packages.map(({ type, name, version, path }) => [type, name, version, path]);
    assert.deepEqual(
      rows.filter(([, name]) => name === 'stdlib'),
      [['golang', 'stdlib', expected, '/runc']],
    );
    assert.deepEqual([found.limits, found.unowned.executables], [[], 1]);
    const layout = join(makeTree(test), 'layout');
    await writeOciImage(layout, { name: 'holdfast.local/go:1', layers: [{ directory: root }] });
    using image = await openImageView(layout);
    const inImage = collectInventory(image).packages;
    assert.deepEqual(
      inImage.map(({ purl }) => purl),
      found.packages.map(({ purl }) => purl),
    );
  });

  it('tell their modules', async (test) => {
    const buf = join(import.meta.dirname, '../../node_modules/@bufbuild/buf-linux-x64/bin/buf');
    if (!(await isThere(buf))) return test.skip('the buf program of this machine is not installed');
    const root = makeTree(test);
    await cp(buf, join(root, 'buf'));
    const names = collect(root).packages.map(({ name }) => name);
    assert.ok(names.length > 30, `${names.length} modules`);
    for (const name of ['github.com/bufbuild/buf', 'google.golang.org/protobuf', 'stdlib']) {
      assert.ok(names.includes(name), name);
    }
  });
});

describe('a real database of apk', () => {
  it('holds every package that it names, with the owners of its files', async (test) => {
    if (!(await isThere(APK))) return test.skip('the shared vectors are not here');
    const root = makeTree(test);
    await mkdir(join(root, 'lib/apk/db'), { recursive: true });
    await cp(APK, join(root, 'lib/apk/db/installed'));
    const text = await readFile(APK, 'utf8');
    const expected = text.split(/\n\n+/).flatMap((stanza) => {
      const field = (key: string) => new RegExp(`^${key}:(.*)$`, 'm').exec(stanza)?.[1];
      return field('P') === undefined ? [] : [`${field('P')} ${field('V')} ${field('A')}`];
    });
    const inventory = collect(root);
    assert.ok(expected.length > 0);
    assert.deepEqual(
      inventory.packages.map(({ name, version, arch }) => `${name} ${version} ${arch}`).sort(),
      expected.sort(),
    );
    assert.deepEqual(inventory.limits, []);
    using view = openDirectoryView(root);
    const owners = createPackageOwners(view);
    let directory = '';
    for (const line of text.split('\n')) {
      if (line.startsWith('F:')) directory = line.slice(2);
      if (!line.startsWith('R:')) continue;
      const path = `/${directory === '' ? '' : `${directory}/`}${line.slice(2)}`;
      assert.ok(owners.ownerOf(toBytePath(path)), path);
    }
  });
});
