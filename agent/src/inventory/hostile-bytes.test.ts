import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import { encodeInventory, toBytePath } from '@holdfast/evidence';
import { createMemoryView, type MemoryEntry } from '../root-view/memory-view.test-support.ts';
import { collectInventory } from './collect-inventory.ts';
import { createPackageOwners } from './package-owners.ts';

const STANZA =
  'Package: aa\nStatus: install ok installed\nMulti-Arch: same\nArchitecture: amd64\nSource: s (1)\nVersion: 1:2-3+b1\nConffiles:\n /etc/a aabbccddeeff00112233445566778899\n';
const SEEDS: Record<string, Buffer> = {
  '/var/lib/dpkg/status': Buffer.from(`${STANZA}\n${STANZA.replace('aa', 'bb')}`),
  '/var/lib/dpkg/status.d/one': Buffer.from('Package: one\nVersion: 1\nArchitecture: all\n'),
  '/var/lib/dpkg/info/aa:amd64.list': Buffer.from('/.\n/usr\n/usr/bin/aa\n/etc/a\n'),
  '/var/lib/dpkg/info/aa:amd64.md5sums': Buffer.from(`${'0'.repeat(32)}  usr/bin/aa\n`),
  '/var/lib/dpkg/diversions': Buffer.from('/usr/bin/aa\n/usr/bin/aa.real\nbb\n'),
  '/lib/apk/db/installed': Buffer.from('P:m\nV:1-r0\nA:x\no:n\nF:bin\nR:sh\nZ:Q1AAAAAAAAAAAAAAAAAAAAAAAAAAA=\n\n'),
  '/etc/os-release': Buffer.from('ID="debian"\nVERSION_ID=12\n'),
  '/a/package.json': Buffer.from('{"name":"@s/n","version":"1.0.0"}'),
  '/a/b.dist-info/METADATA': Buffer.from('Name: A_b\nVersion: 1\n\n'),
  '/a/specifications/x.gemspec': Buffer.from('# stub: rake 13.0.6 ruby lib\n  s.name = "rake"\n  s.version = "1"\n'),
  '/a/composer/installed.json': Buffer.from('{"packages":[{"name":"a/b","version":"v1"}]}'),
  '/a/app.deps.json': Buffer.from('{"libraries":{"A/1":{"type":"package"}}}'),
  '/a/conda-meta/z.json': Buffer.from('{"name":"z","version":"1","build":"h","subdir":"noarch"}'),
  '/a/tool': Buffer.concat([Buffer.from('7f454c46020101000000000000000000', 'hex'), Buffer.alloc(48, 3)]),
};

/** Neither throws nor makes a document that the other side would refuse. */
function survives(path: string, bytes: Buffer): void {
  const entries: Record<string, MemoryEntry> = { ...SEEDS, [path]: bytes };
  const view = createMemoryView(entries);
  encodeInventory(collectInventory(view));
  void createPackageOwners(view).ownerOf(toBytePath('/usr/bin/aa'))?.digest;
}

describe('inventory of hostile bytes', () => {
  it('finds something in every seed', () => {
    const inventory = collectInventory(createMemoryView(SEEDS));
    assert.deepEqual([...new Set(inventory.packages.map(({ type }) => type))].sort(), [
      'apk',
      'composer',
      'conda',
      'deb',
      'gem',
      'npm',
      'nuget',
      'pypi',
    ]);
  });

  /** As long as a manifest may be: whoever looks at the run again from each place of it does not come back. */
  const RUN_LENGTH = 4_000_000;
  const runs: Record<string, string> = {
    '/a/b.dist-info/METADATA': `Name: a${' '.repeat(RUN_LENGTH)}b\nVersion: 1\n`,
    '/a/specifications/x.gemspec': '\n'.repeat(RUN_LENGTH),
    '/var/lib/dpkg/status': STANZA.replace(/ aabb.*/, `${` ${'a'.repeat(32)}`.repeat(RUN_LENGTH / 33)}!`),
  };
  for (const [path, text] of Object.entries(runs)) {
    it(`survives a long run in ${path}`, () => survives(path, Buffer.from(text)));
  }

  for (const [path, seed] of Object.entries(SEEDS)) {
    it(`survives ${path} cut and flipped`, () => {
      for (let length = 0; length < seed.length; length += 1) survives(path, seed.subarray(0, length));
      for (let bit = 0; bit < seed.length * 8; bit += 5) {
        const flipped = Buffer.from(seed);
        flipped[bit >> 3] = (flipped[bit >> 3] ?? 0) ^ (1 << (bit & 7));
        survives(path, flipped);
      }
    });

    it(`survives ${path} with what such formats rarely hold`, () => {
      for (const bad of [
        '\0',
        '\uFEFF',
        '\uD800',
        '\u202E',
        '%',
        '../',
        '"',
        '\r',
        '\x1b[2J',
        '__proto__',
        'ä'.repeat(600),
      ]) {
        for (const at of [0, 6, seed.length >> 1, seed.length]) {
          survives(path, Buffer.concat([seed.subarray(0, at), Buffer.from(bad), seed.subarray(at)]));
        }
      }
    });
  }
});
