import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import { encodeInventory, toBytePath } from '@holdfast/evidence';
import { createMemoryView, type MemoryEntry } from '../../root-view/memory-view.test-support.ts';
import { collectInventory } from '../collect-inventory.ts';
import { createPackageOwners } from '../package-owners.ts';
import { encodeBdb, encodeNdb, encodeRpmHeader, encodeSqlite, type RpmFixture } from './rpm-database.test-support.ts';

const SHA256 = 'ab'.repeat(32);
const FIXTURES: readonly RpmFixture[] = [
  {
    name: 'bash',
    version: '5.1.8',
    release: '6.el9',
    source: 'bash-5.1.8-6.el9.src.rpm',
    files: { '/usr/bin/bash': SHA256, '/usr/bin': '', '/etc/bash~rc': '00' },
  },
  { name: 'shadow', epoch: 2, source: 'shadow-utils-1.0-1.src.rpm', arch: 'noarch' },
  { name: 'gpg-pubkey', version: 'fd431d51', release: '4ae0493b', arch: null },
];
const FORMATS: Readonly<Record<string, (blobs: readonly Buffer[]) => Buffer>> = {
  '/var/lib/rpm/rpmdb.sqlite': encodeSqlite,
  '/usr/lib/sysimage/rpm/Packages.db': encodeNdb,
  '/usr/share/rpm/Packages': encodeBdb,
};
const encode = (format: (blobs: readonly Buffer[]) => Buffer, fixtures = FIXTURES) =>
  format(fixtures.map(encodeRpmHeader));
const collect = (entries: Record<string, MemoryEntry>) =>
  collectInventory(createMemoryView({ '/etc/os-release': 'ID=rhel\n', ...entries }));

describe('packages of rpm', () => {
  for (const [path, format] of Object.entries(FORMATS)) {
    it(`are those of ${path}, keys left out, owners with their digests`, () => {
      const inventory = collect({ [path]: encode(format) });
      assert.deepEqual(inventory.limits, []);
      assert.deepEqual(
        inventory.databases.map((database) => [database.type, database.path]),
        [['rpm', path]],
      );
      assert.deepEqual(
        inventory.packages.map(({ path: _path, ...rest }) => rest),
        [
          {
            purl: 'pkg:rpm/redhat/bash@5.1.8-6.el9?arch=x86_64',
            type: 'rpm',
            name: 'bash',
            version: '5.1.8-6.el9',
            arch: 'x86_64',
            source: { name: 'bash', version: '5.1.8-6.el9' },
          },
          {
            purl: 'pkg:rpm/redhat/shadow@1.0-1?arch=noarch&epoch=2',
            type: 'rpm',
            name: 'shadow',
            version: '1.0-1',
            arch: 'noarch',
            source: { name: 'shadow-utils', version: '1.0-1' },
          },
        ],
      );
      const owners = createPackageOwners(createMemoryView({ [path]: encode(format), '/usr/bin/bash': 'x' }));
      const owner = owners.ownerOf(toBytePath('/usr/bin/bash'));
      assert.deepEqual(
        [owner?.purl, owner?.digest],
        ['pkg:rpm/bash@5.1.8-6.el9?arch=x86_64', { algorithm: 'sha256', hex: SHA256 }],
      );
      assert.equal(owners.ownerOf(toBytePath('/etc/bash~rc'))?.digest, undefined);
      assert.equal(owners.ownerOf(toBytePath('/usr/bin/other')), undefined);
    });

    it(`are found in ${path} with and without any`, () => {
      assert.deepEqual(collect({ [path]: encode(format, []) }).packages, []);
      assert.equal(collect({ [path]: encode(format, []) }).complete, true);
      const many = Array.from({ length: 8 }, (_, at) => ({ name: `p${at}`, files: { [`/f${at}`]: SHA256 } }));
      assert.equal(collect({ [path]: encode(format, many) }).packages.length, 8);
    });
  }

  it('are read in the other byte order of Berkeley DB too', () => {
    const big = encodeBdb(FIXTURES.map(encodeRpmHeader), true);
    assert.equal(collect({ '/var/lib/rpm/Packages': big }).packages.length, 2);
  });

  it('count once where two places are one', () => {
    const entries = {
      '/usr/lib/sysimage/rpm/rpmdb.sqlite': encode(encodeSqlite),
      '/var/lib/rpm': { link: '/usr/lib/sysimage/rpm' },
    };
    assert.equal(collect(entries).packages.length, 2);
    assert.equal(collect(entries).databases.length, 1);
  });

  it('that call themselves a key and have files are packages', () => {
    const bait: RpmFixture[] = [
      { name: 'gpg-pubkey', arch: null, files: { '/bin/evil': SHA256 } },
      { name: 'gpg-pubkey' },
    ];
    const inventory = collect({ '/var/lib/rpm/Packages': encode(encodeBdb, bait) });
    assert.deepEqual(
      inventory.packages.map(({ purl }) => purl),
      ['pkg:rpm/redhat/gpg-pubkey@1.0-1', 'pkg:rpm/redhat/gpg-pubkey@1.0-1?arch=x86_64'],
    );
  });
});

