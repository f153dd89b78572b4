import assert from 'node:assert/strict';
import { createHash } from 'node:crypto';
import { test } from 'node:test';
import { setImmediate as waitForImmediate } from 'node:timers/promises';
import { AgentError } from '../agent-error.ts';
import { ImageResolver } from '../container/image-resolver.ts';
import { parseMountinfo } from '../container/mountinfo.ts';
import { findRootMount } from '../container/rootfs-resolver.ts';
import { FakeStorageFiles } from './fake-storage.test-support.ts';
import { compareStates, SeenIds } from './storage-events.ts';
import { createStorageSource } from './storage-source.ts';

const ROOT = '/store';
const RUN = '/run/store';
const hex = (text: string) => createHash('sha256').update(text).digest('hex');
const ID = hex('container');
const [LOW, TOP, WRITABLE] = [hex('low'), hex('top'), hex('writable')];
const DIFF_IDS = [`sha256:${hex('low tar')}`, `sha256:${hex('top tar')}`];
const CONFIG = JSON.stringify({ os: 'linux', architecture: 'amd64', rootfs: { diff_ids: DIFF_IDS } });
const MANIFEST = JSON.stringify({
  config: { digest: `sha256:${hex(CONFIG)}` },
  layers: [1, 2].map((each) => ({ digest: `sha256:${hex(`blob ${each}`)}`, mediaType: 'm' })),
});
const USERDATA = `${RUN}/overlay-containers/${ID}/userdata`;
const NAMESPACE = `containers-storage:${ROOT}`;

/** A store with one running container of two layers, as podman leaves it. */
function createStore() {
  const files = new FakeStorageFiles();
  const row = { id: ID, names: ['web'], image: hex(CONFIG), layer: WRITABLE, created: '2026-01-02T03:04:05Z' };
  files.write(`${ROOT}/overlay-containers/containers.json`, [row]);
  files.write(`${ROOT}/overlay-containers/${ID}/userdata/config.json`, { process: { args: ['/a'] } });
  files.write(`${ROOT}/overlay-layers/layers.json`, [
    { id: LOW, 'diff-digest': DIFF_IDS[0] },
    { id: TOP, parent: LOW, 'diff-digest': DIFF_IDS[1] },
    { id: WRITABLE, parent: TOP },
  ]);
  const digests = { manifest: `sha256:${hex(MANIFEST)}`, [`sha256:${hex(CONFIG)}`]: `sha256:${hex(CONFIG)}` };
  files.write(`${ROOT}/overlay-images/images.json`, [{ id: hex(CONFIG), names: ['i:1'], 'big-data-digests': digests }]);
  files.write(`${ROOT}/overlay-images/${hex(CONFIG)}/manifest`, MANIFEST);
  const key = Buffer.from(`sha256:${hex(CONFIG)}`).toString('base64');
  files.write(`${ROOT}/overlay-images/${hex(CONFIG)}/=${key}`, CONFIG);
  [LOW, TOP, WRITABLE].forEach((id, at) => {
    files.write(`${ROOT}/overlay/${id}/link`, `LINK${at}`);
    files.links.set(`${ROOT}/overlay/l/LINK${at}`, `../${id}/diff`);
  });
  files.write(`${USERDATA}/pidfile`, '77');
  files.write(`${USERDATA}/conmon.pid`, '70\n');
  files.write('/proc/70/cmdline', ['/usr/bin/conmon', '-c', ID, '-r', '/usr/bin/crun', ''].join('\0'));
  files.write('/proc/1/mountinfo', '1 0 0:9 / / rw - ext4 /dev/vda rw\n');
  files.write('/proc/77/cgroup', `1:name=systemd:/x/libpod-${ID}\n0::/x/libpod-${ID}\n`);
  files.write(`/sys/fs/cgroup/systemd/x/libpod-${ID}/cgroup.procs`, '77\n78\n');
  files.write(`/sys/fs/cgroup/systemd/x/libpod-${ID}/nested/cgroup.procs`, '79\n');
  const source = createStorageSource({ files, paths: { root: ROOT, runRoot: RUN }, selects: () => true });
  const list = async () => (await source.listRecords())[0] ?? assert.fail('no container');
  return { files, source, row, list };
}

test('a running container has its process, its runtime, its image and its specification', async () => {
  const { list } = createStore();
  const { spec, revision, ...record } = await list();
  assert.deepEqual(record, {
    key: ID,
    id: ID,
    namespace: NAMESPACE,
    name: 'web',
    pod: null,
    sandbox: false,
    runtime: 'crun',
    started: '2026-01-02T03:04:05Z',
    imageName: '',
    criImage: `sha256:${hex(CONFIG)}`,
    snapshotter: 'overlay',
    snapshotKey: WRITABLE,
    task: { pid: 77, status: 'running' },
  });
  assert.deepEqual(spec?.args, ['/a']);
  assert.match(revision, /^[0-9a-f]{64}$/);
});

