import assert from 'node:assert/strict';
import { createHash } from 'node:crypto';
import { afterEach, test } from 'node:test';
import { setTimeout as delay } from 'node:timers/promises';
import { create } from '@bufbuild/protobuf';
import { parseClaimsSet } from '@holdfast/evidence';
import { containers, images, snapshots, task, tasks } from '@holdfast/proto/containerd';
import { AgentError } from '../agent-error.ts';
import type { ContainerdClient } from '../containerd/containerd-client.ts';
import type { ContainerdEvent } from '../containerd/containerd-events.ts';
import { createContainerdSource } from '../containerd/containerd-source.ts';
import type { ProcessLooker } from '../process/process-looker.ts';
import type { Scanner } from '../scan/create-scanner.ts';
import type { ScanReply } from '../scan/scan-protocol.ts';
import { ScanFailure } from '../scan/worker-lane.ts';
import { ContainerInspector } from './container-inspector.ts';
import type { WatchListener } from './directory-watch.ts';
import { parseMountinfo } from './mountinfo.ts';
import { RuntimeCollector } from './runtime-collector.ts';

const sha256 = (text: string) => `sha256:${createHash('sha256').update(text).digest('hex')}`;
const LAYER = sha256('layer');
const CONFIG = JSON.stringify({ os: 'linux', architecture: 'amd64', rootfs: { diff_ids: [LAYER] } });
const MANIFEST = JSON.stringify({
  config: { digest: sha256(CONFIG) },
  layers: [{ digest: sha256('blob'), mediaType: 'm' }],
});
const BLOBS = new Map([CONFIG, MANIFEST].map((text) => [sha256(text), Buffer.from(text)]));

/** Each container has a process of its own. */
const pidOf = (id: string) => 100 + Number(id.replace(/\D/g, ''));

/** A runtime with containers `c1`, `c2`, … of one image. */
class FakeRuntime implements ContainerdClient {
  readonly address = '/fake.sock';
  readonly running = new Set<string>();
  fails = false;
  emit: (event: ContainerdEvent) => void = () => undefined;

  readonly subscribe = (onEvent: (event: ContainerdEvent) => void) => {
    this.emit = onEvent;
    return () => undefined;
  };

  async probe() {
    return { version: '1.6', revision: '' };
  }

  async listNamespaces() {
    if (this.fails) throw new AgentError('ERR_AGENT_RUNTIME_UNAVAILABLE', 'gone');
    return ['n'];
  }

  async listContainers() {
    return [...this.running].map((id) =>
      create(containers.ContainerSchema, {
        id,
        image: 'i',
        runtime: { name: id.startsWith('kata') ? 'io.containerd.kata.v2' : 'io.containerd.runc.v2' },
        snapshotter: 'overlayfs',
        snapshotKey: id,
        spec: { typeUrl: 'x', value: Buffer.from('{}') },
      }),
    );
  }

  async listTasks() {
    return [...this.running].map((id) => this.#task(id));
  }

  async listPids(_namespace: string, id: string) {
    return [pidOf(id)];
  }

  async statSnapshot(_namespace: string, _snapshotter: string, name: string) {
    return create(snapshots.InfoSchema, { name, parent: name === LAYER ? '' : LAYER });
  }

  async listMounts(_namespace: string, _snapshotter: string, key: string) {
    const options = ['lowerdir=/l', `upperdir=/u/${key}`];
    return create(snapshots.MountsResponseSchema, { mounts: [{ type: 'overlay', options }] }).mounts;
  }

  async getImage(_namespace: string, name: string) {
    return create(images.ImageSchema, { name, target: { digest: sha256(MANIFEST) } });
  }

  async listImages() {
    return [];
  }

  async listBlobs() {
    return [];
  }

  async readBlob(_namespace: string, digest: string) {
    return BLOBS.get(digest);
  }

  async *streamBlob() {}

  async readRoots() {
    return { content: '/content' };
  }

  close() {}

  #task(containerId: string) {
    const answer = create(tasks.GetResponseSchema, {
      process: { containerId, pid: pidOf(containerId), status: task.Status.RUNNING },
    });
    return answer.process ?? assert.fail();
  }
}

const DOCUMENT = { bytes: Buffer.from('{}'), limits: [] };

function createReply(relevantDigest: string, drift = relevantDigest): ScanReply {
  const counts = { relevant: 0, other: 0 };
  return {
    kind: 'scanned',
    baseline: DOCUMENT,
    inventory: 'baseline',
    drift: {
      bytes: Buffer.from(drift),
      sha256: '',
      limits: [],
      relevantDigest,
      inventoryDigest: relevantDigest,
      isWhole: true,
      counts,
      tookMs: 1,
    },
    covered: [],
  };
}

const open: { close(): Promise<void> }[] = [];
afterEach(async () => {
  for (const each of open.splice(0)) await each.close();
});

