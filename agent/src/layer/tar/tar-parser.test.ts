import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import { EvidenceError } from '@holdfast/evidence';
import { archive, type MemberBytes, member, octal, pad, pax, seal } from './tar-bytes.test-support.ts';
import type { TarEntry } from './tar-entry.ts';
import { DEFAULT_TAR_LIMITS, type TarLimits, TarParser } from './tar-parser.ts';

interface ReadMember extends TarEntry {
  content: Buffer;
}

function readTar(tar: Buffer, chunkBytes = tar.length, limits: TarLimits = DEFAULT_TAR_LIMITS): ReadMember[] {
  const members: ReadMember[] = [];
  let open = 0;
  const parser = new TarParser(
    {
      onEntry: (entry) => {
        const isFile = entry.type === 'file';
        open += isFile ? 1 : 0;
        members.push({ ...entry, content: Buffer.alloc(isFile ? Math.min(entry.size, 1 << 20) : 0) });
      },
      onData: (chunk, offset) => {
        chunk.copy(members.at(-1)?.content ?? Buffer.alloc(0), offset);
      },
      onEnd: () => {
        open -= 1;
      },
    },
    limits,
  );
  for (let at = 0; at < tar.length; at += chunkBytes) parser.push(tar.subarray(at, at + chunkBytes));
  parser.end();
  assert.equal(open, 0, 'every file that was opened was ended');
  return members;
}

function readOne(...parts: Buffer[]): ReadMember {
  const members = readTar(archive(...parts));
  assert.equal(members.length, 1);
  const [only] = members;
  assert.ok(only);
  return only;
}

function base256(value: number, width: number): Buffer {
  const field = Buffer.alloc(width);
  field.writeUIntBE(value, width - 6, 6);
  field[0] = 0x80;
  return field;
}

const sparseHeader = (edit: (header: Buffer) => void, content: string): MemberBytes => ({
  flag: 'S',
  magic: 'ustar  \0',
  content,
  edit,
});

const RICH = archive(
  member({ name: 'usr/', flag: '5', mode: 0o755 }),
  pax([
    ['path', 'usr/long/ä'],
    ['uid', '3000000'],
    ['SCHILY.xattr.security.capability', Buffer.from([1, 0, 0x80, 0, 0xff])],
  ]),
  member({ content: 'hello', mode: 0o4755, gid: 7 }),
  member({ name: 'usr/link', flag: '2', link: 'long/ä' }),
  member({ name: 'usr/hard', flag: '1', link: 'usr/long/ä' }),
  member({ name: 'dev/null', flag: '3', device: [1, 3], mode: 0o666 }),
  member({ name: 'big', content: Buffer.alloc(3000, 'x') }),
);

