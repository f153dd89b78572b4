import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import { EvidenceError } from '@holdfast/evidence';
import { computeChainIds, parseImageConfig, parseImageIndex, parseImageManifest } from './oci-documents.ts';

const DIGESTS = ['a', 'b', 'c'].map((char) => `sha256:${char.repeat(64)}`);
const [A = '', B = '', C = ''] = DIGESTS;
const MANIFEST_TYPE = 'application/vnd.oci.image.manifest.v1+json';
const AMD64 = { os: 'linux', architecture: 'amd64' };
const bytesOf = (value: unknown): Buffer => Buffer.from(JSON.stringify(value));
const descriptor = (digest: string, more: object = {}) => ({ mediaType: MANIFEST_TYPE, digest, size: 1, ...more });
const tagged = (digest: string, tag: string, more: object = {}) =>
  descriptor(digest, { annotations: { 'org.opencontainers.image.ref.name': tag }, ...more });

const CONFIG = { ...AMD64, variant: '', rootfs: { type: 'layers', diff_ids: [A, B] }, history: [] };
const MANIFEST = { schemaVersion: 2, config: descriptor(A), layers: [descriptor(B), descriptor(C)] };

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
