import assert from 'node:assert/strict';
import { createHash } from 'node:crypto';
import { afterEach } from 'node:test';
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
import { ContainerInspector } from './container-inspector.ts';
import type { WatchListener } from './directory-watch.ts';
import { parseMountinfo } from './mountinfo.ts';
import { RuntimeCollector } from './runtime-collector.ts';

export const sha256 = (text: string) => `sha256:${createHash('sha256').update(text).digest('hex')}`;
const LAYER = sha256('layer');
const CONFIG = JSON.stringify({ os: 'linux', architecture: 'amd64', rootfs: { diff_ids: [LAYER] } });
export const MANIFEST = JSON.stringify({
  config: { digest: sha256(CONFIG) },
  layers: [{ digest: sha256('blob'), mediaType: 'm' }],
});
const BLOBS = new Map([CONFIG, MANIFEST].map((text) => [sha256(text), Buffer.from(text)]));

/** Each container has a process of its own. */
const pidOf = (id: string) => 100 + Number(id.replace(/\D/g, ''));

/** A runtime with containers `c1`, `c2`, … of one image. */
export class FakeRuntime implements ContainerdClient {
  readonly address = '/fake.sock';
  readonly running = new Set<string>();
  /** Of these the first process waits for the word to start. */
  readonly created = new Set<string>();
  fails = false;
  areScansRefused = false;
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
    const status = this.created.has(containerId) ? task.Status.CREATED : task.Status.RUNNING;
    const answer = create(tasks.GetResponseSchema, {
      process: { containerId, pid: pidOf(containerId), status },
    });
    return answer.process ?? assert.fail();
  }
}

const DOCUMENT = { bytes: Buffer.from('{}'), limits: [] };

export function createReply(relevantDigest: string, drift = relevantDigest): ScanReply {
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

type FakeScan = (key: string, isSlow: boolean) => Promise<ScanReply>;

function createFakeScanner(runtime: FakeRuntime, scanned: string[], scan: FakeScan): Scanner {
  return {
    scan: (createRequest, { isSlow }) => {
      const { key } = createRequest();
      scanned.push(key);
      return runtime.areScansRefused ? Promise.reject(new AgentError('ERR_AGENT_SCAN', 'x')) : scan(key, isSlow);
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
}

export async function startCollectorWorld(ids: string[], scan: FakeScan, created: string[] = []) {
  const runtime = new FakeRuntime();
  for (const id of ids) runtime.running.add(id);
  for (const id of created) runtime.created.add(id);
  const scanned: string[] = [];
  const scanner = createFakeScanner(runtime, scanned, scan);
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

/** Fails where it is not reached within a second or so. */
export async function until(isReached: () => boolean | Promise<boolean>): Promise<void> {
  for (let round = 0; round < 400; round += 1) {
    if (await isReached()) return;
    await delay(2);
  }
  assert.fail('not reached');
}

export async function readClaims(collector: RuntimeCollector, id: string) {
  const { index, sets } = await collector.collect();
  const bytes = sets.get(index.containers[id] ?? '');
  return bytes === undefined ? undefined : parseClaimsSet(bytes, 'container', id);
}

export const event = (topic: string, containerId: string): ContainerdEvent => ({
  namespace: 'n',
  topic,
  containerId,
  execId: undefined,
});