describe('tar parser', () => {
  it('reads the same whatever the pieces are', () => {
    const whole = readTar(RICH);
    for (const size of [1, 7, 511, 512, 513, 4096]) assert.deepEqual(readTar(RICH, size), whole, `pieces of ${size}`);
  });

  it('reads pax owners, binary attributes and paths', () => {
    const file = readTar(RICH)[1];
    assert.equal(file?.path, Buffer.from('usr/long/ä').toString('latin1'));
    assert.equal(file?.uid, 3_000_000);
    assert.equal(file?.gid, 7);
    assert.equal(file?.mode, 0o4755);
    assert.deepEqual(file?.xattrs?.get('security.capability'), Buffer.from([1, 0, 0x80, 0, 0xff]));
    assert.equal(file?.content.toString(), 'hello');
  });

  it('tells types, targets and devices', () => {
    const members = readTar(RICH);
    assert.deepEqual(
      members.map(({ type }) => type),
      ['directory', 'file', 'symlink', 'hardlink', 'char', 'file'],
    );
    assert.equal(members[2]?.target, Buffer.from('long/ä').toString('latin1'));
    assert.deepEqual([members[4]?.rdevMajor, members[4]?.rdevMinor], [1, 3]);
  });

  it('points to where the data of a file begin', () => {
    for (const { type, dataOffset, content } of readTar(RICH)) {
      if (type === 'file') assert.deepEqual(RICH.subarray(dataOffset, dataOffset + content.length), content);
    }
  });

  it('takes back a record by an empty value and keeps records to one member', () => {
    const members = readTar(
      archive(
        pax([
          ['path', 'other'],
          ['path', ''],
        ]),
        member({ name: 'own' }),
        member({ name: 'next' }),
      ),
    );
    assert.deepEqual(
      members.map(({ path }) => path),
      ['own', 'next'],
    );
  });

  it('passes over global pax headers', () => {
    assert.equal(
      readOne(
        pax(
          [
            ['path', 'global'],
            ['uid', '5'],
          ],
          'g',
        ),
        member({ name: 'own' }),
      ).uid,
      0,
    );
  });

  it('joins the ustar prefix and the shorter star one', () => {
    const ustar = member({ name: 'b', edit: (header) => header.write('a/a', 345) });
    assert.equal(readOne(ustar).path, 'a/a/b');
    const star = member({
      name: 'b',
      edit: (header) => {
        header.write('p'.repeat(131), 345);
        header.write('12345678901\0', 476);
        header.write('tar\0', 508);
      },
    });
    assert.equal(readOne(star).path, `${'p'.repeat(131)}/b`);
  });

  it('reads GNU long names and links', () => {
    const longName = member({ name: '././@LongLink', flag: 'L', content: `${'n'.repeat(300)}\0` });
    const longLink = member({ name: '././@LongLink', flag: 'K', content: `${'t'.repeat(300)}\0` });
    const found = readOne(longName, longLink, member({ flag: '2', magic: 'ustar  \0', link: 'short' }));
    assert.equal(found.path, 'n'.repeat(300));
    assert.equal(found.target, 't'.repeat(300));
  });

  it('reads base-256 owners and sizes, and refuses negative and too large ones', () => {
    const found = readOne(
      member({
        content: 'abc',
        edit: (header) => {
          base256(3_000_000, 8).copy(header, 108);
          base256(3, 12).copy(header, 124);
        },
      }),
    );
    assert.equal(found.uid, 3_000_000);
    assert.equal(found.content.toString(), 'abc');
    for (const first of [0xff, 0xbf]) {
      const bad = member({ edit: (header) => header.fill(first, 124, 136) });
      assert.throws(() => readTar(archive(bad)), EvidenceError);
    }
  });

  it('takes an old header whose name ends in a slash as a directory', () => {
    assert.equal(readOne(member({ name: 'd/', flag: '\0', magic: '' })).type, 'directory');
    assert.equal(readOne(member({ name: 'd', flag: '\0', magic: '' })).type, 'file');
  });

  it('gives links and directories no data, whatever size they claim', () => {
    const members = readTar(archive(member({ name: 'd', flag: '5', size: 9999 }), member({ name: 'f', content: 'x' })));
    assert.deepEqual(
      members.map(({ path, size }) => [path, size]),
      [
        ['d', 0],
        ['f', 1],
      ],
    );
  });

  it('accepts signed checksums', () => {
    const header = member({ name: Buffer.from([0xff, 0xfe]) });
    header.fill(' ', 148, 156);
    const sum = header.subarray(0, 512).reduce((total, byte) => total + (byte > 127 ? byte - 256 : byte), 0);
    octal(header, 148, 8, sum);
    assert.equal(readOne(header).path, '\xff\xfe');
  });

  it('stops at two empty blocks and does not read what follows', () => {
    assert.equal(readTar(Buffer.concat([RICH, Buffer.alloc(700, 'junk')])).length, 6);
  });

  it('accepts an archive that ends without empty blocks', () => {
    assert.equal(readTar(member({ content: 'x' })).length, 1);
  });
});

describe('tar parser, sparse files', () => {
  const expected = Buffer.concat([
    Buffer.alloc(10),
    Buffer.from('ab'),
    Buffer.alloc(8),
    Buffer.from('cde'),
    Buffer.alloc(7),
  ]);

  it('reads the GNU format in header and extension blocks', () => {
    const inHeader = member(
      sparseHeader((header) => {
        octal(header, 386, 12, 10);
        octal(header, 398, 12, 2);
        octal(header, 410, 12, 20);
        octal(header, 422, 12, 3);
        octal(header, 483, 12, 30);
      }, 'abcde'),
    );
    const inExtension = member(
      sparseHeader((header) => {
        octal(header, 386, 12, 10);
        octal(header, 398, 12, 2);
        header[482] = 1;
        octal(header, 483, 12, 30);
      }, ''),
    );
    octal(inExtension, 124, 12, 5);
    seal(inExtension);
    const extension = Buffer.alloc(512);
    octal(extension, 0, 12, 20);
    octal(extension, 12, 12, 3);
    for (const parts of [[inHeader], [inExtension, extension, pad(Buffer.from('abcde'))]]) {
      const found = readOne(...parts);
      assert.equal(found.size, 30);
      assert.deepEqual(found.content, expected);
    }
  });

  it('reads the pax formats 0.0, 0.1 and 1.0', () => {
    const name = ['GNU.sparse.name', 'real'] as const;
    const zeroZero = [
      pax([
        ['GNU.sparse.size', '30'],
        ['GNU.sparse.numblocks', '2'],
        ['GNU.sparse.offset', '10'],
        ['GNU.sparse.numbytes', '2'],
        ['GNU.sparse.offset', '20'],
        ['GNU.sparse.numbytes', '3'],
      ]),
      member({ name: 'real', content: 'abcde' }),
    ];
    const zeroOne = [
      pax([
        ['GNU.sparse.major', '0'],
        ['GNU.sparse.minor', '1'],
        name,
        ['GNU.sparse.size', '30'],
        ['GNU.sparse.map', '10,2,20,3'],
      ]),
      member({ name: 'GNUSparseFile.1/x', content: 'abcde' }),
    ];
    const map = pad(Buffer.from('2\n10\n2\n20\n3\n'));
    const oneZero = [
      pax([['GNU.sparse.major', '1'], ['GNU.sparse.minor', '0'], name, ['GNU.sparse.realsize', '30']]),
      member({ name: 'GNUSparseFile.1/x', content: Buffer.concat([map, Buffer.from('abcde')]) }),
    ];
    for (const parts of [zeroZero, zeroOne, oneZero]) {
      const found = readOne(...parts);
      assert.equal(found.path, 'real');
      assert.deepEqual(found.content, expected);
      const tar = archive(...parts);
      assert.deepEqual(readTar(tar, 3), readTar(tar));
    }
  });

  it('reads a file that is all hole', () => {
    const found = readOne(
      pax([
        ['GNU.sparse.size', '4096'],
        ['GNU.sparse.map', '4096,0'],
      ]),
      member({}),
    );
    assert.deepEqual(found.content, Buffer.alloc(4096));
  });

  it('refuses segments that overlap, pass the end or do not add up to the data', () => {
    for (const map of ['10,2,11,3', '28,5', '10,2', '10', '20,3,10,2', '-1,5', '10,2,20,x']) {
      const tar = archive(
        pax([
          ['GNU.sparse.size', '30'],
          ['GNU.sparse.map', map],
        ]),
        member({ content: 'abcde' }),
      );
      assert.throws(() => readTar(tar), EvidenceError, map);
    }
  });
});