async function startWorld(ids: string[], scan: (key: string, isSlow: boolean) => Promise<ScanReply>) {
  const runtime = new FakeRuntime();
  for (const id of ids) runtime.running.add(id);
  const scanned: string[] = [];
  const scanner: Scanner = {
    scan: (createRequest, { isSlow }) => {
      const { key } = createRequest();
      scanned.push(key);
      return scan(key, isSlow);
    },
    prove: async () => ({
      proof: 'content',
      digest: { fingerprint: 'f', content: 'c' },
      differing: [],
      limit: undefined,
    }),
    look: async () => assert.fail('processes are looked at by another'),
    peek: async () => assert.fail('processes are looked at by another'),
    forget: async () => undefined,
    close: async () => undefined,
  };
  const processes = {
    readMountinfo: async (pid: number) => {
      const id = [...runtime.running].find((each) => pidOf(each) === pid);
      return parseMountinfo(Buffer.from(`70 47 0:39 / / rw - overlay overlay rw,lowerdir=/l,upperdir=/u/${id}\n`));
    },
  };
  let change: WatchListener['onChange'] = () => undefined;
  const source = createContainerdSource({ client: runtime, namespaces: undefined, hostRoot: '/' });
  const collector = new RuntimeCollector({
    source,
    scanner,
    inspector: new ContainerInspector({ source, processes }),
    looker: createFakeLooker(),
    createWatch: ({ onChange }) => {
      change = onChange;
      const nothing = () => undefined;
      return { works: true, add: nothing, remove: nothing, mute: nothing, unmute: nothing, close: nothing };
    },
    clock: { monotonicMs: () => performance.now() },
    hostRoot: '/',
    coalesceMs: 1,
    pollMs: 10_000,
    peekMs: 10_000,
    sweepMs: 10_000,
    scanTimeoutMs: 10_000,
    lowerCheckMs: 10_000,
    scrubMs: 10_000,
    areConfirmed: false,
  });
  open.push(collector);
  let dirty = 0;
  collector.onDirty(() => {
    dirty += 1;
  });
  await collector.start();
  return {
    runtime,
    collector,
    scanned,
    change: (directory: string) => change(directory, [{ path: 'etc/x', isContentOnly: false }]),
    dirtyCount: () => dirty,
  };
}

/** Nothing runs that is worth telling. */
function createFakeLooker(): ProcessLooker {
  const lists = { code: [], executed: [], anonymous: [], foreign: [], injected: [], transient: [] };
  return {
    look: async () => ({ ...lists, mounts: [], restless: [], limits: [], isUnsettled: false }),
    peek: async (asked) => asked.map(() => ''),
    readGroup: () => undefined,
  };
}

async function until(isReached: () => boolean | Promise<boolean>): Promise<void> {
  for (let round = 0; round < 400; round += 1) {
    if (await isReached()) return;
    await delay(2);
  }
  assert.fail('not reached');
}

async function readClaims(collector: RuntimeCollector, id: string) {
  const { index, sets } = await collector.collect();
  const bytes = sets.get(index.containers[id] ?? '');
  return bytes === undefined ? undefined : parseClaimsSet(bytes, 'container', id);
}

const event = (topic: string, containerId: string): ContainerdEvent => ({
  namespace: 'n',
  topic,
  containerId,
  execId: undefined,
});

test('what runs is scanned, and its claims stay the same until something changes', async () => {
  const { collector } = await startWorld(['c1'], async () => createReply('r'));
  await until(() => collector.pending().length === 0);
  const first = await collector.collect();
  const claims = await readClaims(collector, 'c1');
  assert.deepEqual(claims?.scan, { complete: true, limits: [], timed: false });
  assert.equal(claims?.image.manifest, sha256(MANIFEST));
  assert.deepEqual((await collector.collect()).index, first.index);
  assert.deepEqual(collector.runtimes(), [{ name: 'containerd', version: '1.6' }]);
});

test('a change in an upper directory scans that container alone and is told', async () => {
  let relevant = 'before';
  const { collector, change, scanned, dirtyCount } = await startWorld(['c1', 'c2'], async () => createReply(relevant));
  await until(() => collector.pending().length === 0);
  const [scans, dirty] = [scanned.length, dirtyCount()];
  relevant = 'after';
  change('/u/c2');
  assert.deepEqual(
    collector.pending().map(([id]) => id),
    ['c2'],
  );
  await until(() => collector.pending().length === 0);
  assert.deepEqual(scanned.slice(scans), ['c2']);
  assert.equal(dirtyCount(), dirty + 1);
});

test('a change of what is only counted is not told but stands in the next claims', async () => {
  let drift = 'a';
  const { collector, change, dirtyCount } = await startWorld(['c1'], async () => createReply('r', drift));
  await until(() => collector.pending().length === 0);
  const [dirty, before] = [dirtyCount(), await readClaims(collector, 'c1')];
  drift = 'b';
  change('/u/c1');
  await until(() => collector.pending().length === 0);
  assert.equal(dirtyCount(), dirty);
  assert.notEqual((await readClaims(collector, 'c1'))?.drift?.sha256, before?.drift?.sha256);
});

