import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import { createMemoryView } from '../../root-view/memory-view.test-support.ts';
import { collectInventory } from '../collect-inventory.ts';
import { createFileBytes } from '../file-bytes.ts';
import { guessFromManifest, parsePomProperties } from './java-manifest.ts';
import { readJavaArchive } from './read-java-archive.ts';
import { encodeZip, pomEntry, type ZipFixture } from './zip-archive.test-support.ts';

function read(bytes: Buffer, name = 'some.jar', maxHeldBytes = 192 << 20): { purls: string[]; limits: string[] } {
  const limits: string[] = [];
  const found = readJavaArchive(createFileBytes(bytes), name, maxHeldBytes, (what) => limits.push(what));
  return { purls: found.map(({ purl }) => purl), limits };
}

const manifest = (text: string): ZipFixture => ({ name: 'META-INF/MANIFEST.MF', content: text });
const OWN = pomEntry('org.example', 'app', '1.2.0');

describe('packages of a Java archive', () => {
  it('are those of every pom.properties, packed or stored, shaded ones too', () => {
    const shaded = { ...pomEntry('com.google.guava', 'guava', '31.1-jre'), isStored: true };
    const { purls, limits } = read(
      encodeZip([manifest('Bundle-Version: 9\n'), OWN, shaded, { name: 'a/', content: '' }]),
    );
    assert.deepEqual(purls, ['pkg:maven/org.example/app@1.2.0', 'pkg:maven/com.google.guava/guava@31.1-jre']);
    assert.deepEqual(limits, []);
  });

  it('are those of archives in it, four deep', () => {
    const wrap = (inner: Buffer, name: string) => encodeZip([{ name, content: inner, isStored: true }, OWN]);
    const deep = encodeZip([pomEntry('g', 'deep', '1')]);
    const three = wrap(wrap(wrap(deep, 'BOOT-INF/lib/deep.jar'), 'WEB-INF/lib/b.war'), 'c.ear');
    assert.ok(read(three).purls.includes('pkg:maven/g/deep@1'));
    assert.deepEqual(read(three).limits, []);
    const five = read(wrap(wrap(three, 'd.jar'), 'e.jar'));
    assert.ok(!five.purls.includes('pkg:maven/g/deep@1'));
    assert.deepEqual(five.limits, ['archive']);
  });

  it('are guessed from name and manifest only where there is no pom.properties', () => {
    const guess = (text: string, name: string) => read(encodeZip([manifest(text)]), `/lib/${name}`).purls;
    assert.deepEqual(guess('', 'commons-io-2.11.0.jar'), ['pkg:maven/commons-io/commons-io@2.11.0']);
    assert.deepEqual(guess('Implementation-Version: 3.1\r\nImplementation-Title: thing\r\n', 'x.jar'), [
      'pkg:maven/thing/thing@3.1',
    ]);
    assert.deepEqual(guess('Bundle-SymbolicName: org.example.json;singleton:=true\nBundle-Version: 4\n', 'json.jar'), [
      'pkg:maven/org.example/json@4',
    ]);
    assert.deepEqual(guess('Implementation-Vendor-Id: org.ex\n ample\n', 'a-1.jar'), ['pkg:maven/org.example/a@1']);
    assert.deepEqual(
      guess('Implementation-Title: A Library\nImplementation-Version: 1.2 (r3)\nBundle-Version: 4\n', 'lib.jar'),
      ['pkg:maven/lib/lib@4'],
    );
    assert.deepEqual(guess('Implementation-Title: other\nImplementation-Version: 9\n', 'lib-1.0.jar'), [
      'pkg:maven/lib/lib@1.0',
    ]);
    assert.deepEqual(guess('Implementation-Title: A Library\nImplementation-Version: 1 2\n', 'lib.jar'), []);
    assert.deepEqual(guess('Name: section\n\nBundle-Version: 4\n', 'tools.jar'), []);
    assert.deepEqual(read(encodeZip([]), 'a-1.jar').purls, ['pkg:maven/a/a@1']);
  });

  it('are found behind a script, before a comment, and before bytes that Java overlooks', () => {
    for (const bytes of [
      encodeZip([OWN], { prefix: Buffer.from('#!/bin/sh\nexec java -jar "$0"\n') }),
      encodeZip([OWN], { comment: 'a comment' }),
      Buffer.concat([encodeZip([OWN]), Buffer.from('trailing')]),
    ]) {
      assert.deepEqual(read(bytes), { purls: ['pkg:maven/org.example/app@1.2.0'], limits: [] });
    }
  });

  it('have name, owner and path in an inventory', () => {
    const status = 'Package: libx-java\nStatus: install ok installed\nArchitecture: all\nVersion: 1\n';
    const inventory = collectInventory(
      createMemoryView({
        '/var/lib/dpkg/status': status,
        '/var/lib/dpkg/info/libx-java.list': '/usr/share/java/x.jar\n',
        '/usr/share/java/x.jar': encodeZip([OWN]),
        '/srv/app.war': encodeZip([{ name: 'WEB-INF/lib/x.jar', content: encodeZip([OWN]) }]),
        '/srv/empty.jar': '',
        '/srv/no.jar': 'no archive at all',
      }),
    );
    const rows = inventory.packages.filter(({ type }) => type === 'maven');
    assert.deepEqual(
      rows.map(({ name, version, path, ownedBy }) => [name, version, path, ownedBy]),
      [
        ['org.example:app', '1.2.0', '/srv/app.war', undefined],
        ['org.example:app', '1.2.0', '/usr/share/java/x.jar', 'pkg:deb/libx-java@1?arch=all'],
      ],
    );
    assert.deepEqual(inventory.limits, []);
  });
});