test('a pod’s identity comes from CRI-O’s annotations, its sandbox is one', async () => {
  const { files, list } = createStore();
  const labels = { 'io.kubernetes.pod.namespace': 'ns', 'io.kubernetes.pod.name': 'p', 'io.kubernetes.pod.uid': 'u' };
  const annotations = {
    'io.kubernetes.cri-o.Labels': JSON.stringify({ ...labels, 'io.kubernetes.container.name': 'app' }),
    'io.kubernetes.cri-o.ContainerType': 'sandbox',
    'io.kubernetes.cri-o.ImageName': 'registry/app:2',
  };
  files.write(`${ROOT}/overlay-containers/${ID}/userdata/config.json`, { annotations });
  const { pod, name, sandbox, imageName } = await list();
  assert.deepEqual(pod, { namespace: 'ns', name: 'p', uid: 'u' });
  assert.deepEqual([name, sandbox, imageName], ['app', true, 'registry/app:2']);
});

test('a number that now belongs to another process is not the container’s', async () => {
  const { files, list } = createStore();
  files.write('/proc/77/cgroup', '0::/user.slice\n');
  const record = await list();
  assert.equal(record.task, undefined);
  assert.equal(record.runtime, 'none');
});

test('a root that is mounted although no process is known is no stopped container', async () => {
  const { files, list } = createStore();
  files.remove(`${USERDATA}/pidfile`);
  assert.equal((await list()).runtime, 'none');
  files.write('/proc/1/mountinfo', `1 0 0:9 / ${ROOT}/overlay/${WRITABLE}/merged rw - overlay overlay rw\n`);
  const { runtime, task } = await list();
  assert.deepEqual([runtime, task], ['unknown', undefined]);
  files.write('/proc/1/mountinfo', 'malformed\n');
  assert.equal((await list()).runtime, 'unknown');
});

test('without a monitor that tells, the runtime is unknown and not supported', async () => {
  const { files, list } = createStore();
  files.write('/proc/70/cmdline', '/bin/sleep\0-r\0runc\0');
  assert.equal((await list()).runtime, 'unknown');
});

test('a frozen cgroup is a paused container', async () => {
  const { files, list } = createStore();
  files.write(`/sys/fs/cgroup/x/libpod-${ID}/cgroup.freeze`, '1\n');
  assert.equal((await list()).task?.status, 'paused');
});

test('a container that was created and not started is told as such', async () => {
  for (const root of ['/run/runc', '/run/crun']) {
    const { files, list } = createStore();
    assert.equal((await list()).task?.isCreated, undefined);
    files.write(`${root}/${ID}/exec.fifo`, '');
    assert.equal((await list()).task?.isCreated, true);
  }
});

test('every process of the cgroup and of those below it is told; where it is not shown that is an error', async () => {
  const { files, source, list } = createStore();
  assert.deepEqual(await source.listPids(await list()), [77, 78, 79]);
  files.write('/proc/77/cgroup', `0::/a/libpod-${ID}.scope/container\n`);
  files.write(`/sys/fs/cgroup/a/libpod-${ID}.scope/cgroup.procs`, '5\n');
  files.write(`/sys/fs/cgroup/a/libpod-${ID}.scope/container/cgroup.procs`, '77\n');
  assert.deepEqual(await source.listPids(await list()), [5, 77]);
  files.remove('/sys/fs/cgroup');
  await assert.rejects(source.listPids(await list()), { code: 'ERR_AGENT_RUNTIME_DATA' });
  const record = await list();
  files.remove('/proc/77');
  assert.deepEqual(await source.listPids(record), []);
});

const mountinfo = (lowers: string, upper: string) =>
  parseMountinfo(Buffer.from(`1 0 0:9 / / rw - overlay overlay rw,lowerdir=${lowers},upperdir=${upper}\n`));