test('a stalled scan leaves its container pending and the others on time', async () => {
  const never = new Promise<ScanReply>(() => undefined);
  const { collector } = await startWorld(['c1', 'c2'], (key) =>
    key === 'c1' ? never : Promise.resolve(createReply('r')),
  );
  await until(() => collector.pending().length === 1);
  assert.equal(collector.pending()[0]?.[0], 'c1');
  await delay(20);
  assert.ok((collector.pending()[0]?.[1] ?? 0) >= 15);
  assert.ok(collector.oldestScanMs() >= 15);
  assert.deepEqual((await readClaims(collector, 'c1'))?.scan.limits, ['notScanned']);
  assert.equal((await readClaims(collector, 'c2'))?.scan.complete, true);
});

test('a failed scan takes the clean claims of yesterday away', async () => {
  let fails = false;
  const failure = new AgentError('ERR_AGENT_SCAN', 'x', { cause: new ScanFailure('time', 'x') });
  const { collector, change } = await startWorld(['c1'], async () => {
    if (fails) throw failure;
    return createReply('r');
  });
  await until(() => collector.pending().length === 0);
  fails = true;
  change('/u/c1');
  await until(async () => (await readClaims(collector, 'c1'))?.scan.complete === false);
  const claims = await readClaims(collector, 'c1');
  assert.deepEqual([claims?.drift, claims?.inventory, claims?.scan.limits], [null, null, ['notScanned', 'scan:time']]);
  assert.equal(collector.pending().length, 1);
});

test('a scan that does not end soon is done again apart from the others, and the next ones too', async () => {
  const asked: boolean[] = [];
  const timeout = new AgentError('ERR_AGENT_SCAN', 'x', { cause: new ScanFailure('time', 'x') });
  const { collector } = await startWorld(['c1'], async (_key, isSlow) => {
    asked.push(isSlow);
    if (!isSlow) throw timeout;
    return createReply('r');
  });
  await until(() => collector.pending().length === 0);
  assert.deepEqual(asked, [false, true]);
  assert.equal((await readClaims(collector, 'c1'))?.scan.complete, true);
});

test('a runtime of another kind is unsupported, not scanned and not pending', async () => {
  const { collector, scanned } = await startWorld(['kata-1'], async () => createReply('r'));
  await delay(20);
  assert.deepEqual([scanned, collector.pending(), collector.oldestScanMs()], [[], [], 0]);
  assert.equal((await readClaims(collector, 'kata-1'))?.status, 'unsupported');
});

test('a container that was made and removed between two lists was not observed', async () => {
  const { runtime, collector } = await startWorld([], async () => createReply('r'));
  runtime.emit(event('/containers/create', 'brief'));
  runtime.emit(event('/containers/delete', 'brief'));
  const { index, lost } = await collector.collect();
  assert.deepEqual([index.limits, lost], [['NOT_OBSERVED:brief'], ['NOT_OBSERVED:brief']]);
});

test('a container that is gone while it ran was not captured; one scanned after its end, and told, was', async () => {
  const { runtime, collector } = await startWorld(['c1', 'c2'], async () => createReply('r'));
  await until(() => collector.pending().length === 0);
  runtime.emit(event('/tasks/exit', 'c2'));
  await until(() => collector.pending().length === 0);
  await collector.collect();
  runtime.running.clear();
  runtime.emit(event('/containers/delete', 'c1'));
  await until(async () => Object.keys((await collector.collect()).index.containers).length === 0);
  assert.deepEqual((await collector.collect()).index.limits, ['NOT_CAPTURED:c1']);
});

test('a container that was scanned after its end and left before anybody was told was not captured', async () => {
  const { runtime, collector } = await startWorld(['c1'], async () => createReply('r'));
  await until(() => collector.pending().length === 0);
  runtime.emit(event('/tasks/exit', 'c1'));
  await until(() => collector.pending().length === 0);
  runtime.running.clear();
  runtime.emit(event('/containers/delete', 'c1'));
  await delay(100);
  assert.deepEqual((await collector.collect()).lost, ['NOT_CAPTURED:c1']);
});

test('a runtime that stops answering is a limit of the index, and what was known stays', async () => {
  const { runtime, collector } = await startWorld(['c1'], async () => createReply('r'));
  await until(() => collector.pending().length === 0);
  runtime.fails = true;
  runtime.emit(event('/tasks/start', 'c1'));
  await until(async () => (await collector.collect()).index.limits.includes('runtime:unavailable'));
  assert.deepEqual(Object.keys((await collector.collect()).index.containers), ['c1']);
  runtime.fails = false;
  runtime.emit(event('/tasks/start', 'c1'));
  await until(async () => (await collector.collect()).index.limits.length === 0);
});
