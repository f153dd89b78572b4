import assert from 'node:assert/strict';
import { createHash } from 'node:crypto';
import { test } from 'node:test';
import { create } from '@bufbuild/protobuf';
import { content, images } from '@holdfast/proto/containerd';
import { AgentError } from '../agent-error.ts';
import { computeChainIds } from './image-config.ts';
import { type ImageQuery, ImageResolver, type ImageStore } from './image-resolver.ts';

const digestOf = (bytes: string) => `sha256:${createHash('sha256').update(bytes).digest('hex')}`;
const LAYERS = ['one', 'two'].map(digestOf);
const OTHER_LAYERS = ['one', 'three'].map(digestOf);

/** A content store in memory, with the labels that containerd puts on manifests and configurations. */
class FakeStore implements ImageStore {
  readonly blobs = new Map<string, string>();
  readonly names = new Map<string, string>();
  readonly labels: { digest: string; label: string; value: string }[] = [];
  reads = 0;

  async getImage(_namespace: string, name: string) {
    const digest = this.names.get(name);
    return digest === undefined ? undefined : create(images.ImageSchema, { name, target: { digest } });
  }

  async listImages() {
    return [...this.names].map(([name, digest]) => create(images.ImageSchema, { name, target: { digest } }));
  }

  async listBlobs(_namespace: string, label: string, value: string) {
    const rows = this.labels.filter((row) => row.label === label && row.value === value);
    return rows.map(({ digest }) => create(content.InfoSchema, { digest }));
  }

  async readBlob(_namespace: string, digest: string) {
    this.reads += 1;
    const text = this.blobs.get(digest);
    if (text === undefined) return undefined;
    if (digestOf(text) !== digest) throw new AgentError('ERR_AGENT_RUNTIME_DATA', 'another digest');
    return Buffer.from(text);
  }

  put(value: object): string {
    const text = JSON.stringify(value);
    this.blobs.set(digestOf(text), text);
    return digestOf(text);
  }

  /** Adds an image and returns its digests. */
  add(diffIds: string[], extra: object = {}) {
    const config = this.put({ os: 'linux', architecture: 'amd64', rootfs: { diff_ids: diffIds }, ...extra });
    const layers = diffIds.map((diffId) => ({
      digest: digestOf(diffId),
      mediaType: 'application/vnd.oci.image.layer.v1.tar',
    }));
    const manifest = this.put({ config: { digest: config }, layers });
    const top = computeChainIds(diffIds).at(-1) ?? '';
    this.labels.push({ digest: config, label: 'containerd.io/gc.ref.snapshot.overlayfs', value: top });
    this.labels.push({ digest: manifest, label: 'containerd.io/gc.ref.content.config', value: config });
    return { config, manifest };
  }
}

function query(overrides: Partial<ImageQuery> = {}): ImageQuery {
  const chainIds = computeChainIds(LAYERS);
  return { namespace: 'n', snapshotter: 'overlayfs', name: 'app', chainIds, expected: undefined, ...overrides };
}

test('an image is found by the name of the container when its layers are those that run', async () => {
  const store = new FakeStore();
  const { manifest, config } = store.add(LAYERS);
  store.names.set('app', manifest);
  const resolved = await new ImageResolver(store).resolve(query());
  assert.equal(resolved.image?.manifest, manifest);
  assert.equal(resolved.image?.configDigest, config);
  assert.deepEqual([resolved.from, resolved.isRetagged, resolved.isAmbiguous], ['name', false, false]);
});

test('an index leads to the manifest whose layers run, and is told', async () => {
  const store = new FakeStore();
  const [fitting, other] = [store.add(LAYERS), store.add(OTHER_LAYERS)];
  const index = store.put({ manifests: [{ digest: other.manifest }, { digest: fitting.manifest }] });
  store.names.set('app', index);
  const { image } = await new ImageResolver(store).resolve(query());
  assert.deepEqual([image?.manifest, image?.index], [fitting.manifest, index]);
});

test('a name that was moved is told as such, and the image is found under another name', async () => {
  const store = new FakeStore();
  const [running, other] = [store.add(LAYERS), store.add(OTHER_LAYERS)];
  store.names.set('app', other.manifest);
  store.names.set('kept', running.manifest);
  const resolved = await new ImageResolver(store).resolve(query());
  assert.deepEqual([resolved.image?.manifest, resolved.from, resolved.isRetagged], [running.manifest, 'images', true]);
});