test('the root that the kernel shows by short links, absolute or relative, is the store’s', async () => {
  const { source, list } = createStore();
  const rootfs = (await source.readRootfs(await list())) ?? assert.fail('no root');
  assert.deepEqual(rootfs.lowers, [`${ROOT}/overlay/${LOW}/diff`, `${ROOT}/overlay/${TOP}/diff`]);
  assert.equal(rootfs.upper, `${ROOT}/overlay/${WRITABLE}/diff`);
  assert.deepEqual(rootfs.unsupported, []);
  const upper = rootfs.upper;
  assert.ok(findRootMount(mountinfo(`${ROOT}/overlay/l/LINK1:${ROOT}/overlay/l/LINK0`, upper), rootfs));
  assert.ok(findRootMount(mountinfo('l/LINK1:l/LINK0', `${WRITABLE}/diff`), rootfs));
  assert.ok(findRootMount(mountinfo(`${TOP}/diff:${LOW}/diff`, `${WRITABLE}/diff`), rootfs));
  assert.equal(findRootMount(mountinfo('l/LINK0:l/LINK1', upper), rootfs), undefined);
  assert.equal(findRootMount(mountinfo('l/LINK1:l/LINK0', `${TOP}/diff`), rootfs), undefined);
});

test('a short link that leads elsewhere names nothing', async () => {
  const { files, source, list } = createStore();
  files.links.set(`${ROOT}/overlay/l/LINK1`, '../../evil/diff');
  const rootfs = (await source.readRootfs(await list())) ?? assert.fail('no root');
  const shown = mountinfo(`${ROOT}/overlay/l/LINK1:${ROOT}/overlay/l/LINK0`, rootfs.upper ?? '');
  assert.equal(findRootMount(shown, rootfs), undefined);
});

test('what is not read is unsupported: shifted owners, composefs, metacopy, layers without a digest, other drivers', async () => {
  const reasonsAfter = async (change: (store: ReturnType<typeof createStore>) => void) => {
    const store = createStore();
    change(store);
    return (await store.source.readRootfs(await store.list()))?.unsupported;
  };
  const layers = [
    { id: LOW, 'diff-digest': DIFF_IDS[0] },
    { id: TOP, parent: LOW },
    { id: WRITABLE, parent: TOP },
  ];
  const layersFile = `${ROOT}/overlay-layers/layers.json`;
  assert.deepEqual(await reasonsAfter(({ files }) => files.write(layersFile, layers)), ['layerDigest']);
  const shifted = [
    { id: LOW, 'diff-digest': DIFF_IDS[0] },
    { id: WRITABLE, parent: LOW, uidmap: [{}] },
  ];
  assert.deepEqual(await reasonsAfter(({ files }) => files.write(layersFile, shifted)), ['idmappedLower']);
  const composed = `${ROOT}/overlay/${TOP}/composefs-data/composefs.blob`;
  assert.deepEqual(await reasonsAfter(({ files }) => files.write(composed, '')), ['composefs']);
  const mount = '1 0 0:9 / / rw - overlay overlay rw,lowerdir=/a,upperdir=/b,metacopy=on\n';
  assert.deepEqual(await reasonsAfter(({ files }) => files.write('/proc/77/mountinfo', mount)), ['metacopy']);
  const moved = await reasonsAfter(({ files, row }) => {
    files.write(`${ROOT}/overlay-containers/containers.json`, []);
    files.write(`${ROOT}/vfs-containers/containers.json`, [row]);
  });
  assert.deepEqual(moved, ['storageDriver:vfs']);
});

test('a missing layer leaves no root rather than half of one', async () => {
  const { files, source, list } = createStore();
  files.write(`${ROOT}/overlay-layers/layers.json`, [{ id: WRITABLE, parent: TOP }]);
  assert.equal(await source.readRootfs(await list()), undefined);
  files.write(`${ROOT}/overlay-layers/layers.json`, [{ id: WRITABLE, parent: WRITABLE }]);
  assert.equal(await source.readRootfs(await list()), undefined);
});

test('the image is found from its layers, by name or without, and a forged document proves nothing', async () => {
  const { files, source, list } = createStore();
  const record = await list();
  const { chainIds } = (await source.readRootfs(record)) ?? assert.fail('no root');
  const query = { namespace: NAMESPACE, snapshotter: 'overlay', chainIds, expected: record.criImage };
  const named = await new ImageResolver(source).resolve({ ...query, name: 'i:1' });
  assert.equal(named.image?.manifest, `sha256:${hex(MANIFEST)}`);
  assert.equal(named.from, 'name');
  assert.equal((await new ImageResolver(source).resolve({ ...query, name: 'moved' })).from, 'images');
  files.write(`${ROOT}/overlay-images/${hex(CONFIG)}/manifest`, `${MANIFEST} `);
  assert.equal((await new ImageResolver(source).resolve({ ...query, name: 'i:1' })).image, undefined);
});

