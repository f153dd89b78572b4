import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import { EvidenceError } from '@holdfast/evidence';
import type { LayoutSource } from './layout-source.ts';
import { checkPlatform, selectManifest } from './select-manifest.ts';

const [A = '', B = '', C = ''] = ['a', 'b', 'c'].map((char) => `sha256:${char.repeat(64)}`);
const MANIFEST_TYPE = 'application/vnd.oci.image.manifest.v1+json';
const INDEX_TYPE = 'application/vnd.oci.image.index.v1+json';
const AMD64 = { os: 'linux', architecture: 'amd64' };
const ARM64 = { os: 'linux', architecture: 'arm64' };
const S390X = { os: 'linux', architecture: 's390x' };
const descriptor = (digest: string, more: object = {}) => ({ mediaType: MANIFEST_TYPE, digest, size: 1, ...more });
const tagged = (digest: string, tag: string, more: object = {}) =>
  descriptor(digest, { annotations: { 'org.opencontainers.image.ref.name': tag }, ...more });

function createSource(index: object, documents: Record<string, object> = {}): LayoutSource {
  const bytesOf = (value: unknown): Buffer => Buffer.from(JSON.stringify(value));
  return {
    readIndex: () => bytesOf(index),
    readDocument: ({ digest }) => bytesOf(documents[digest]),
    blobPath: (digest) => digest,
  };
}

/** The digest that is chosen on a machine of AMD64. */
function select(manifests: object[], ref?: string, wanted?: typeof AMD64 & { variant?: string }): string {
  return selectManifest(createSource({ manifests }), ref, { wanted, own: AMD64 }).manifest.digest;
}

describe('manifest selection', () => {
  it('takes the only image, or the one that is named', () => {
    assert.equal(select([tagged(A, '1')]), A);
    const both = [tagged(A, '1'), tagged(B, 'docker.io/x/y:2')];
    assert.equal(select(both, '1'), A);
    for (const ref of ['2', 'docker.io/x/y:2', B]) assert.equal(select(both, ref), B);
    assert.equal(selectManifest(createSource({ manifests: both }), '2').reference, 'docker.io/x/y:2');
  });

  it('refuses to guess', () => {
    const both = [tagged(A, '1'), tagged(B, '2')];
    assert.throws(() => select(both), /more than one image fits linux\/amd64; there are 1, 2$/);
    for (const manifests of [both, []]) assert.throws(() => select(manifests, '3'), EvidenceError);
    assert.throws(() => select([]), /holds no image/);
  });

  it('says of a wrong name which there are', () => {
    const platforms = [tagged(A, '1', { platform: ARM64 }), descriptor(B)];
    assert.throws(() => select(platforms, '3'), {
      message: `image: no image is named 3; the layout holds 1 (linux/arm64), ${B}`,
    });
    const many = Array.from({ length: 12 }, (_, at) => tagged(A, `v${at}`));
    assert.throws(() => select(many, '3'), /v9, 2 more$/);
  });

  it('takes an image of another platform where it is the only one, or asked for', () => {
    assert.equal(select([tagged(A, '1', { platform: ARM64 })]), A);
    assert.equal(select([tagged(A, '1', { platform: ARM64 }), tagged(B, '2', { platform: AMD64 })], '1'), A);
    const both = [descriptor(A, { platform: ARM64 }), descriptor(B, { platform: AMD64 })];
    assert.equal(select(both), B);
    assert.equal(select(both, undefined, ARM64), A);
    assert.throws(
      () => select(both, undefined, S390X),
      /no image fits linux\/s390x; there are sha256:a+ \(linux\/arm64\)/,
    );
    assert.throws(() => select([tagged(A, '1', { platform: ARM64 })], '1', AMD64), /no image fits linux\/amd64/);
    assert.throws(() => select([both[0] ?? {}, descriptor(C, { platform: S390X })]), /no image fits linux\/amd64/);
  });

  it('tells variants apart where one is asked for', () => {
    const [v2, v3] = [
      descriptor(A, { platform: { ...AMD64, variant: 'v2' } }),
      descriptor(B, { platform: { ...AMD64, variant: 'v3' } }),
    ];
    assert.throws(() => select([v2, v3]), /more than one image fits linux\/amd64; .*\(linux\/amd64\/v2\)/);
    assert.equal(select([v2, v3], undefined, { ...AMD64, variant: 'v3' }), B);
  });

  it('passes over what is no image', () => {
    const bundle = { artifactType: 'application/vnd.dev.sigstore.bundle.v0.3+json' };
    assert.equal(select([descriptor(A), descriptor(B, bundle)]), A);
    assert.equal(select([descriptor(A, { artifactType: 'application/vnd.oci.image.config.v1+json' })]), A);
    assert.throws(() => select([descriptor(B, bundle)]), /holds no image/);
  });

  it('goes through nested indexes by platform and passes over attestations', () => {
    const source = createSource(
      { manifests: [tagged(A, '1', { mediaType: INDEX_TYPE })] },
      {
        [A]: {
          manifests: [
            descriptor(B, { platform: ARM64 }),
            descriptor(C, { platform: AMD64 }),
            descriptor(B, { platform: { os: 'unknown', architecture: 'unknown' } }),
            descriptor(B, { mediaType: 'application/json' }),
          ],
        },
      },
    );
    const selected = selectManifest(source, '1', { own: AMD64 });
    assert.equal(selected.manifest.digest, C);
    assert.deepEqual(selected.indexDigests, [A]);
    assert.equal(selectManifest(source, '1', { wanted: ARM64 }).manifest.digest, B);
    assert.throws(() => selectManifest(source, '1', { wanted: S390X }), /no image fits/);
  });

  it('ends in an index that holds itself', () => {
    const loop = { manifests: [descriptor(A, { mediaType: INDEX_TYPE })] };
    assert.throws(() => selectManifest(createSource(loop, { [A]: loop }), undefined), /too deep/);
  });
});

describe('the platform of a config', () => {
  it('has to be the one that was asked for', () => {
    checkPlatform(ARM64, undefined);
    checkPlatform(ARM64, ARM64);
    checkPlatform(ARM64, { ...ARM64, variant: 'v8' });
    assert.throws(() => checkPlatform(ARM64, AMD64), /no image fits linux\/amd64; this one is for linux\/arm64$/);
  });
});
