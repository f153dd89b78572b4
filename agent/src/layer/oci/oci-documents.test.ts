import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import { EvidenceError } from '@holdfast/evidence';
import type { LayoutSource } from './layout-source.ts';
import { computeChainIds, parseImageConfig, parseImageIndex, parseImageManifest } from './oci-documents.ts';
import { selectManifest } from './select-manifest.ts';

const DIGESTS = ['a', 'b', 'c'].map((char) => `sha256:${char.repeat(64)}`);
const [A = '', B = '', C = ''] = DIGESTS;
const MANIFEST_TYPE = 'application/vnd.oci.image.manifest.v1+json';
const INDEX_TYPE = 'application/vnd.oci.image.index.v1+json';
const AMD64 = { os: 'linux', architecture: 'amd64' };
const bytesOf = (value: unknown): Buffer => Buffer.from(JSON.stringify(value));
const descriptor = (digest: string, more: object = {}) => ({ mediaType: MANIFEST_TYPE, digest, size: 1, ...more });
const tagged = (digest: string, tag: string, more: object = {}) =>
  descriptor(digest, { annotations: { 'org.opencontainers.image.ref.name': tag }, ...more });

const CONFIG = { ...AMD64, variant: '', rootfs: { type: 'layers', diff_ids: [A, B] }, history: [] };
const MANIFEST = { schemaVersion: 2, config: descriptor(A), layers: [descriptor(B), descriptor(C)] };

function createSource(index: object, documents: Record<string, object> = {}): LayoutSource {
  return {
    readIndex: () => bytesOf(index),
    readDocument: ({ digest }) => bytesOf(documents[digest]),
    blobPath: (digest) => digest,
  };
}

describe('OCI documents', () => {
  it('are read', () => {
    assert.deepEqual(parseImageConfig(bytesOf(CONFIG)), { platform: AMD64, diffIds: [A, B] });
    assert.deepEqual(
      parseImageManifest(bytesOf(MANIFEST)).layers.map(({ digest }) => digest),
      [B, C],
    );
    assert.equal(parseImageIndex(bytesOf({ manifests: [tagged(A, '1')] }))[0]?.digest, A);
  });

  it('are refused where something that counts is missing or malformed', () => {
    const bad: [(bytes: Buffer) => unknown, unknown][] = [
      [parseImageConfig, { ...CONFIG, os: undefined }],
      [parseImageConfig, { ...CONFIG, rootfs: { type: 'other', diff_ids: [] } }],
      [parseImageConfig, { ...CONFIG, rootfs: { type: 'layers', diff_ids: ['sha256:AA'] } }],
      [parseImageConfig, []],
      [parseImageManifest, { ...MANIFEST, layers: undefined }],
      [parseImageManifest, { ...MANIFEST, layers: [{ ...descriptor(A), size: -1 }] }],
      [parseImageManifest, { ...MANIFEST, layers: [{ ...descriptor(A), digest: 'sha512:00' }] }],
      [parseImageManifest, { ...MANIFEST, config: null }],
      [parseImageManifest, { ...MANIFEST, layers: Array.from({ length: 513 }, () => descriptor(A)) }],
      [parseImageIndex, { manifests: [descriptor(A, { annotations: { x: 1 } })] }],
      [parseImageIndex, { manifests: [descriptor(A, { platform: { os: 1 } })] }],
      [parseImageIndex, {}],
    ];
    for (const [parse, value] of bad) assert.throws(() => parse(bytesOf(value)), EvidenceError, JSON.stringify(value));
  });

  it('are refused or read, never anything else, when cut or flipped', () => {
    const all: [(bytes: Buffer) => unknown, object][] = [
      [parseImageConfig, CONFIG],
      [parseImageManifest, MANIFEST],
    ];
    for (const [parse, value] of all) {
      const bytes = bytesOf(value);
      for (let length = 0; length < bytes.length; length += 1) {
        assert.throws(() => parse(bytes.subarray(0, length)), EvidenceError);
      }
      for (let bit = 0; bit < bytes.length * 8; bit += 7) {
        const flipped = Buffer.from(bytes);
        flipped[bit >> 3] = (flipped[bit >> 3] ?? 0) ^ (1 << (bit & 7));
        try {
          parse(flipped);
        } catch (error) {
          assert.ok(error instanceof EvidenceError);
        }
      }
    }
  });

  it('chain layers as the specification says', () => {
    assert.deepEqual(computeChainIds([]), []);
    // printf 'sha256:aa… sha256:bb…' | sha256sum
    assert.deepEqual(computeChainIds([A, B]), [
      A,
      'sha256:ccd722928bd92476ba1745586fed6e45a102504185ad88cd89e01ff116fd146c',
    ]);
  });
});

describe('manifest selection', () => {
  const platform = (architecture: string) => ({ platform: { os: 'linux', architecture } });

  it('takes the only image, or the one that is named', () => {
    assert.equal(selectManifest(createSource({ manifests: [tagged(A, '1')] }), undefined, AMD64).manifest.digest, A);
    const both = createSource({ manifests: [tagged(A, '1'), tagged(B, 'docker.io/x/y:2')] });
    assert.equal(selectManifest(both, '1', AMD64).manifest.digest, A);
    for (const ref of ['2', 'docker.io/x/y:2', B]) assert.equal(selectManifest(both, ref, AMD64).manifest.digest, B);
    assert.equal(selectManifest(both, '2', AMD64).reference, 'docker.io/x/y:2');
  });

  it('refuses to guess', () => {
    const both = createSource({ manifests: [tagged(A, '1'), tagged(B, '2')] });
    for (const ref of [undefined, '3']) assert.throws(() => selectManifest(both, ref, AMD64), EvidenceError);
    assert.throws(() => selectManifest(createSource({ manifests: [] }), undefined, AMD64), EvidenceError);
  });

  it('goes through nested indexes by platform and passes over attestations', () => {
    const source = createSource(
      { manifests: [tagged(A, '1', { mediaType: INDEX_TYPE })] },
      {
        [A]: {
          manifests: [
            descriptor(B, platform('arm64')),
            descriptor(C, platform('amd64')),
            descriptor(B, { platform: { os: 'unknown', architecture: 'unknown' } }),
            descriptor(B, { mediaType: 'application/json' }),
          ],
        },
      },
    );
    const selected = selectManifest(source, '1', AMD64);
    assert.equal(selected.manifest.digest, C);
    assert.deepEqual(selected.indexDigests, [A]);
    assert.equal(selectManifest(source, '1', { os: 'linux', architecture: 'arm64' }).manifest.digest, B);
    assert.throws(() => selectManifest(source, '1', { os: 'linux', architecture: 's390x' }), /no image fits/);
  });

  it('ends in an index that holds itself', () => {
    const loop = { manifests: [descriptor(A, { mediaType: INDEX_TYPE })] };
    assert.throws(() => selectManifest(createSource(loop, { [A]: loop }), undefined, AMD64), /too deep/);
  });
});