test('each layer is proven by its own tar-split file', async () => {
  const { source } = createStore();
  const layer = { digest: `sha256:${hex('blob 1')}`, mediaType: 'm' };
  assert.deepEqual(source.findBlob(NAMESPACE, layer, `${ROOT}/overlay/${LOW}/diff`), {
    ...layer,
    from: { tarSplit: `/host${ROOT}/overlay-layers/${LOW}.tar-split.gz` },
  });
});

test('volatile containers and layers are listed with the others', async () => {
  const { files, source, row } = createStore();
  files.write(`${RUN}/overlay-containers/volatile-containers.json`, [{ ...row, id: hex('other') }]);
  assert.deepEqual(
    (await source.listRecords()).map(({ id }) => id),
    [ID, hex('other')],
  );
});

test('a list that is malformed is no list, and a store that is not there is named', async () => {
  const { files, source } = createStore();
  files.write(`${ROOT}/overlay-containers/containers.json`, '[{"id":1}]');
  await assert.rejects(source.listRecords(), { code: 'ERR_AGENT_RUNTIME_DATA' });
  const none = createStorageSource({
    files: new FakeStorageFiles(),
    paths: { root: ROOT, runRoot: RUN },
    selects: () => true,
  });
  await assert.rejects(
    none.probe(),
    (error: unknown) => error instanceof AgentError && error.code === 'ERR_AGENT_RUNTIME_ADDRESS',
  );
});

test('a name counts as new once, and never where a look showed that container', () => {
  const seen = new SeenIds();
  assert.deepEqual(seen.takeNew([], [ID]), []);
  assert.deepEqual(seen.takeNew([ID, LOW, 'containers.json'], []), [LOW]);
  assert.deepEqual(seen.takeNew([ID, LOW], []), []);
});

test('two looks tell what came, ended, restarted, went, and what was there only in between', () => {
  const state = (rows: [string, number | undefined][], images = 'i', status: 'running' | 'paused' = 'running') => ({
    containers: new Map(
      rows.map(([id, pid]) => [id, { task: pid === undefined ? undefined : { pid, status }, runtime: 'runc' }]),
    ),
    images,
  });
  const before = state([
    ['a', 1],
    ['b', 2],
    ['c', undefined],
    ['d', 4],
  ]);
  const now = state(
    [
      ['a', 1],
      ['b', undefined],
      ['c', 9],
      ['d', 5],
      ['e', 6],
    ],
    'j',
  );
  assert.deepEqual(compareStates(before, now, [ID, 'containers.json', '.tmp']), [
    ['/tasks/exit', 'b'],
    ['/tasks/start', 'c'],
    ['/tasks/exit', 'd'],
    ['/tasks/start', 'd'],
    ['/containers/create', 'e'],
    ['/tasks/start', 'e'],
    ['/containers/delete', ID],
    ['/images/update', undefined],
  ]);
  assert.deepEqual(compareStates(now, now, []), []);
  assert.deepEqual(compareStates(state([['a', 1]]), state([['a', 1]], 'i', 'paused'), []), [['/tasks/paused', 'a']]);
  assert.deepEqual(
    compareStates(now, state([]), [])
      .map(([topic]) => topic)
      .slice(0, 5),
    Array(5).fill('/containers/delete'),
  );
});

test('a root that is unmounted late, and a process that begins to run, are told although no task comes or goes', async (context) => {
  context.mock.timers.enable({ apis: ['setTimeout'] });
  const { files, source } = createStore();
  const topics: string[] = [];
  const end = source.subscribe(
    ({ topic, containerId }) => topics.push(`${topic} ${containerId === ID}`),
    () => topics.push('gap'),
  );
  context.after(end);
  const look = async () => {
    await waitForImmediate();
    context.mock.timers.tick(1_000);
    await waitForImmediate();
    return topics.splice(0);
  };
  assert.deepEqual(await look(), ['gap']);
  files.write(`/run/runc/${ID}/exec.fifo`, '');
  assert.deepEqual(await look(), ['/containers/update true']);
  files.remove(`/run/runc/${ID}`);
  assert.deepEqual(await look(), ['/containers/update true']);
  files.write('/proc/1/mountinfo', `1 0 0:9 / ${ROOT}/overlay/${WRITABLE}/merged rw - overlay overlay rw\n`);
  assert.deepEqual(await look(), []);
  files.remove(`${USERDATA}/pidfile`);
  assert.deepEqual(await look(), ['/tasks/exit true', '/containers/update true']);
  files.write('/proc/1/mountinfo', '1 0 0:9 / / rw - ext4 /dev/vda rw\n');
  assert.deepEqual(await look(), ['/containers/update true']);
});