describe('tar parser, hostile bytes', () => {
  it('refuses a wrong checksum, an unknown member and a lone member after the end', () => {
    const wrong = Buffer.from(RICH);
    wrong[0] = 0x55;
    for (const tar of [
      wrong,
      archive(member({ flag: 'V' })),
      Buffer.concat([member({}), Buffer.alloc(512), member({})]),
      archive(member({ flag: '2' })),
      archive(pax([['uid', '4294967296']]), member({})),
      archive(pax([['uid', '-1']]), member({})),
      archive(pax([['path', 'a\0b']]), member({})),
      archive(member({ flag: 'x', content: '5 a=b\n' }), member({})),
      archive(member({ flag: 'x', content: '99999 a=b\n' }), member({})),
      archive(member({ flag: 'x', content: '6 =bb\n' }), member({})),
      pax([['path', 'x']]),
    ]) {
      assert.throws(() => readTar(tar), { name: 'EvidenceError', code: 'ERR_EVIDENCE_MALFORMED' });
    }
  });

  it('keeps to its limits', () => {
    const code = 'ERR_EVIDENCE_LIMIT';
    const limits = { ...DEFAULT_TAR_LIMITS, maxEntries: 2, maxFileBytes: 100 };
    assert.throws(() => readTar(archive(member({}), member({}), member({})), 512, limits), { code });
    assert.throws(() => readTar(archive(member({ content: Buffer.alloc(101) })), 512, limits), { code });
    assert.throws(() => readTar(archive(member({ flag: 'x', size: 2 ** 21 })), 512, limits), { code });
    const huge = archive(
      pax([
        ['GNU.sparse.size', '1000'],
        ['GNU.sparse.map', '1000,0'],
      ]),
      member({}),
    );
    assert.throws(() => readTar(huge, 512, limits), { code });
  });

  it('throws only its own error however it is cut or flipped', () => {
    const tar = archive(
      pax([
        ['path', 'p'],
        ['SCHILY.xattr.user.a', 'b'],
        ['GNU.sparse.map', '0,2'],
        ['GNU.sparse.size', '9'],
      ]),
      member({ content: 'ab' }),
      member({ flag: 'L', content: 'name\0' }),
      member({ content: 'x' }),
    );
    const attempt = (bytes: Buffer): void => {
      try {
        readTar(bytes, 100);
      } catch (error) {
        if (!(error instanceof EvidenceError)) throw error;
      }
    };
    for (let length = 0; length < tar.length; length += 1) attempt(tar.subarray(0, length));
    for (let bit = 0; bit < tar.length * 8; bit += 3) {
      const flipped = Buffer.from(tar);
      flipped[bit >> 3] = (flipped[bit >> 3] ?? 0) ^ (1 << (bit & 7));
      if (bit % 4096 < 148 * 8) for (const at of [0, 1024]) seal(flipped.subarray(at, at + 512));
      attempt(flipped);
    }
  });

  it('throws only its own error for random headers with right checksums', () => {
    let state = 0x2545f491;
    const random = (): number => {
      state ^= state << 13;
      state ^= state >>> 17;
      state ^= state << 5;
      return state & 0xff;
    };
    for (let round = 0; round < 400; round += 1) {
      const header = Buffer.from(
        Array.from({ length: 512 }, () => (random() < 160 ? 0x30 + (random() & 7) : random())),
      );
      header[156] = '0SLKxg512'.charCodeAt(round % 9);
      seal(header);
      try {
        readTar(Buffer.concat([header, Buffer.alloc(2048, '7 a=b\n\0')]));
      } catch (error) {
        if (!(error instanceof EvidenceError)) throw error;
      }
    }
  });
});
