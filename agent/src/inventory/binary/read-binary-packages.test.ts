import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import { deflateSync } from 'node:zlib';
import { createMemoryView } from '../../root-view/memory-view.test-support.ts';
import { collectInventory } from '../collect-inventory.ts';
import { createFileBytes } from '../file-bytes.ts';
import { encodeDepV0, encodeElf, encodeGoInline, encodeGoPointers } from './elf-file.test-support.ts';
import { readBinaryPackages } from './read-binary-packages.ts';

const MODULES = [
  'path\texample.com/app/cmd',
  'mod\texample.com/App\t(devel)\t',
  'dep\tgithub.com/BurntSushi/toml\tv1.3.2\th1:x=',
  'dep\tgolang.org/x/old\tv0.1.0',
  '=>\tgithub.com/fork/new\tv0.2.0\th1:y=',
  'dep\tgolang.org/x/local\tv0.3.0',
  '=>\t../local',
  'build\tCGO_ENABLED=0',
  '',
].join('\n');
const PURLS = [
  'pkg:golang/example.com/app@%28devel%29',
  'pkg:golang/github.com/burntsushi/toml@v1.3.2',
  'pkg:golang/github.com/fork/new@v0.2.0',
  'pkg:golang/golang.org/x/local@%28devel%29',
  'pkg:golang/stdlib@1.22.3',
];

function read(bytes: Buffer): { purls: string[]; malformed: number } {
  let malformed = 0;
  const found = readBinaryPackages(createFileBytes(bytes), () => {
    malformed += 1;
  });
  return { purls: found.map(({ purl }) => purl), malformed };
}

describe('Go modules of a program', () => {
  it('are read inline and by pointer, each as what replaced it, the standard library too', () => {
    for (const section of [encodeGoInline('go1.22.3', MODULES), encodeGoPointers('go1.22.3', MODULES)]) {
      const { purls } = read(encodeElf({ sections: { '.go.buildinfo': section, '.text': Buffer.alloc(99) } }));
      assert.deepEqual(purls, PURLS);
    }
  });

  it('are found without section names, at the front of the writable segment', () => {
    const sections = { '.data': Buffer.alloc(48, 7), '.go.buildinfo': encodeGoInline('go1.22.3', MODULES) };
    assert.deepEqual(read(encodeElf({ sections, hasNames: false })).purls, PURLS);
    const astray = { '.data': Buffer.concat([Buffer.alloc(5), encodeGoInline('go1.22.3', MODULES)]) };
    assert.deepEqual(read(encodeElf({ sections: astray, hasNames: false })).purls, []);
  });

  it('keep the name as written, and are none without modules or with a development version of Go', () => {
    const [app] = readBinaryPackages(
      createFileBytes(encodeElf({ sections: { '.go.buildinfo': encodeGoInline('go1.22.3', MODULES) } })),
      () => undefined,
    );
    assert.deepEqual([app?.name, app?.version, app?.type], ['example.com/App', '(devel)', 'golang']);
    const only = (version: string) =>
      read(encodeElf({ sections: { '.go.buildinfo': encodeGoInline(version, '') } })).purls;
    assert.deepEqual(only('go1.21 X:rangefunc'), ['pkg:golang/stdlib@1.21']);
    assert.deepEqual(only('devel +abc'), []);
  });

  it('are none in a program without the section, whatever else it holds', () => {
    assert.deepEqual(read(encodeElf({ sections: { '.data': encodeGoInline('go1.22.3', MODULES) } })).purls, []);
    assert.deepEqual(read(Buffer.alloc(4096)).purls, []);
  });
});

describe('crates of a program', () => {
  const CRATES = [
    { name: 'app', version: '0.1.0', root: true },
    { name: 'serde', version: '1.0.200', source: 'crates.io' },
    { name: 'cc', version: '1.0.0', kind: 'build' },
  ];

  it('are those that run, not those that built it', () => {
    const { purls, malformed } = read(encodeElf({ sections: { '.dep-v0': encodeDepV0(CRATES) } }));
    assert.deepEqual([purls, malformed], [['pkg:cargo/app@0.1.0', 'pkg:cargo/serde@1.0.200'], 0]);
  });

  it('that cannot be unpacked are told, a bomb among them', () => {
    const bomb = deflateSync(Buffer.alloc(64 * 1024 * 1024));
    for (const section of [Buffer.from('no zlib'), deflateSync(Buffer.from('[]')), bomb]) {
      assert.deepEqual(read(encodeElf({ sections: { '.dep-v0': section } })), { purls: [], malformed: 1 });
    }
  });
});

