import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import { encodeInventory, type Inventory } from '@holdfast/evidence';
import { createMemoryView, type MemoryEntry } from '../root-view/memory-view.test-support.ts';
import { ViewLimitError } from '../root-view/root-view.ts';
import { collectInventory, type InventoryOptions } from './collect-inventory.ts';

const DIFF_IDS = [`sha256:${'a'.repeat(64)}`, `sha256:${'b'.repeat(64)}`];
const STATUS = '/var/lib/dpkg/status';
const OS_RELEASE = { '/etc/os-release': 'NAME="Debian"\nID=debian\nVERSION_ID="12"\n' };

function collect(entries: Record<string, MemoryEntry>, options?: InventoryOptions): Inventory {
  const layers = DIFF_IDS.map((diffId) => ({ diffId }));
  const inventory = collectInventory(createMemoryView(entries, layers), options);
  encodeInventory(inventory);
  return inventory;
}

function stanza(name: string, version: string, more = ''): string {
  return `Package: ${name}\nStatus: install ok installed\nArchitecture: amd64\nVersion: ${version}\n${more}`;
}

const purls = (inventory: Inventory): string[] => inventory.packages.map(({ purl }) => purl);

function elf(type: number): Buffer {
  const bytes = Buffer.alloc(64);
  bytes.write('\x7fELF\x02\x01', 'latin1');
  bytes.writeUInt16LE(type, 16);
  return bytes;
}

