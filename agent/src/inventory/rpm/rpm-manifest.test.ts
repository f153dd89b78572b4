import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import { createMemoryView } from '../../root-view/memory-view.test-support.ts';
import { collectInventory } from '../collect-inventory.ts';

const PATH = '/var/lib/rpmmanifest/container-manifest-2';
const OS = { '/etc/os-release': 'ID=azurelinux\nVERSION_ID="3.0"\n' };
const line = (fields: readonly string[]): string => `${fields.join('\t')}\n`;
const GLIBC = [
  'glibc',
  '2.38-8.azl3',
  '1718000000',
  '1717000000',
  'Microsoft Corporation',
  '(none)',
  '10',
  'x86_64',
  '0',
  'glibc-2.38-8.azl3.src.rpm',
];
const SSL = ['openssl-libs', '3.3.0-1.azl3', '1', '1', 'Microsoft Corporation', '1', '10', 'x86_64', '1', '(none)'];
const collect = (text: string) => collectInventory(createMemoryView({ ...OS, [PATH]: text }));

describe('packages of an image without rpm', () => {
  it('are those of its manifest, with epoch, architecture and source', () => {
    const { packages, databases, complete } = collect(line(GLIBC) + line(SSL));
    assert.equal(complete, true);
    assert.deepEqual(
      databases.map(({ type, path }) => [type, path]),
      [['rpm', PATH]],
    );
    assert.deepEqual(packages, [
      {
        purl: 'pkg:rpm/azurelinux/glibc@2.38-8.azl3?arch=x86_64',
        type: 'rpm',
        name: 'glibc',
        version: '2.38-8.azl3',
        arch: 'x86_64',
        source: { name: 'glibc', version: '2.38-8.azl3' },
        path: PATH,
      },
      {
        purl: 'pkg:rpm/azurelinux/openssl-libs@3.3.0-1.azl3?arch=x86_64&epoch=1',
        type: 'rpm',
        name: 'openssl-libs',
        version: '3.3.0-1.azl3',
        arch: 'x86_64',
        path: PATH,
      },
    ]);
  });

  it('are found behind blank lines and carriage returns', () => {
    const { packages, complete } = collect(`\n\n${line(GLIBC).replace('\n', '\r\n')}\n \n${line(SSL).trimEnd()}`);
    assert.deepEqual([packages.length, complete], [2, true]);
  });

  it('beside lines that name none make the inventory incomplete', () => {
    for (const broken of [
      'nonsense',
      line(GLIBC.slice(0, 9)),
      line(GLIBC.with(1, '2.38')),
      line(GLIBC.with(0, 'a b')),
      line(GLIBC.with(5, 'x')),
    ]) {
      const { packages, limits } = collect(`${line(SSL)}${broken}`);
      assert.deepEqual([packages.length, limits], [1, [`malformed ${PATH}`]], broken);
    }
  });

  it('cut anywhere or with bits flipped make nothing throw', () => {
    const bytes = Buffer.from(line(GLIBC) + line(SSL));
    for (let at = 0; at < bytes.length; at += 1) {
      assert.ok(collect(bytes.toString('latin1', 0, at)).packages.length <= 2);
      const flipped = Buffer.from(bytes);
      flipped.writeUInt8(flipped.readUInt8(at) ^ (1 << (at % 8)), at);
      assert.ok(collectInventory(createMemoryView({ ...OS, [PATH]: flipped })).packages.length <= 3);
    }
  });
});
