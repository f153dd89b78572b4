import assert from 'node:assert/strict';
import { test } from 'node:test';
import { EvidenceError } from '@holdfast/evidence';
import {
  formatDocumentName,
  parseStorageContainers,
  parseStorageImages,
  parseStorageLayers,
} from './storage-documents.ts';

const id = (digit: string) => digit.repeat(64);
const encode = (value: unknown) => Buffer.from(JSON.stringify(value));

/** As podman 4.3 writes them. */
const CONTAINER = {
  id: id('1'),
  names: ['web'],
  image: id('2'),
  layer: id('3'),
  metadata: JSON.stringify({ 'image-name': 'localhost/base:1', 'image-id': id('2'), name: 'web' }),
  created: '2026-11-22T23:24:46.306351752Z',
  flags: { MountLabel: '', ProcessLabel: '' },
};
const LAYERS = [
  { id: id('4'), 'diff-digest': `sha256:${id('5')}`, uidset: [0], gidset: [0] },
  { id: id('3'), names: ['web-layer'], parent: id('4') },
];
const IMAGE = {
  id: id('2'),
  digest: `sha256:${id('6')}`,
  names: ['localhost/base:1'],
  layer: id('4'),
  'big-data-digests': { manifest: `sha256:${id('6')}`, [`sha256:${id('2')}`]: `sha256:${id('2')}`, odd: 'md5:1' },
};

test('lists are read as the store writes them', () => {
  assert.deepEqual(parseStorageContainers(encode([CONTAINER])), [
    {
      id: id('1'),
      names: ['web'],
      image: id('2'),
      layer: id('3'),
      imageName: 'localhost/base:1',
      created: '2026-11-22T23:24:46.306351752Z',
    },
  ]);
  assert.deepEqual(parseStorageLayers(encode(LAYERS)), [
    { id: id('4'), parent: undefined, diffId: `sha256:${id('5')}`, isShifted: false },
    { id: id('3'), parent: id('4'), diffId: undefined, isShifted: false },
  ]);
  const documents = [
    { key: 'manifest', digest: `sha256:${id('6')}` },
    { key: `sha256:${id('2')}`, digest: `sha256:${id('2')}` },
  ];
  assert.deepEqual(parseStorageImages(encode([IMAGE])), [{ id: id('2'), names: ['localhost/base:1'], documents }]);
  for (const parse of [parseStorageContainers, parseStorageLayers, parseStorageImages]) {
    assert.deepEqual(parse(encode(null)), []);
  }
});

test('a layer whose owners were moved for a user namespace says so', () => {
  const shifted = { ...LAYERS[0], uidmap: [{ container_id: 0, host_id: 100_000, size: 65_536 }] };
  assert.equal(parseStorageLayers(encode([shifted]))[0]?.isShifted, true);
});

test('ids that could lead out of the store are refused', () => {
  for (const bad of ['../x', '', id('A'), id('1').slice(1), `${id('1')}/`, 7, null]) {
    assert.throws(() => parseStorageContainers(encode([{ ...CONTAINER, id: bad }])), EvidenceError);
    assert.throws(() => parseStorageLayers(encode([{ ...LAYERS[1], parent: bad }])), EvidenceError);
    assert.throws(() => parseStorageImages(encode([{ ...IMAGE, id: bad }])), EvidenceError);
  }
  for (const name of ['image', 'layer']) {
    assert.throws(() => parseStorageContainers(encode([{ ...CONTAINER, [name]: '../x' }])), EvidenceError);
  }
  assert.throws(() => parseStorageLayers(encode([{ ...LAYERS[0], 'diff-digest': 'sha256:../x' }])), EvidenceError);
  assert.throws(() => parseStorageImages(encode([{ ...IMAGE, 'big-data-digests': [] }])), EvidenceError);
  assert.throws(() => parseStorageContainers(encode({})), EvidenceError);
});

test('documents lie under their key or its base64, never elsewhere', () => {
  assert.equal(formatDocumentName('manifest'), 'manifest');
  assert.equal(formatDocumentName('sha256:ab'), `=${Buffer.from('sha256:ab').toString('base64')}`);
  for (const bad of ['', '.', '..', 'a?o?'.repeat(200)]) assert.equal(formatDocumentName(bad), undefined);
  assert.equal(formatDocumentName('??>'), '=Pz8+');
  assert.equal(formatDocumentName('???'), undefined, 'its base64 holds a slash');
});

test('truncated, flipped and random lists throw nothing but the own error', () => {
  const parsers = [parseStorageContainers, parseStorageLayers, parseStorageImages];
  const inputs = [encode([CONTAINER]), encode(LAYERS), encode([IMAGE])];
  const attempt = (bytes: Buffer) => {
    for (const parse of parsers) {
      try {
        parse(bytes);
      } catch (error) {
        assert.ok(error instanceof EvidenceError, String(error));
      }
    }
  };
  for (const bytes of inputs) {
    for (let length = 0; length < bytes.length; length += 1) attempt(bytes.subarray(0, length));
    for (let bit = 0; bit < bytes.length * 8; bit += 1) {
      const flipped = Buffer.from(bytes);
      flipped.writeUInt8(flipped.readUInt8(bit >> 3) ^ (1 << (bit & 7)), bit >> 3);
      attempt(flipped);
    }
  }
  let seed = 11;
  for (let round = 0; round < 200; round += 1) {
    const bytes = Buffer.alloc(round);
    for (let at = 0; at < round; at += 1) {
      seed = (seed * 1_103_515_245 + 12_345) & 0x7fffffff;
      bytes.writeUInt8((seed >> 16) & 0xff, at);
    }
    attempt(bytes);
  }
});