describe('inventory', () => {
  it('says explicitly that no database was found', () => {
    assert.deepEqual(collect({ '/bin/sh': 'x' }), {
      format: 'holdfast-inventory-v1',
      databases: [],
      complete: true,
      limits: [],
      packages: [],
      unowned: { executables: 0, sharedObjects: 0 },
    });
  });

  it('gives each deb its purl, layer, path and source', () => {
    const inventory = collect({
      ...OS_RELEASE,
      [STATUS]: {
        layer: 1,
        content: `${stanza('bsdutils', '1:2.38.1-5+deb12u3', 'Source: util-linux (2.38.1-5+deb12u3)\n')}\n${stanza('apt', '2.6.2')}`,
      },
    });
    assert.deepEqual(inventory.packages, [
      {
        purl: 'pkg:deb/debian/apt@2.6.2?arch=amd64',
        type: 'deb',
        name: 'apt',
        version: '2.6.2',
        arch: 'amd64',
        path: STATUS,
        layer: DIFF_IDS[1],
      },
      {
        purl: 'pkg:deb/debian/bsdutils@1:2.38.1-5%2Bdeb12u3?arch=amd64',
        type: 'deb',
        name: 'bsdutils',
        version: '1:2.38.1-5+deb12u3',
        arch: 'amd64',
        path: STATUS,
        layer: DIFF_IDS[1],
        source: { name: 'util-linux', version: '2.38.1-5+deb12u3' },
      },
    ]);
    assert.equal(inventory.databases[0]?.type, 'deb');
  });

  it('is malformed where a status was cut', () => {
    for (const status of ['install ok inst', 'install ok', 'install', '']) {
      const view = createMemoryView({ '/var/lib/dpkg/status': `Package: a\nVersion: 1\nStatus: ${status}` });
      const { limits, complete } = collectInventory(view);
      assert.deepEqual([limits, complete], [['malformed /var/lib/dpkg/status'], false], status);
    }
  });

  it('counts installed packages only, held ones among them', () => {
    const state = (name: string, status: string): string =>
      `Package: ${name}\nStatus: ${status}\nArchitecture: amd64\nVersion: 1\n`;
    const inventory = collect({
      [STATUS]: [
        state('aa', 'install ok installed'),
        state('bb', 'hold ok installed'),
        state('cc', 'deinstall ok config-files'),
        state('dd', 'install ok half-installed'),
        state('ee', 'purge ok not-installed'),
        ...['triggers-awaited', 'triggers-pending', 'half-configured', 'unpacked'].map((last, at) =>
          state(`f${at}`, `install ok ${last}`),
        ),
      ].join('\n'),
    });
    assert.deepEqual(
      inventory.packages.map(({ name }) => name),
      ['aa', 'bb'],
    );
  });

  it('keeps two architectures of one name apart', () => {
    const foreign = stanza('libc6', '2.36-9').replace('amd64', 'i386');
    assert.equal(collect({ [STATUS]: `${stanza('libc6', '2.36-9')}\n${foreign}` }).packages.length, 2);
  });

  it('lists packages that name no architecture', () => {
    const inventory = collect({
      [STATUS]: 'Package: bash\nStatus: install ok installed\nVersion: 5.2-1\n',
      '/lib/apk/db/installed': 'P:musl\nV:1.2.3-r0\n\n',
    });
    assert.deepEqual(
      inventory.packages.map(({ purl, arch }) => [purl, arch]),
      [
        ['pkg:apk/musl@1.2.3-r0', undefined],
        ['pkg:deb/bash@5.2-1', undefined],
      ],
    );
    assert.deepEqual(inventory.limits, []);
    const wrong = collect({ [STATUS]: stanza('bash', '1').replace('amd64', 'amd 64') });
    assert.deepEqual(wrong.limits, [`malformed ${STATUS}`]);
  });

  it('finds the package after two blank lines', () => {
    const inventory = collect({ [STATUS]: `${stanza('aa', '1')}\n\n${stanza('hidden', '1')}` });
    assert.deepEqual(
      inventory.packages.map(({ name }) => name),
      ['aa', 'hidden'],
    );
    assert.equal(inventory.complete, true);
  });

  it('does not need os-release to know a deb', () => {
    const entries = { [STATUS]: stanza('apt', '1') };
    assert.deepEqual(purls(collect(entries)), ['pkg:deb/apt@1?arch=amd64']);
    assert.deepEqual(purls(collect(entries, { osId: 'ubuntu' })), ['pkg:deb/ubuntu/apt@1?arch=amd64']);
  });

  it('follows links to the database and to os-release inside the root', () => {
    const inventory = collect({
      '/etc/os-release': { link: '../usr/lib/os-release' },
      '/usr/lib/os-release': 'ID="Ubuntu"\n',
      '/var': { link: '/real' },
      '/real/lib/dpkg/status': stanza('apt', '1'),
    });
    assert.deepEqual(purls(inventory), ['pkg:deb/ubuntu/apt@1?arch=amd64']);
    assert.equal(inventory.packages[0]?.path, STATUS);
  });

  it('reads the control files of images without dpkg', () => {
    const inventory = collect({
      '/var/lib/dpkg/status.d/base-files': 'Package: base-files\nArchitecture: amd64\nVersion: 12.4\n',
      '/var/lib/dpkg/status.d/base-files.md5sums': `${'0'.repeat(32)}  etc/issue\n`,
    });
    assert.deepEqual(purls(inventory), ['pkg:deb/base-files@12.4?arch=amd64']);
    assert.equal(inventory.databases.length, 1);
    assert.equal(inventory.complete, true);
  });

  it('is incomplete, never silent, about what it cannot read', () => {
    const cases: Record<string, [Record<string, MemoryEntry>, InventoryOptions?]> = {
      [`malformed ${STATUS}`]: [{ [STATUS]: stanza('bad name', '1') }],
      [`stanzas ${STATUS}`]: [
        { [STATUS]: Buffer.from(stanza('aa', '1').replace('Package:', 'Package\xa0:'), 'latin1') },
      ],
      [`duplicate ${STATUS}`]: [{ [STATUS]: `${stanza('aa', '1')}\n${stanza('aa', '2')}` }],
      [`fileBytes ${STATUS}`]: [{ [STATUS]: stanza('aa', '1') }, { maxDatabaseBytes: 10 }],
      [`packages ${STATUS}`]: [{ [STATUS]: `${stanza('aa', '1')}\n${stanza('bb', '2')}` }, { maxPackages: 1 }],
      'entries /a': [{ '/a': 'x', '/b': 'y' }, { maxEntries: 0 }],
      'depth /a/b': [{ '/a/b/c/d': 'x' }, { maxDepth: 1 }],
      'changedWhileRead /x/package.json': [
        { '/x/package.json': { fails: new ViewLimitError('changedWhileRead', '/x/package.json') } },
      ],
      'fileBytes /x/package.json': [{ '/x/package.json': ' '.repeat(100) }, { maxManifestBytes: 10 }],
      [`time /etc/os-release`]: [OS_RELEASE, { deadlineMs: 0 }],
    };
    for (const [note, [entries, options]] of Object.entries(cases)) {
      const { complete, limits } = collect(entries, options);
      assert.equal(complete, false, note);
      assert.ok(limits.includes(note), `${note} in ${limits.join(', ')}`);
    }
  });

  it('finds language packages and who owns them', () => {
    const inventory = collect({
      ...OS_RELEASE,
      [STATUS]: stanza('npm', '9.2.0'),
      '/var/lib/dpkg/info/npm.list': '/.\n/usr\n/usr/share/npm\n/usr/share/npm/package.json\n',
      '/usr/share/npm/package.json': '{"name":"npm","version":"9.2.0"}',
      '/opt/app/node_modules/@types/node/package.json': '\uFEFF{"name":"@types/node","version":"20.1.0"}',
      '/opt/venv/lib/Foo_Bar.Baz-1.0.dist-info/METADATA':
        'Metadata-Version: 2.1\nName: Foo_Bar.Baz\nVersion: 1.0\n\nName: no\n',
      '/opt/venv/lib/egg.egg-info/PKG-INFO': 'Name: egg\r\nVersion: 2\r\n',
      '/opt/venv/lib/flat.egg-info': 'Name: flat\nVersion: 3\n',
      '/usr/lib/ruby/specifications/rake-13.0.6.gemspec': '# -*- encoding: utf-8 -*-\n# stub: rake 13.0.6 ruby lib\n',
      '/usr/lib/ruby/specifications/old.gemspec':
        'Gem::Specification.new do |s|\n  s.name = %q{x}\n  s.name = "old"\n  s.version = "1.2"\n',
      '/srv/vendor/composer/installed.json': '{"packages":[{"name":"Symfony/Console","version":"v6.0.1"}]}',
      '/app/app.deps.json': '{"libraries":{"Serilog/2.0.0":{"type":"package"},"App/1.0.0":{"type":"project"}}}',
      '/opt/conda/conda-meta/zlib-1.2-0.json': '{"name":"zlib","version":"1.2","build":"0"}',
      '/x/conda-metaphor/package-lock.json': '{"name":"no","version":"1"}',
    });
    assert.deepEqual(purls(inventory), [
      'pkg:composer/symfony/console@v6.0.1',
      'pkg:conda/zlib@1.2?build=0',
      'pkg:deb/debian/npm@9.2.0?arch=amd64',
      'pkg:gem/old@1.2',
      'pkg:gem/rake@13.0.6',
      'pkg:npm/%40types/node@20.1.0',
      'pkg:npm/npm@9.2.0',
      'pkg:nuget/Serilog@2.0.0',
      'pkg:pypi/egg@2',
      'pkg:pypi/flat@3',
      'pkg:pypi/foo-bar-baz@1.0',
    ]);
    const owned = inventory.packages.filter(({ ownedBy }) => ownedBy !== undefined);
    assert.deepEqual(
      owned.map(({ purl, ownedBy }) => [purl, ownedBy]),
      [['pkg:npm/npm@9.2.0', 'pkg:deb/debian/npm@9.2.0?arch=amd64']],
    );
    assert.equal(inventory.packages.find(({ type }) => type === 'pypi')?.path.startsWith('/opt/venv/'), true);
  });

  it('takes no package from manifests that name none', () => {
    const inventory = collect({
      '/a/package.json': '{"private":true}',
      '/b/package.json': '{"name":"x","version":1}',
      '/c/package.json': 'not json',
      '/d/package.json': '[]',
      '/e/package.json': `${'['.repeat(10_000)}`,
      '/f/package.json': '{"name":"\\u202e","version":"1"}',
      '/g/package.json': '{"name":"\\ud800","version":"1"}',
      '/h/package.json': `{"name":"${'ä'.repeat(300)}","version":"1"}`,
      '/i/package.json': '{"name":"@scope/","version":"1"}',
      '/METADATA': 'Name: x\nVersion: 1\n',
    });
    assert.deepEqual(inventory.packages, []);
    assert.equal(inventory.complete, true);
  });

  it('names manifests that would take many times their size in memory', () => {
    const inventory = collect({
      '/e/package.json': '['.repeat(100_000),
      '/f/package.json': '{"name":"x","version":"1"}',
    });
    assert.deepEqual(inventory.limits, ['jsonValues /e/package.json']);
    assert.equal(inventory.packages.length, 1);
  });

  it('counts programs and libraries that nobody owns', () => {
    const inventory = collect({
      [STATUS]: stanza('owner', '1'),
      '/var/lib/dpkg/info/owner.list': '/usr/bin/owned\n/lib/owned.so\n',
      '/lib': { link: 'usr/lib' },
      '/usr/bin/owned': { content: elf(2), mode: 0o755 },
      '/usr/lib/owned.so': elf(3),
      '/usr/bin/static': { content: elf(2), mode: 0o755 },
      '/usr/bin/pie': { content: elf(3), mode: 0o755 },
      '/usr/lib/libx.so.1.2': { content: elf(3), mode: 0o755 },
      '/opt/plugin': elf(3),
      '/opt/module.o': elf(1),
      '/opt/text': 'x'.repeat(100),
      '/opt/link': { link: '/usr/bin/static' },
    });
    assert.deepEqual(inventory.unowned, { executables: 2, sharedObjects: 2 });
  });

  it('is the same for the same tree', () => {
    const entries = { ...OS_RELEASE, [STATUS]: `${stanza('bb', '1')}\n${stanza('aa', '1')}` };
    const reversed = Object.fromEntries(Object.entries(entries).reverse());
    assert.deepEqual(encodeInventory(collect(entries)), encodeInventory(collect(reversed)));
  });

  it('reads apk at both places and once where they are one', () => {
    const db = 'P:musl\nV:1.2.4-r2\nA:x86_64\no:musl\n\nP:libcrypto3\nV:3.1.4-r1\nA:x86_64\no:openssl\n\n';
    for (const entries of [
      { '/lib/apk/db/installed': db },
      { '/usr/lib/apk/db/installed': db },
      { '/usr/lib/apk/db/installed': db, '/lib': { link: 'usr/lib' } },
    ]) {
      const inventory = collect({ ...entries, '/etc/os-release': 'ID=alpine\n' });
      assert.deepEqual(purls(inventory), [
        'pkg:apk/alpine/libcrypto3@3.1.4-r1?arch=x86_64',
        'pkg:apk/alpine/musl@1.2.4-r2?arch=x86_64',
      ]);
      assert.deepEqual(inventory.packages[0]?.source, { name: 'openssl', version: '3.1.4-r1' });
      assert.equal(inventory.databases.length, 1);
    }
  });
});