test('an image that no name leads to is found by the labels of the content store', async () => {
  const store = new FakeStore();
  const { manifest } = store.add(LAYERS);
  const resolved = await new ImageResolver(store).resolve(query());
  assert.deepEqual([resolved.image?.manifest, resolved.from, resolved.isRetagged], [manifest, 'content', false]);
});

test('labels that lie lead nowhere', async () => {
  const store = new FakeStore();
  const { config } = store.add(OTHER_LAYERS);
  store.labels.push({
    digest: config,
    label: 'containerd.io/gc.ref.snapshot.overlayfs',
    value: computeChainIds(LAYERS)[1] ?? '',
  });
  assert.equal((await new ImageResolver(store).resolve(query())).image, undefined);
});

test('two configurations with the same layers are ambiguous without a name or the word of the CRI', async () => {
  const store = new FakeStore();
  const [first, second] = [store.add(LAYERS), store.add(LAYERS, { author: 'x' })];
  store.names.set('a', first.manifest);
  store.names.set('b', second.manifest);
  const resolver = new ImageResolver(store);
  const open = await resolver.resolve(query());
  assert.deepEqual([open.image, open.isAmbiguous], [undefined, true]);
  const told = await resolver.resolve(query({ expected: second.config }));
  assert.deepEqual([told.image?.manifest, told.isAmbiguous], [second.manifest, false]);
});

test('a name moved to an image with the same layers and another configuration is a retag for who knows the first', async () => {
  const store = new FakeStore();
  const [first, second] = [store.add(LAYERS), store.add(LAYERS, { config: { Cmd: ['evil'] } })];
  store.names.set('app', second.manifest);
  const resolved = await new ImageResolver(store).resolve(query({ expected: first.config }));
  assert.deepEqual([resolved.image?.manifest, resolved.isRetagged], [first.manifest, true]);
});

test('layers that only begin alike, are fewer or more, are another image', async () => {
  const store = new FakeStore();
  store.names.set('app', store.add(LAYERS).manifest);
  const resolver = new ImageResolver(store);
  const chain = computeChainIds(LAYERS);
  assert.equal((await resolver.resolve(query({ chainIds: chain.slice(0, 1) }))).image, undefined);
  assert.equal((await resolver.resolve(query({ chainIds: [...chain, digestOf('x')] }))).image, undefined);
  assert.equal((await resolver.resolve(query({ chainIds: [] }))).image, undefined);
});

test('documents that are missing, of another digest or malformed prove nothing', async () => {
  for (const spoil of [
    (store: FakeStore, digest: string) => store.blobs.delete(digest),
    (store: FakeStore, digest: string) => store.blobs.set(digest, '{}'),
  ]) {
    for (const part of ['config', 'manifest'] as const) {
      const store = new FakeStore();
      const image = store.add(LAYERS);
      store.names.set('app', image.manifest);
      spoil(store, image[part]);
      assert.equal((await new ImageResolver(store).resolve(query())).image, undefined);
    }
  }
  const store = new FakeStore();
  store.names.set('app', store.put({ config: { digest: 'md5:1' }, layers: [] }));
  assert.equal((await new ImageResolver(store).resolve(query())).image, undefined);
});

test('an index that leads to itself over others ends', async () => {
  const store = new FakeStore();
  const inner = store.put({ manifests: [] });
  const deep = [1, 2, 3, 4].reduce((digest) => store.put({ manifests: [{ digest }] }), inner);
  store.names.set('app', deep);
  assert.equal((await new ImageResolver(store).resolve(query())).image, undefined);
});

test('documents are read once', async () => {
  const store = new FakeStore();
  store.names.set('app', store.add(LAYERS).manifest);
  const resolver = new ImageResolver(store);
  await resolver.resolve(query());
  const reads = store.reads;
  await resolver.resolve(query());
  assert.equal(store.reads, reads);
});

test('a runtime that does not answer is an error, not a missing image', async () => {
  const store = new FakeStore();
  store.names.set('app', digestOf('x'));
  store.readBlob = async () => {
    throw new AgentError('ERR_AGENT_RUNTIME_UNAVAILABLE', 'gone');
  };
  await assert.rejects(new ImageResolver(store).resolve(query()), AgentError);
});
