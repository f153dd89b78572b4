import assert from 'node:assert/strict';
import { createHash } from 'node:crypto';
import { test } from 'node:test';
import { create } from '@bufbuild/protobuf';
import { snapshots } from '@holdfast/proto/containerd';
import { parseMountinfo } from './mountinfo.ts';
import { findRootMount, resolveRootfs, type SnapshotStore } from './rootfs-resolver.ts';

const digestOf = (text: string) => `sha256:${createHash('sha256').update(text).digest('hex')}`;
const [BOTTOM, TOP] = [digestOf('bottom'), digestOf('top')];

interface FakeSnapshots {
  readonly parents?: Record<string, string>;
  readonly type?: string;
  readonly options?: string[];
}

const OPTIONS = ['index=off', 'workdir=/s/3/work', 'upperdir=/s/3/fs', 'lowerdir=/s/2/fs:/s/1/fs'];

function createStore({ parents, type = 'overlay', options = OPTIONS }: FakeSnapshots = {}): SnapshotStore {
  const known: Record<string, string> = parents ?? { c: TOP, [TOP]: BOTTOM, [BOTTOM]: '' };
  return {
    statSnapshot: async (_namespace, _snapshotter, name) => {
      const parent = known[name];
      return parent === undefined ? undefined : create(snapshots.InfoSchema, { name, parent });
    },
    listMounts: async (_namespace, _snapshotter, key) =>
      known[key] === undefined
        ? undefined
        : create(snapshots.MountsResponseSchema, { mounts: [{ type, options }] }).mounts,
  };
}

const resolve = (fake?: FakeSnapshots, snapshotter = 'overlayfs') =>
  resolveRootfs(createStore(fake), 'n', snapshotter, 'c');

test('directories and chain come bottom first', async () => {
  const rootfs = await resolve();
  assert.deepEqual(rootfs?.lowers, ['/s/1/fs', '/s/2/fs']);
  assert.deepEqual(rootfs?.chainIds, [BOTTOM, TOP]);
  assert.equal(rootfs?.upper, '/s/3/fs');
  assert.deepEqual(rootfs?.unsupported, []);
});

test('a snapshot that is gone, or whose parent is, has no root file system', async () => {
  assert.equal(await resolve({ parents: {} }), undefined);
  assert.equal(await resolve({ parents: { c: TOP } }), undefined);
});

test('parents that go in a circle end', async () => {
  assert.equal(await resolve({ parents: { c: TOP, [TOP]: TOP } }), undefined);
});

test('a snapshot whose name is no chain gives none', async () => {
  const remapped = `${BOTTOM}-100000-100000`;
  const rootfs = await resolve({ parents: { c: remapped, [remapped]: BOTTOM, [BOTTOM]: '' } });
  assert.deepEqual([rootfs?.chainIds, rootfs?.unsupported], [[], ['snapshotName']]);
});

test('what is not read is named', async () => {
  const named = async (fake: FakeSnapshots, snapshotter?: string) => (await resolve(fake, snapshotter))?.unsupported;
  for (const snapshotter of ['stargz', 'overlaybd', 'erofs', 'devmapper', 'native', 'nydus', 'soci', 'zfs', '']) {
    assert.deepEqual(await named({}, snapshotter), [`snapshotter:${snapshotter}`]);
  }
  assert.deepEqual(await named({ type: 'erofs', options: ['ro'] }, 'erofs'), ['snapshotter:erofs', 'mount:erofs']);
  assert.deepEqual(await named({ type: 'ext4', options: [] }, 'devmapper'), ['snapshotter:devmapper', 'mount:ext4']);
  const dataOnly = ['lowerdir=/s/2/fs:/s/1/fs::/s/data', 'upperdir=/s/3/fs'];
  assert.ok((await named({ options: dataOnly }))?.includes('dataOnlyLower'));
  assert.ok((await named({ options: [...OPTIONS, 'datadir+=/s/data'] }))?.includes('dataOnlyLower'));
  assert.deepEqual(await named({ type: 'bind', options: ['rbind'] }), ['mount:bind']);
  assert.deepEqual(await named({ options: [...OPTIONS, 'metacopy=on'] }), ['metacopy']);
  assert.deepEqual(await named({ options: [...OPTIONS, 'uidmap=0:65536:1'] }), ['idmappedLower']);
  assert.deepEqual(await named({ parents: { c: 'remapped-top', 'remapped-top': '' }, options: ['lowerdir=/s/1/fs'] }), [
    'snapshotName',
  ]);
  assert.deepEqual(await named({ options: ['lowerdir=/s/1/fs', 'upperdir=/s/3/fs'] }), ['lowerCount']);
  assert.deepEqual(await named({ options: ['lowerdir=2/fs:1/fs', 'upperdir=/s/3/fs'] }), ['relativeLower']);
  assert.deepEqual(await named({ options: ['lowerdir=/s/ü/fs:/s/1/fs', 'upperdir=/s/3/fs'] }), ['pathEncoding']);
});

const tableOf = (...lines: string[]) => parseMountinfo(Buffer.from(lines.map((line) => `${line}\n`).join('')));
const overlay = (options: string, point = '/') => `70 47 0:39 / ${point} rw - overlay overlay rw,${options}`;
const SAME = 'lowerdir=/s/2/fs:/s/1/fs,upperdir=/s/3/fs,workdir=/s/3/work';

test('the root that the kernel shows is the one of the snapshotter', async () => {
  const rootfs = await resolve();
  assert.ok(rootfs !== undefined);
  assert.equal(findRootMount(tableOf(overlay(SAME)), rootfs)?.devMinor, 39);
  assert.equal(findRootMount(tableOf(overlay('lowerdir=2/fs:1/fs,upperdir=/s/3/fs')), rootfs)?.devMinor, 39);
});

test('another root, none, or one mounted over it, is a mismatch', async () => {
  const rootfs = await resolve();
  assert.ok(rootfs !== undefined);
  const shown = (...lines: string[]) => findRootMount(tableOf(...lines), rootfs);
  assert.equal(shown(), undefined);
  assert.equal(shown(overlay(SAME, '/mnt')), undefined);
  assert.equal(shown(overlay('lowerdir=/s/1/fs:/s/2/fs,upperdir=/s/3/fs')), undefined);
  assert.equal(shown(overlay('lowerdir=/s/2/fs:/s/1/fs,upperdir=/s/4/fs')), undefined);
  assert.equal(shown(overlay('lowerdir=/s/2/fs,upperdir=/s/3/fs')), undefined);
  assert.equal(shown(overlay(`${SAME},metacopy=on`)), undefined);
  assert.equal(shown(overlay(SAME), '80 70 0:40 / / rw - tmpfs none rw'), undefined);
});
