import assert from 'node:assert/strict';
import { hash } from 'node:crypto';
import { suite, test } from 'node:test';
import { assertSurvivesHostileBytes, evidenceError } from '../testing/foreign-bytes.test.ts';
import { type MadeImage, makeMark, makePe } from '../testing/pe-fixture.test.ts';
import { computeAuthenticodeDigest, listImageSignatures } from './authenticode.ts';
import { parsePeImage, readSectionContent } from './pe-image.ts';
import { identifyLoader, readUnifiedKernel } from './unified-kernel.ts';

const TEXT = { name: '.text', content: Buffer.alloc(40, 7) };
const SMALL: MadeImage = { sections: [TEXT, { name: '.data', content: Buffer.alloc(5, 9), virtualSize: 20 }] };
const digestOf = (bytes: Buffer) => computeAuthenticodeDigest(parsePeImage(bytes)).toString('hex');
const readAll = (bytes: Buffer) => {
  const image = parsePeImage(bytes);
  computeAuthenticodeDigest(image);
  listImageSignatures(image);
  identifyLoader(image);
  return image;
};

suite('PE images', () => {
  test('sections are read as they stand in memory', () => {
    const image = parsePeImage(makePe(SMALL));
    const contents = image.sections.map((section) => readSectionContent(image, section));
    assert.deepEqual(contents, [Buffer.alloc(40, 7), Buffer.concat([Buffer.alloc(5, 9), Buffer.alloc(15)])]);
    assert.equal(parsePeImage(makePe({ ...SMALL, is32: true })).sections.length, 2);
  });

  test('the digest leaves out checksum, certificate entry and certificate table, and nothing else', () => {
    const bytes = makePe(SMALL);
    const image = parsePeImage(bytes);
    const entryAt = image.certificateEntryAt ?? 0;
    const kept = [
      bytes.subarray(0, image.checksumAt),
      bytes.subarray(image.checksumAt + 4, entryAt),
      bytes.subarray(entryAt + 8),
    ];
    assert.equal(digestOf(bytes), hash('sha256', Buffer.concat(kept)));
    assert.equal(
      digestOf(makePe({ ...SMALL, signatures: [Buffer.alloc(33, 1), Buffer.alloc(3, 2)] })),
      digestOf(bytes),
    );
    for (let at = 0; at < bytes.length; at += 1) {
      const isLeftOut = (at >= image.checksumAt && at < image.checksumAt + 4) || (at >= entryAt && at < entryAt + 8);
      // Headers decide what is hashed; a change of content must show.
      if (isLeftOut || at < image.headerBytes) continue;
      const changed = Buffer.from(bytes);
      changed.writeUInt8(changed.readUInt8(at) ^ 1, at);
      assert.notEqual(digestOf(changed), digestOf(bytes), `${at}`);
    }
  });

  test('sections are hashed in the order of the file, and what follows them too', () => {
    const bytes = Buffer.concat([makePe(SMALL), Buffer.from('overlay')]);
    assert.notEqual(digestOf(bytes), digestOf(makePe(SMALL)));
    assert.notEqual(digestOf(makePe({ sections: SMALL.sections.toReversed() })), digestOf(makePe(SMALL)));
  });

  test('signatures are listed, of whatever length', () => {
    const signatures = [Buffer.alloc(33, 1), Buffer.alloc(8, 2)];
    assert.deepEqual(listImageSignatures(parsePeImage(makePe({ ...SMALL, signatures }))), signatures);
    assert.deepEqual(listImageSignatures(parsePeImage(makePe(SMALL))), []);
    const many = parsePeImage(makePe({ ...SMALL, signatures: Array.from({ length: 17 }, () => Buffer.alloc(8)) }));
    assert.throws(() => listImageSignatures(many), evidenceError('ERR_EVIDENCE_LIMIT'));
  });

  test('hostile bytes are refused or read, whatever they are', () => {
    const signed = makePe({ ...SMALL, signatures: [Buffer.alloc(16, 3)] });
    assertSurvivesHostileBytes(readAll, signed, { allowPrefix: true, flipStep: 3 });
    const sections = Array.from({ length: 10 }, () => TEXT);
    const wrong = makePe({ sections });
    wrong.writeUInt16LE(300, 64 + 4 + 2);
    assert.throws(() => parsePeImage(wrong), evidenceError('ERR_EVIDENCE_LIMIT'));
  });
});

