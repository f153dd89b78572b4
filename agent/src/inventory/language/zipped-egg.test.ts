import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import { createMemoryView, type MemoryEntry } from '../../root-view/memory-view.test-support.ts';
import { collectInventory } from '../collect-inventory.ts';
import { createFileBytes } from '../file-bytes.ts';
import { encodeZip, type ZipFixture } from '../java/zip-archive.test-support.ts';
import { readZippedEgg } from './zipped-egg.ts';

const METADATA: ZipFixture = { name: 'EGG-INFO/PKG-INFO', content: 'Name: Foo_Bar\nVersion: 1.0\n\nName: no\n' };
const EGG = encodeZip([{ name: 'foo/__init__.py', content: '' }, METADATA]);

const collect = (entries: Record<string, MemoryEntry>) => collectInventory(createMemoryView(entries));

describe('zipped eggs', () => {
  it('are packages of PyPI', () => {
    const { packages, limits } = collect({
      '/usr/lib/python3/dist-packages/Foo_Bar-1.0-py3.egg': EGG,
      '/srv/dir-1.0.egg/EGG-INFO/PKG-INFO': METADATA.content,
      '/srv/other.egg': 'no archive at all',
      '/srv/empty.egg': encodeZip([{ name: 'x/EGG-INFO/PKG-INFO', content: METADATA.content }]),
    });
    assert.deepEqual(
      packages.map(({ purl, path }) => [purl, path]),
      [
        ['pkg:pypi/foo-bar@1.0', '/srv/dir-1.0.egg/EGG-INFO/PKG-INFO'],
        ['pkg:pypi/foo-bar@1.0', '/usr/lib/python3/dist-packages/Foo_Bar-1.0-py3.egg'],
      ],
    );
    assert.deepEqual(limits, []);
  });

  it('that are cut or hold a bomb are told', () => {
    const bomb = encodeZip([{ ...METADATA, content: Buffer.alloc(4 * 1024 * 1024), bytes: 10 }]);
    assert.deepEqual(collect({ '/a.egg': EGG.subarray(0, -30), '/b.egg': bomb }).limits, [
      'archive /b.egg',
      'malformed /a.egg',
    ]);
  });

  it('cut or flipped make nothing throw', () => {
    const readAll = (bytes: Buffer) => readZippedEgg(createFileBytes(bytes), 'x.egg', 1 << 20, () => undefined);
    for (let length = 0; length < EGG.length; length += 1) readAll(EGG.subarray(0, length));
    for (let bit = 0; bit < EGG.length * 8; bit += 1) {
      const flipped = Buffer.from(EGG);
      flipped[bit >> 3] = (flipped[bit >> 3] ?? 0) ^ (1 << (bit & 7));
      readAll(flipped);
    }
    let state = 7;
    for (let round = 0; round < 1000; round += 1) {
      const random = Buffer.from(EGG);
      for (let change = 0; change < 6; change += 1) {
        state = (Math.imul(state, 1_664_525) + 1_013_904_223) >>> 0;
        random[state % random.length] = state >>> 24;
      }
      readAll(random);
    }
  });
});
