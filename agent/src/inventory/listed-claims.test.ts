import assert from 'node:assert/strict';
import { suite, test } from 'node:test';
import { toBytePath } from '@holdfast/evidence/inventory';
import { ARCHIVE_SUFFIXES, findArchiveReader } from './find-archive-reader.ts';
import { findManifestReader, MANIFEST_SUFFIXES } from './language/find-manifest-reader.ts';
import { ListedClaims } from './listed-claims.ts';

suite('claims on paths', () => {
  test('lie where their directories do, the last one first, and know where they were listed', () => {
    const claims = new ListedClaims(1 << 20);
    claims.rename('/lib/r', '/lib/renamed', 'other');
    claims.addLines(Buffer.from('/.\n/\n\nno\n/lib\n/lib/x\n/usr/lib/x\n/lib/r\n/gone/z\n/lib/..'), 0, 'own');
    claims.add('/lib/y', 1);
    assert.deepEqual(claims.directories(), ['', '/lib', '/usr/lib', '/gone']);
    claims.settle([toBytePath('/'), toBytePath('/usr/lib'), toBytePath('/usr/lib'), undefined]);
    const lib = toBytePath('/usr/lib');
    assert.deepEqual([claims.find(lib, 'x'), claims.listedIn(lib, 'x')], [0, '/usr/lib']);
    assert.deepEqual([claims.find(lib, 'y'), claims.listedIn(lib, 'y')], [1, '/lib']);
    assert.deepEqual([claims.find(lib, 'renamed'), claims.find(lib, 'r')], [0, undefined]);
    assert.deepEqual([claims.find(toBytePath('/'), 'lib'), claims.find(toBytePath('/gone'), 'z')], [0, undefined]);
  });

  test('are counted', () => {
    const claims = new ListedClaims(120);
    claims.add('/a/b', 0);
    assert.equal(claims.isFull, false);
    claims.add('/a/c', 0);
    assert.equal(claims.isFull, true);
  });
});

suite('names that a walk never leaves out', () => {
  test('are all that have a reader', () => {
    const directories = ['/x/a.dist-info', '/x/a.egg-info', '/x/composer', '/x/specifications', '/x/conda-meta'].map(
      toBytePath,
    );
    const stems = ['package', 'METADATA', 'PKG-INFO', 'installed', 'a.deps', 'a'];
    const ends = [
      '',
      '.json',
      '.JSON',
      '.egg-info',
      '.gemspec',
      '.egg',
      ...'jar war ear par sar nar jpi hpi rar zip'.split(' ').map((end) => `.${end}`),
    ];
    const suffixes = [...MANIFEST_SUFFIXES, ...ARCHIVE_SUFFIXES];
    let readers = 0;
    for (const name of stems.flatMap((stem) => ends.map((end) => stem + end))) {
      const reader = directories.some((directory) => findManifestReader(directory, name) ?? findArchiveReader(name));
      readers += reader ? 1 : 0;
      if (reader)
        assert.ok(
          suffixes.some((suffix) => name.toLowerCase().endsWith(suffix)),
          name,
        );
    }
    assert.ok(readers > 60, String(readers));
  });
});