describe('hostile Java archives', () => {
  it('whose directory does not hold what the end record says are told', () => {
    const files = [OWN, pomEntry('g', 'hidden', '1')];
    for (const entries of [0, 1, 3, 500]) {
      assert.deepEqual(read(encodeZip(files, { entries })), { purls: [], limits: ['malformed'] }, `${entries}`);
    }
  });

  it('that are cut are told, alone and in another', () => {
    const whole = encodeZip([OWN, pomEntry('g', 'b', '1')]);
    const cut = whole.subarray(0, -30);
    assert.deepEqual(read(cut, 'a-1.jar'), { purls: [], limits: ['malformed'] });
    assert.deepEqual(read(encodeZip([OWN, { name: 'in.war', content: cut }])).limits, ['malformed']);
    for (const other of ['', 'P', 'Rar!\x1a\x07', 'no archive at all']) {
      assert.deepEqual(read(Buffer.from(other), 'a-1.rar'), { purls: [], limits: [] });
    }
  });

  it('that are encrypted, packed in another way or too large are told, and the rest is read', () => {
    const other = encodeZip([OWN, pomEntry('g', 'b', '1')]);
    other.writeUInt16LE(12, other.indexOf('PK\x01\x02', 0, 'latin1') + 10);
    assert.deepEqual(read(other), { purls: ['pkg:maven/g/b@1'], limits: ['malformed'] });
    assert.deepEqual(read(encodeZip([{ ...OWN, flags: 1 }])).limits, ['malformed']);
    assert.deepEqual(read(encodeZip([{ ...OWN, bytes: 2 ** 31 }])).limits, ['archive']);
  });

  it('that are bombs end at the limit, whatever size they claim', () => {
    const bomb = { name: 'META-INF/maven/a/b/pom.properties', content: Buffer.alloc(4 * 1024 * 1024), bytes: 10 };
    assert.deepEqual(read(encodeZip([bomb])).limits, ['archive']);
  });

  it('with more entries than may be held are a limit, alone and those of each level together', () => {
    const empty = Array.from({ length: 100 }, (_, at) => ({ name: `${at}.jar`, content: '' }));
    const full = encodeZip([OWN, ...empty]);
    assert.deepEqual(read(full, 'x.jar', 40_000).purls, ['pkg:maven/org.example/app@1.2.0']);
    assert.deepEqual(read(full, 'x.jar', 30_000), { purls: [], limits: ['archive'] });
    const nested = encodeZip([OWN, ...empty, { name: 'inner.jar', content: full, isStored: true }]);
    assert.ok(read(nested, 'x.jar', 60_000).limits.includes('archive'));
    assert.ok(!read(nested, 'x.jar', 200_000).limits.includes('archive'));
  });

  it('that hold themselves end', () => {
    const many = Array.from({ length: 40 }, (_, at) => ({ name: `${at}.jar`, content: encodeZip([OWN]) }));
    let bytes = encodeZip(many);
    for (let depth = 0; depth < 3; depth += 1) {
      const inner = bytes;
      bytes = encodeZip(many.map(({ name }) => ({ name, content: inner })));
    }
    assert.deepEqual(new Set(read(bytes).limits), new Set(['archive']));
  });

  it('cut, flipped or random make nothing throw', () => {
    const seed = encodeZip([OWN, { name: 'in.jar', content: encodeZip([OWN]), isStored: true }], { comment: 'c' });
    for (let length = 0; length < seed.length; length += 1) read(seed.subarray(0, length));
    for (let bit = 0; bit < seed.length * 8; bit += 1) {
      const flipped = Buffer.from(seed);
      flipped[bit >> 3] = (flipped[bit >> 3] ?? 0) ^ (1 << (bit & 7));
      read(flipped);
    }
    let state = 5;
    for (let round = 0; round < 1000; round += 1) {
      const random = Buffer.from(seed);
      for (let change = 0; change < 6; change += 1) {
        state = (Math.imul(state, 1_664_525) + 1_013_904_223) >>> 0;
        random[state % random.length] = state >>> 24;
      }
      read(random);
    }
  });

  it('have names and properties of any length', () => {
    const blanks = ' '.repeat(1_000_000);
    assert.deepEqual(parsePomProperties(Buffer.from(`groupId=a${blanks}b\nartifactId=c\nversion=1\n`)), []);
    assert.deepEqual(guessFromManifest(undefined, `a${'-1'.repeat(1_000_000)}.jar`), []);
    const named = guessFromManifest(undefined, `${'a'.repeat(500)}-1.2.jar`);
    assert.deepEqual(
      named.map(({ version }) => version),
      ['1.2'],
    );
  });
});
