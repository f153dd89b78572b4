import assert from 'node:assert/strict';
import { execFileSync } from 'node:child_process';
import { cp, mkdir, mkdtemp, readFile, rm, stat, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { DatabaseSync } from 'node:sqlite';
import { after, before, describe, it, type TestContext } from 'node:test';
import { collectInventory, createPackageOwners, openDirectoryView } from '@holdfast/agent';
import { type Inventory, toBytePath } from '@holdfast/evidence';
import { makeTree } from '../support/hostile-tree.ts';
import { run } from './layer-fixtures.ts';

const VECTORS = join(import.meta.dirname, '../../../shared/vectors/rpm');
const DATABASE = 'var/lib/rpm/rpmdb.sqlite';

function collect(root: string): Inventory {
  using view = openDirectoryView(root);
  return collectInventory(view);
}

/** Name, epoch, version, release, architecture and source package as `rpm -qa` prints them. */
function listRows({ packages }: Inventory): string[] {
  return packages
    .map(({ name, version, arch, source, purl }) => {
      const epoch = /[?&]epoch=(\d+)/.exec(purl)?.[1] ?? '(none)';
      return [name, epoch, ...version.split('-'), arch, `${source?.name}-${source?.version}.src.rpm`].join('\t');
    })
    .sort();
}

async function isThere(path: string): Promise<boolean> {
  return await stat(path).then(
    () => true,
    () => false,
  );
}

describe('real databases of rpm', () => {
  for (const [name, file] of [
    ['mariner-2.0-sqlite', 'rpmdb.sqlite'],
    ['sle15-ndb', 'Packages.db'],
    ['libuuid-bdb', 'Packages'],
  ] as const) {
    it(`${name} holds the packages of the list beside it`, async (test) => {
      const vector = join(VECTORS, name);
      if (!(await isThere(vector))) return test.skip('the shared vectors are not here');
      const root = makeTree(test);
      await mkdir(join(root, 'usr/lib/sysimage/rpm'), { recursive: true });
      await cp(join(vector, file), join(root, 'usr/lib/sysimage/rpm', file));
      const inventory = collect(root);
      const expected = (await readFile(join(vector, 'packages.tsv'), 'utf8')).split('\n').filter(Boolean);
      assert.ok(expected.length > 0);
      assert.deepEqual(listRows(inventory), expected.sort());
      assert.deepEqual(inventory.limits, []);
    });
  }
});

const SPEC = `Name: hf-one
Epoch: 3
Version: 1.2~rc1
Release: 4.hf
Summary: x
License: Apache-2.0
BuildArch: noarch
%description
x
%package -n hf-two
Summary: y
Epoch: 0
%description -n hf-two
y
%install
mkdir -p %{buildroot}/opt/hf
echo one >%{buildroot}/opt/hf/one
echo two >%{buildroot}/opt/hf/two
for i in $(seq 400); do echo $i >%{buildroot}/opt/hf/many-$i; done
%files
/opt/hf/one
%files -n hf-two
/opt/hf/two
/opt/hf/many-*
`;

const hasRpm = await run('rpmbuild', ['--version']).then(
  () => true,
  () => false,
);
const skip = hasRpm ? false : 'rpm is not installed';

describe('a database that rpm itself made', { skip, timeout: 120_000 }, () => {
  const QUERY = '%{NAME}\\t%|EPOCH?{%{EPOCH}}:{(none)}|\\t%{VERSION}\\t%{RELEASE}\\t%{ARCH}\\t%{SOURCERPM}\\n';
  let packages: string[] = [];
  let built = '';

  after(() => rm(built, { recursive: true, force: true }));
  before(async () => {
    built = await mkdtemp(join(tmpdir(), 'holdfast-rpm-'));
    await writeFile(join(built, 'a.spec'), SPEC);
    await run('rpmbuild', ['--quiet', '--define', `_topdir ${built}/top`, '-bb', join(built, 'a.spec')]);
    const name = (each: string) => join(built, `top/RPMS/noarch/${each}-1.2~rc1-4.hf.noarch.rpm`);
    packages = [name('hf-one'), name('hf-two')];
  });

  async function makeRoot(test: TestContext): Promise<string> {
    const root = makeTree(test);
    await mkdir(join(root, 'var/lib/rpm'), { recursive: true });
    const path = ['--dbpath', join(root, 'var/lib/rpm')];
    await run('rpm', [...path, '--initdb']);
    await run('rpm', [...path, '-i', '--justdb', '--nodeps', '--ignoreos', '--ignorearch', ...packages]);
    return root;
  }

  function query(root: string): string[] {
    const args = ['--dbpath', join(root, 'var/lib/rpm'), '-qa', '--qf', QUERY];
    const rows = execFileSync('rpm', args, { encoding: 'utf8', stdio: ['ignore', 'pipe', 'ignore'] }).split('\n');
    return rows
      .filter(Boolean)
      .map((row) => row.replace('\t0\t', '\t(none)\t'))
      .sort();
  }

  it('holds what rpm -qa says, and knows the owner and digest of every file', async (test) => {
    const root = await makeRoot(test);
    const inventory = collect(root);
    const expected = query(root);
    assert.equal(expected.length, 2);
    assert.deepEqual(listRows(inventory), expected);
    assert.deepEqual(inventory.limits, []);
    using view = openDirectoryView(root);
    const owners = createPackageOwners(view);
    const { stdout } = await run('rpm', ['-qp', '--qf', '[%{FILENAMES} %{FILEDIGESTS}\\n]', ...packages]);
    const files = stdout.split('\n').filter(Boolean);
    assert.equal(files.length, 402);
    for (const line of files) {
      const [path = '', hex] = line.split(' ');
      assert.equal(owners.ownerOf(toBytePath(path))?.digest?.hex, hex, path);
    }
    assert.deepEqual(owners.limits, []);
  });

  it('is read with the changes in its write-ahead log, and without those of an open transaction', async (test) => {
    const root = await makeRoot(test);
    const database = new DatabaseSync(join(root, DATABASE));
    test.after(() => database.close());
    database.exec(
      'PRAGMA foreign_keys = OFF; PRAGMA journal_mode = WAL; PRAGMA wal_autocheckpoint = 0; PRAGMA cache_size = 4',
    );
    database.exec('DELETE FROM Packages WHERE hnum = 1');
    const copy = async (): Promise<string> => {
      const target = makeTree(test);
      await mkdir(join(target, 'var/lib/rpm'), { recursive: true });
      for (const suffix of ['', '-wal']) await cp(join(root, DATABASE + suffix), join(target, DATABASE + suffix));
      return target;
    };
    const changed = await copy();
    const [row, ...others] = listRows(collect(changed));
    assert.deepEqual(others, []);
    assert.deepEqual(
      collect(changed).databases.map(({ path }) => path),
      [`/${DATABASE}`, `/${DATABASE}-wal`],
    );

    database.exec(
      'BEGIN; INSERT INTO Packages (blob) SELECT blob FROM Packages; INSERT INTO Packages (blob) VALUES (zeroblob(400000))',
    );
    const open = await copy();
    const [before, after] = await Promise.all([changed, open].map((each) => stat(join(each, `${DATABASE}-wal`))));
    assert.ok((after?.size ?? 0) > (before?.size ?? 0), 'the open transaction is in the log');
    assert.deepEqual(listRows(collect(open)), [row]);
    assert.deepEqual(collect(open).limits, []);
    database.exec('ROLLBACK; INSERT INTO Packages (blob) SELECT blob FROM Packages');
    assert.equal(listRows(collect(await copy())).length, 1, 'equal rows of one database count once');
    for (const each of [changed, open]) assert.deepEqual(query(each), [row]);
  });
});
