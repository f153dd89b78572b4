import assert from 'node:assert/strict';
import { mkdir, mkdtemp, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { after, before, describe, it } from 'node:test';
import { collectInventory, openDirectoryView } from '@holdfast/agent';
import type { Inventory, InventoryPackage } from '@holdfast/evidence';
import { run } from '../integration/layer-fixtures.ts';
import { cacheLanguageRoot } from './language-root.ts';

const skip = process.getuid?.() === 0 ? false : 'needs root to unpack and enter a root file system';

describe('inventory of a Debian root with python, node, java and ruby', { skip, timeout: 900_000 }, () => {
  let root = '';
  let first: Inventory;

  before(async () => {
    const tar = await cacheLanguageRoot();
    root = await mkdtemp(join(tmpdir(), 'holdfast-languages-'));
    await run('tar', ['--numeric-owner', '-C', root, '-xf', tar]);
    first = collect();
  });
  after(() => rm(root, { recursive: true, force: true }));

  function collect(): Inventory {
    using view = openDirectoryView(root);
    return collectInventory(view);
  }

  async function inside(command: string, ...args: string[]): Promise<string> {
    return (await run('chroot', [root, command, ...args], { maxBuffer: 1 << 26 })).stdout;
  }

  const ofType = ({ packages }: Inventory, type: string) => packages.filter((each) => each.type === type);
  const isUnowned = ({ ownedBy }: InventoryPackage) => ownedBy === undefined;

  it('has the debs that dpkg-query names, to the last', async () => {
    const format = `\${Package} \${Version} \${Architecture} \${source:Package} \${source:Version}\\n`;
    const expected = (await inside('dpkg-query', '-W', '-f', format)).split('\n').filter(Boolean).sort();
    const found = ofType(first, 'deb').map(({ name, version, arch, source }) =>
      [name, version, arch, source?.name ?? name, source?.version ?? version].join(' '),
    );
    assert.ok(expected.length >= 500, `${expected.length} debs`);
    assert.deepEqual(found.sort(), expected);
    assert.deepEqual([first.complete, first.limits], [true, []]);
  });

  it('knows that every language package of it belongs to a deb', () => {
    const languages = first.packages.filter(({ type }) => type !== 'deb');
    assert.ok(languages.length > 300, `${languages.length} language packages`);
    assert.deepEqual(languages.filter(isUnowned), []);
    assert.deepEqual(first.unowned, { executables: 0, sharedObjects: 0 });
    for (const type of ['npm', 'pypi', 'gem']) assert.ok(ofType(first, type).length >= 3, type);
  });

  it('has the packages of a virtual environment and an app directory, owned by nobody', async () => {
    await inside('python3', '-m', 'venv', '--without-pip', '/opt/venv');
    const site = join(root, 'opt/venv/lib/python3.11/site-packages');
    const listed = (await inside('pip', 'list', '--format=freeze')).split('\n').filter(Boolean);
    const pypi = ofType(first, 'pypi').map(({ name, version }) => `${name.toLowerCase()}==${version}`);
    for (const row of listed) assert.ok(pypi.includes(row.toLowerCase()), row);
    await mkdir(join(site, 'Flask_Thing-2.0.dist-info'), { recursive: true });
    await writeFile(
      join(site, 'Flask_Thing-2.0.dist-info/METADATA'),
      'Metadata-Version: 2.1\nName: Flask.Thing\nVersion: 2.0\n\n',
    );
    for (const [path, name] of [
      ['left-pad', 'left-pad'],
      ['@scope/tool', '@scope/tool'],
      ['left-pad/node_modules/deep', 'deep'],
    ] as const) {
      const directory = join(root, 'opt/app/node_modules', path);
      await mkdir(directory, { recursive: true });
      await writeFile(join(directory, 'package.json'), JSON.stringify({ name, version: '1.3.0' }));
    }
    const inventory = collect();
    assert.deepEqual(
      inventory.packages
        .filter(isUnowned)
        .filter(({ type }) => type !== 'deb')
        .map(({ purl }) => purl),
      ['pkg:npm/%40scope/tool@1.3.0', 'pkg:npm/deep@1.3.0', 'pkg:npm/left-pad@1.3.0', 'pkg:pypi/flask-thing@2.0'],
    );
    assert.equal(inventory.packages.length, first.packages.length + 4);
    assert.deepEqual(inventory.limits, []);
  });
});
