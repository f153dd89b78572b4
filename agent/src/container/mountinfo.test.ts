import assert from 'node:assert/strict';
import { test } from 'node:test';
import { EvidenceError } from '@holdfast/evidence';
import { decodeOctal, parseMountinfo } from './mountinfo.ts';
import { collectOptions, parseOverlayOptions, resolveLowers } from './overlay-options.ts';

const OVERLAY =
  '70 47 0:39 / / rw,relatime - overlay overlay rw,lowerdir=/r/snapshots/2/fs:/r/snapshots/1/fs,upperdir=/r/snapshots/3/fs,workdir=/r/snapshots/3/work';
const BIND = '78 70 254:0 /srv/a\\040b /data\\134x ro,nosuid shared:1 master:2 - ext4 /dev/vda rw,discard';

test('reads device, paths, flags and options of each mount', () => {
  const [root, bind, ...rest] = parseMountinfo(Buffer.from(`${OVERLAY}\n${BIND}\n`));
  assert.deepEqual(rest, []);
  assert.equal(root?.fsType, 'overlay');
  assert.equal(root?.devMinor, 39);
  assert.equal(root?.readonly, false);
  assert.equal(bind?.mountPoint, '/data\\x');
  assert.equal(bind?.root, '/srv/a b');
  assert.equal(bind?.readonly, true);
  assert.equal(bind?.source, '/dev/vda');
});

test('keeps bytes that are not UTF-8', () => {
  const line = Buffer.from('1 1 0:1 / /a\xff rw - tmpfs t rw', 'latin1');
  assert.equal(parseMountinfo(line)[0]?.mountPoint, '/a\xff');
});

test('undoes octal escapes and nothing else', () => {
  assert.equal(decodeOctal('\\040\\011\\134040\\9\\777\\'), ' \t\\040\\9\\777\\');
});

test('truncated, flipped and random tables are refused with an EvidenceError or read', () => {
  const whole = Buffer.from(`${OVERLAY}\n${BIND}\n`);
  const tryParse = (bytes: Buffer) => {
    try {
      for (const mount of parseMountinfo(bytes)) resolveLowers(parseOverlayOptions(mount.superOptions));
    } catch (error) {
      assert.ok(error instanceof EvidenceError, String(error));
    }
  };
  for (let length = 0; length <= whole.length; length += 1) tryParse(whole.subarray(0, length));
  for (let bit = 0; bit < whole.length * 8; bit += 1) {
    const flipped = Buffer.from(whole);
    flipped[bit >> 3] = (flipped[bit >> 3] ?? 0) ^ (1 << (bit & 7));
    tryParse(flipped);
  }
  let seed = 7;
  for (let round = 0; round < 500; round += 1) {
    const bytes = Buffer.alloc(round);
    for (let at = 0; at < round; at += 1) {
      seed = (seed * 1103515245 + 12345) & 0x7fffffff;
      bytes[at] = seed >> 16;
    }
    tryParse(bytes);
  }
});

test('a line with too few fields is refused', () => {
  assert.throws(() => parseMountinfo(Buffer.from('70 47 0:39 / /\n')), EvidenceError);
  assert.throws(() => parseMountinfo(Buffer.from('70 x 0:39 / / rw - overlay overlay rw\n')), EvidenceError);
});

test('lower directories come top first, with escaped colons and commas', () => {
  const options = parseOverlayOptions('rw,lowerdir=/a\\134:b:/c\\054d,upperdir=/u\\134:x,workdir=/w');
  assert.deepEqual(options.lowers, ['/a:b', '/c,d']);
  assert.equal(options.upper, '/u:x');
  assert.deepEqual(options.unsupported, []);
});

test('lower directories given one by one by the new mount API', () => {
  assert.deepEqual(parseOverlayOptions('rw,lowerdir+=/b,lowerdir+=/a,upperdir=/u').lowers, ['/b', '/a']);
});

test('relative lower directories start beside the upper one', () => {
  const options = parseOverlayOptions(
    'rw,lowerdir=84/fs:83/fs,upperdir=/r/snapshots/85/fs,workdir=/r/snapshots/85/work',
  );
  assert.deepEqual(resolveLowers(options), ['/r/snapshots/84/fs', '/r/snapshots/83/fs']);
});

test('relative lower directories that lead elsewhere or start nowhere are refused', () => {
  assert.throws(() => resolveLowers({ lowers: ['../x'], upper: '/r/snapshots/85/fs' }), EvidenceError);
  assert.throws(() => resolveLowers({ lowers: ['84/fs'], upper: undefined }), EvidenceError);
});

test('features that hide data from a reader of the directories are named', () => {
  const named = (text: string) => parseOverlayOptions(text).unsupported;
  assert.deepEqual(named('rw,lowerdir=/a::/data,upperdir=/u'), ['dataOnlyLower']);
  assert.deepEqual(named('rw,lowerdir=/a,upperdir=/u,metacopy=on,redirect_dir=on,userxattr'), [
    'metacopy',
    'redirect_dir',
    'userxattr',
  ]);
  assert.deepEqual(collectOptions(['lowerdir=/a', 'uidmap=0:1:2']).unsupported, ['idmappedLower']);
  assert.deepEqual(named('rw,lowerdir=/a,upperdir=/u,redirect_dir=off,index=off,metacopy=off'), []);
});