describe('programs in a tree', () => {
  const program = encodeElf({
    sections: {
      '.go.buildinfo': encodeGoInline('go1.22.3', MODULES),
      '.dep-v0': encodeDepV0([{ name: 'serde', version: '1.0.200' }]),
      '.text': Buffer.alloc(40_000),
    },
  });
  const status = 'Package: runc\nStatus: install ok installed\nArchitecture: amd64\nVersion: 1\n';

  it('tell their packages with owner, unowned ones are counted, small and quiet ones of packages are not opened', () => {
    const inventory = collectInventory(
      createMemoryView({
        '/var/lib/dpkg/status': status,
        '/var/lib/dpkg/info/runc.list': '/usr/bin/runc\n/usr/bin/runc.py\n/usr/lib/owned.so\n',
        '/usr/bin/runc': { content: program, mode: 0o755 },
        '/usr/bin/runc.py': { content: program, mode: 0o755 },
        '/usr/lib/owned.so': { content: program, mode: 0o644 },
        '/opt/tool.py': { content: program, mode: 0o755 },
        '/opt/small': { content: program.subarray(0, 30_000), mode: 0o755 },
      }),
    );
    assert.deepEqual(inventory.unowned, { executables: 2, sharedObjects: 0 });
    const rows = inventory.packages.filter(({ name }) => name === 'serde' || name === 'stdlib');
    assert.deepEqual(
      rows.map(({ purl, path, ownedBy }) => [purl, path, ownedBy]),
      [
        ['pkg:cargo/serde@1.0.200', '/opt/tool.py', undefined],
        ['pkg:cargo/serde@1.0.200', '/usr/bin/runc', 'pkg:deb/runc@1?arch=amd64'],
        ['pkg:golang/stdlib@1.22.3', '/opt/tool.py', undefined],
        ['pkg:golang/stdlib@1.22.3', '/usr/bin/runc', 'pkg:deb/runc@1?arch=amd64'],
      ],
    );
    assert.deepEqual(inventory.limits, []);
  });

  it('with a list that cannot be read make the inventory incomplete', () => {
    const broken = encodeElf({ sections: { '.dep-v0': Buffer.from('x'), '.text': Buffer.alloc(40_000) } });
    const inventory = collectInventory(createMemoryView({ '/opt/tool': { content: broken, mode: 0o755 } }));
    assert.deepEqual(inventory.limits, ['malformed /opt/tool']);
  });
});

describe('hostile programs', () => {
  const seeds = [
    encodeElf({ sections: { '.go.buildinfo': encodeGoInline('go1.22.3', MODULES), '.dep-v0': encodeDepV0([]) } }),
    encodeElf({ sections: { '.go.buildinfo': encodeGoPointers('go1.22.3', MODULES) } }),
    encodeElf({ sections: { '.go.buildinfo': encodeGoInline('go1.22.3', MODULES) }, hasNames: false }),
  ];

  it('cut, flipped or random make nothing throw', () => {
    for (const seed of seeds) {
      for (let length = 0; length < seed.length; length += 1) read(seed.subarray(0, length));
      for (let bit = 0; bit < seed.length * 8; bit += 3) {
        const flipped = Buffer.from(seed);
        flipped[bit >> 3] = (flipped[bit >> 3] ?? 0) ^ (1 << (bit & 7));
        read(flipped);
      }
      let state = 3;
      for (let round = 0; round < 500; round += 1) {
        const random = Buffer.from(seed);
        for (let change = 0; change < 8; change += 1) {
          state = (Math.imul(state, 1_664_525) + 1_013_904_223) >>> 0;
          random[state % random.length] = state >>> 24;
        }
        read(random);
      }
    }
  });

  it('that claim sizes beyond the file cost nothing', () => {
    const [seed = Buffer.alloc(0)] = seeds;
    const huge = Buffer.from(seed);
    huge.fill(0xff, 58, 64);
    assert.deepEqual(read(huge).purls, PURLS);
    const section = encodeGoInline('go1.22.3', MODULES);
    Buffer.from([0xff, 0xff, 0xff, 0xff, 0x7f]).copy(section, 32);
    assert.deepEqual(read(encodeElf({ sections: { '.go.buildinfo': section } })).purls, []);
  });
});
