import assert from 'node:assert/strict';
import { createHash } from 'node:crypto';
import { readdirSync, readFileSync } from 'node:fs';
import { cp, mkdir, readFile, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { after, before, describe, it } from 'node:test';
import { openDirectoryView, openImageView, type RootView } from '@holdfast/agent';
import { type BytePath, formatBytePath, joinBytePath, toBytePath } from '@holdfast/evidence';
import { type OciImage, startContainerd, type TestContainerd, whyNoContainerd, writeOciImage } from '@holdfast/scripts';
import { listTestLayers, makeGnuSparseTar, makeTemporaryDirectory, run } from './layer-fixtures.ts';

const skip = await whyNoContainerd();
const ROOT = toBytePath('/');
const NAME = 'docker.io/holdfast/layers:1';

/** One line for each entry with all that a view tells, content digest included. */
function describeTree(view: RootView, directory: BytePath = ROOT): string[] {
  return view.list(directory).flatMap((name) => {
    const path = joinBytePath(directory, name);
    const entry = view.lstat(path);
    // The kernel lists whiteouts of a directory that only one layer has, and then finds nothing under the name.
    if (entry === undefined) return [];
    const { layer: _layer, size, ...rest } = entry;
    const facts = { ...rest, size: entry.type === 'file' ? size : 0, sha256: view.hashFile(path) };
    return [`${formatBytePath(path)} ${JSON.stringify(facts, Object.keys(facts).sort())}`, ...describeTree(view, path)];
  });
}

describe('image view', { skip }, () => {
  let containerd: TestContainerd;
  let image: OciImage;
  let merged: string;

  before(async () => {
    containerd = await startContainerd();
    image = await containerd.addImage({ name: NAME, layers: await listTestLayers(containerd.directory) });
    const snapshots = join(containerd.directory, 'root/io.containerd.snapshotter.v1.overlayfs/snapshots');
    const lowers = readdirSync(snapshots)
      .sort((a, b) => Number(b) - Number(a))
      .map((name) => join(snapshots, name, 'fs'));
    merged = join(containerd.directory, 'merged');
    await mkdir(merged);
    await run('mount', ['-t', 'overlay', 'overlay', '-o', `ro,lowerdir=${lowers.join(':')}`, merged]);
  });
  after(async () => {
    await containerd?.close();
  });

  it('equals what the kernel shows of the layers that containerd unpacked', async () => {
    using view = await openImageView(image.directory);
    using disk = openDirectoryView(merged);
    const tree = describeTree(view);
    assert.deepEqual(tree, describeTree(disk));
    assert.ok(tree.length > 40);
  });

  it('tells every digest and which layer an entry came from', async () => {
    using view = await openImageView(image.directory);
    assert.equal(view.manifestDigest, image.manifestDigest);
    assert.equal(view.configDigest, image.configDigest);
    assert.equal(view.reference, '1');
    assert.deepEqual(
      view.layers.map(({ diffId, digest }) => [diffId, digest]),
      image.layers.map(({ diffId, digest }) => [diffId, digest]),
    );
    const snapshots = await containerd.ctr(['snapshots', 'ls']);
    for (const { chainId } of view.layers) assert.ok(snapshots.includes(chainId), chainId);
    const layerOf = (path: string): number | undefined => view.lstat(toBytePath(path))?.layer;
    assert.deepEqual([layerOf('/usr/lib/a'), layerOf('/d/suid'), layerOf('/etc'), layerOf('/etc/conf')], [0, 1, 0, 0]);
  });

  it('reads heads, whole files up to a limit, and resolves links inside the root', async () => {
    using view = await openImageView(image.directory);
    const path = toBytePath('/d/through');
    assert.equal(view.readHead(path, 7)?.toString(), 'through');
    assert.equal(view.readFile(path, 100)?.toString(), 'through a link of the same layer');
    assert.throws(() => view.readFile(path, 5), { name: 'ViewLimitError', limit: 'fileBytes' });
    assert.equal(view.resolve(toBytePath('/ln/through')), path);
    for (const other of ['/d', '/d/fifo', '/d/sym', '/nowhere', '/ln/through']) {
      assert.equal(view.readFile(toBytePath(other), 100), undefined, other);
      assert.equal(view.hashFile(toBytePath(other)), undefined, other);
    }
  });

  it('reads the same image recompressed with zstd, through nested indexes and by name', async (test) => {
    const work = await makeTemporaryDirectory(test);
    const zstd = join(work, 'zstd');
    const policy = join(work, 'policy.json');
    await writeFile(policy, '{"default":[{"type":"insecureAcceptAnything"}]}');
    const copy = ['--policy', policy, 'copy', '--quiet', '--dest-compress-format', 'zstd'];
    await run('skopeo', [...copy, `oci:${image.directory}:1`, `oci:${zstd}:again`]);
    using view = await openImageView(`${zstd}:again`);
    assert.ok(view.layers.every(({ mediaType }) => mediaType.endsWith('+zstd')));
    using gzip = await openImageView(image.directory, { ref: NAME });
    assert.deepEqual(describeTree(view), describeTree(gzip));
    const layers = [{ entries: [{ path: 'x', content: 'x' }] }];
    const nested = await writeOciImage(join(work, 'nested'), { name: NAME, layers, nestedIndex: true });
    using inner = await openImageView(`${nested.directory}:1`);
    assert.deepEqual(inner.indexDigests, [nested.indexDigest]);
    assert.equal(inner.manifestDigest, nested.manifestDigest);
    await assert.rejects(openImageView(nested.directory, { platform: { os: 'linux', architecture: 's390x' } }), {
      code: 'ERR_EVIDENCE_MALFORMED',
      message: /no image fits linux\/s390x/,
    });
    await assert.rejects(openImageView(`${nested.directory}:2`), { code: 'ERR_EVIDENCE_MALFORMED' });
  });

  it("reads GNU's own sparse format", async (test) => {
    const work = await makeTemporaryDirectory(test);
    const { tar, directory } = await makeGnuSparseTar(work);
    const { directory: layout } = await writeOciImage(join(work, 'layout'), { name: NAME, layers: [{ tar }] });
    using view = await openImageView(layout);
    using disk = openDirectoryView(directory);
    assert.deepEqual(describeTree(view), describeTree(disk));
  });

  it('refuses a layout in which one byte was changed, wherever it is', async (test) => {
    const work = await makeTemporaryDirectory(test);
    const blobs = [image.manifestDigest, image.configDigest, ...image.layers.map(({ digest }) => digest)];
    for (const [index, digest] of blobs.entries()) {
      const layout = join(work, `layout-${index}`);
      await cp(image.directory, layout, { recursive: true });
      const file = join(layout, 'blobs/sha256', digest.slice('sha256:'.length));
      const bytes = await readFile(file);
      const at = bytes.length - 20;
      bytes[at] = (bytes[at] ?? 0) ^ 1;
      await writeFile(file, bytes);
      await assert.rejects(openImageView(layout), { name: 'EvidenceError' }, digest);
    }
  });

  it('refuses what is ambiguous, too large or no layout at all', async (test) => {
    const work = await makeTemporaryDirectory(test);
    await assert.rejects(openImageView(join(work, 'nothing')), { code: 'ENOENT' });
    const layout = join(work, 'two');
    await cp(image.directory, layout, { recursive: true });
    const index = JSON.parse(readFileSync(join(layout, 'index.json'), 'utf8'));
    const [first] = index.manifests;
    const other = { ...first, digest: `sha256:${createHash('sha256').update('other').digest('hex')}`, annotations: {} };
    await writeFile(join(layout, 'index.json'), JSON.stringify({ ...index, manifests: [first, other] }));
    await assert.rejects(openImageView(layout), { message: /more than one image/ });
    (await openImageView(`${layout}:1`)).close();
    await writeFile(join(layout, 'index.json'), '{"manifests":[],"manifests":[]}');
    await assert.rejects(openImageView(layout), { code: 'ERR_EVIDENCE_MALFORMED' });
    await assert.rejects(openImageView(image.directory, { maxBytes: 1000 }), { code: 'ERR_EVIDENCE_LIMIT' });
    await assert.rejects(openImageView(image.directory, { maxEntries: 3 }), { code: 'ERR_EVIDENCE_LIMIT' });
  });

  it('leaves no spool file behind', async (test) => {
    const work = await makeTemporaryDirectory(test);
    const view = await openImageView(image.directory, { spoolDirectory: work });
    assert.deepEqual(readdirSync(work), []);
    view.close();
    view.close();
    await assert.rejects(openImageView(image.directory, { spoolDirectory: work, maxBytes: 1000 }));
    assert.deepEqual(readdirSync(work), []);
  });
});