describe('hostile databases of rpm', () => {
  it('keep what can be read and say that the rest cannot', () => {
    const broken = [{ name: 'good' }, { name: 'bad name' }, { name: 'also' }];
    const inventory = collect({ '/var/lib/rpm/Packages': encode(encodeBdb, broken) });
    assert.deepEqual(
      inventory.packages.map(({ name }) => name),
      ['also', 'good'],
    );
    assert.deepEqual(inventory.limits, ['malformed /var/lib/rpm/Packages']);
  });

  it('whose headers name a tag twice, claim too much or point nowhere are noted', () => {
    const twice = encodeRpmHeader({ name: 'a' });
    twice.writeUInt32BE(1000, 8 + 16);
    const long = encodeRpmHeader({ name: 'a', files: { '/x': SHA256 } });
    long.writeUInt32BE(0x7fffffff, 8 + 12);
    const far = encodeRpmHeader({ name: 'a' });
    far.writeUInt32BE(0x7fffffff, 8 + 8);
    for (const blob of [twice, long, far, Buffer.alloc(0), Buffer.alloc(8)]) {
      const { packages, limits } = collect({ '/var/lib/rpm/Packages.db': encodeNdb([blob]) });
      assert.deepEqual([packages, limits], [[], ['malformed /var/lib/rpm/Packages.db']]);
    }
  });

  it('whose pages loop or overlap end at once', () => {
    const files = Object.fromEntries(Array.from({ length: 20 }, (_, at) => [`/f${at}`, SHA256]));
    const longer = encodeSqlite([encodeRpmHeader({ name: 'a', files })]);
    assert.deepEqual(collect({ '/var/lib/rpm/rpmdb.sqlite': longer }).limits, []);
    longer.writeUInt32BE(4, 3 * 512);
    const overlapping = encodeNdb([encodeRpmHeader({ name: 'a' }), encodeRpmHeader({ name: 'b' })]);
    overlapping.copy(overlapping, 48 + 8, 32 + 8, 32 + 16);
    for (const [path, bytes] of [
      ['/var/lib/rpm/rpmdb.sqlite', longer],
      ['/var/lib/rpm/Packages.db', overlapping],
    ] as const) {
      assert.deepEqual(collect({ [path]: bytes }).limits, [`malformed ${path}`]);
    }
  });

  for (const [path, format] of Object.entries(FORMATS)) {
    const seed = encode(format, FIXTURES.slice(0, 2));
    const survives = (bytes: Buffer) => {
      const view = createMemoryView({ [path]: bytes });
      encodeInventory(collectInventory(view));
      void createPackageOwners(view).ownerOf(toBytePath('/usr/bin/bash'))?.digest;
    };

    it(`survives ${path} cut, flipped and random`, () => {
      for (let length = 0; length < seed.length; length += length < 600 ? 3 : 17) survives(seed.subarray(0, length));
      const used = [...seed.keys()].filter((at) => seed[at] !== 0 && (at < 600 || seed.length < 3000 || at >= 4096));
      for (const at of used) {
        const flipped = Buffer.from(seed);
        flipped[at] = (flipped[at] ?? 0) ^ (1 << (at & 7));
        survives(flipped);
      }
      let state = 7;
      for (let round = 0; round < 300; round += 1) {
        const random = Buffer.from(seed);
        for (let change = 0; change < 12; change += 1) {
          state = (Math.imul(state, 1_103_515_245) + 12_345) >>> 0;
          random[state % random.length] = state >>> 24;
        }
        survives(random);
      }
    });

    it(`says that ${path} is malformed when it is none`, () => {
      for (const bytes of [Buffer.alloc(0), Buffer.from('x'), Buffer.alloc(5000, 0xff), seed.subarray(0, 100)]) {
        assert.deepEqual(collect({ [path]: bytes }).limits, [`malformed ${path}`]);
      }
    });
  }
});