const LINUX = makePe(SMALL);
const uki = (version: number, ...more: MadeImage['sections'][number][]) =>
  parsePeImage(makePe({ sections: [makeMark('stub', version), { name: '.linux', content: LINUX }, ...more] }));
const section = (name: string, text = name) => ({ name, content: Buffer.from(text) });

suite('unified kernel images', () => {
  test('a stub measures the sections that its version knows, in its order', () => {
    const names = ['.pcrpkey', '.sbat', '.uname', '.initrd', '.cmdline', '.osrel', '.ucode', '.text', '.pcrsig'];
    const measured = (version: number) =>
      readUnifiedKernel(uki(version, ...names.map((name) => section(name)))).measured.map(({ name }) => name);
    assert.deepEqual(measured(252), ['.linux', '.osrel', '.cmdline', '.initrd', '.pcrpkey']);
    assert.deepEqual(measured(253), ['.linux', '.osrel', '.cmdline', '.initrd', '.uname', '.pcrpkey']);
    assert.deepEqual(measured(254), ['.linux', '.osrel', '.cmdline', '.initrd', '.uname', '.sbat', '.pcrpkey']);
    assert.deepEqual(measured(256), [
      '.linux',
      '.osrel',
      '.cmdline',
      '.initrd',
      '.ucode',
      '.uname',
      '.sbat',
      '.pcrpkey',
    ]);
  });

  test('the command line is what the stub makes of its section', () => {
    const read = (text: string) => readUnifiedKernel(uki(252, section('.cmdline', text))).commandLine;
    assert.equal(read('quiet root=/dev/a'), 'quiet root=/dev/a');
    assert.equal(read('  quiet\troot=ä \n\0rest'), 'quiet root=ä');
    assert.equal(readUnifiedKernel(uki(252)).commandLine, null);
    const blanks = ' '.repeat(4 * 1024 * 1024);
    assert.equal(read(`a${blanks}b${blanks}`), `a${blanks}b`);
  });

  test('kernel and initrd are told, and whether more comes to the initrd', () => {
    const plain = readUnifiedKernel(uki(252, section('.initrd', 'cpio')));
    assert.ok(plain.linux.equals(LINUX));
    assert.deepEqual([plain.initrd?.toString(), plain.isInitrdComposed, plain.stubVersion], ['cpio', false, 252]);
    assert.ok(readUnifiedKernel(uki(252, section('.initrd'), section('.pcrsig'))).isInitrdComposed);
    assert.equal(readUnifiedKernel(uki(252)).initrd, null);
    const withRelease = (version: number) => readUnifiedKernel(uki(version, section('.osrel'))).isInitrdComposed;
    assert.deepEqual([withRelease(256), withRelease(257)], [false, true]);
  });

  test('what nobody can foretell is refused', () => {
    const refused: [ReturnType<typeof uki>, RegExp][] = [
      [uki(251), /does not measure/],
      [uki(257, section('.profile')), /\.profile/],
      [uki(252, section('.cmdline'), section('.cmdline')), /twice/],
      [parsePeImage(makePe({ sections: [makeMark('stub', 252)] })), /no kernel/],
      [parsePeImage(makePe({ sections: [makeMark('boot', 252), section('.linux')] })), /no systemd-stub/],
      [parsePeImage(makePe(SMALL)), /no systemd-stub/],
      [
        parsePeImage(makePe({ sections: [section('.sdmagic', '#### LoaderInfo: other 252.1 ####')] })),
        /no systemd-stub/,
      ],
    ];
    for (const [image, reason] of refused) {
      assert.throws(
        () => readUnifiedKernel(image),
        (error) => {
          assert.match(String(error), reason);
          return evidenceError('ERR_EVIDENCE_MALFORMED')(error);
        },
      );
    }
  });

  test('loaders are known by their mark', () => {
    const boot = parsePeImage(makePe({ sections: [makeMark('boot', 257)] }));
    assert.deepEqual(identifyLoader(boot), { name: 'boot', version: 257 });
    assert.equal(identifyLoader(parsePeImage(makePe(SMALL))), undefined);
  });
});
