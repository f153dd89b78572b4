import assert from 'node:assert/strict';
import { test } from 'node:test';
import { create } from '@bufbuild/protobuf';
import { ContainerSchema, ContainerState, PodSandboxSchema } from '@holdfast/proto/cri';
import { AgentError } from '../agent-error.ts';
import type { ContainerRecord } from '../container/container-record.ts';
import { type CriClient, type CriDetail, readDetail } from './cri-client.ts';
import { CriView } from './cri-view.ts';

const POD = { namespace: 'shop', name: 'web-0', uid: 'u-1' };
const LABELS = {
  'app.kubernetes.io/name': 'web',
  'io.kubernetes.pod.name': 'web-0',
  'pod-template-hash': 'x',
  bad: 'x'.repeat(64),
};
const IMAGE = `sha256:${'ab'.repeat(32)}`;

const record = (change: Partial<ContainerRecord> = {}): ContainerRecord => ({
  key: 'c1',
  id: 'c1',
  namespace: 'k8s.io',
  name: 'web',
  pod: POD,
  sandbox: false,
  runtime: 'io.containerd.runc.v2',
  started: null,
  imageName: 'i',
  criImage: IMAGE,
  snapshotter: 'overlayfs',
  snapshotKey: 'c1',
  spec: undefined,
  revision: 'r',
  task: { pid: 7, status: 'running' },
  isCri: true,
  ...change,
});
const SANDBOX = record({ key: 's1', id: 's1', name: 's1', sandbox: true, snapshotKey: 's1' });
const DETAIL: CriDetail = { pid: 7, snapshotKey: 'c1', sandboxId: 's1' };

/** A CRI with one pod of one container; a test changes what it says. */
class FakeCri implements CriClient {
  containers = [
    create(ContainerSchema, {
      id: 'c1',
      podSandboxId: 's1',
      metadata: { name: 'web', attempt: 3 },
      state: ContainerState.CONTAINER_RUNNING,
    }),
  ];
  sandboxes = [create(PodSandboxSchema, { id: 's1', metadata: POD, labels: LABELS })];
  detail: CriDetail | undefined = DETAIL;
  fails = false;
  described = 0;

  async isServed() {
    return true;
  }

  async listContainers() {
    return this.#answer(this.containers);
  }

  async listSandboxes() {
    return this.#answer(this.sandboxes);
  }

  async describe() {
    this.described += 1;
    if (this.detail === undefined) throw new AgentError('ERR_AGENT_RUNTIME_UNAVAILABLE', 'gone');
    return this.#answer(this.detail);
  }

  close() {}

  #answer<T>(value: T): T {
    if (this.fails) throw new AgentError('ERR_AGENT_RUNTIME_UNAVAILABLE', 'gone');
    return value;
  }
}

function createView(selects: (id: string) => boolean = () => true) {
  const client = new FakeCri();
  let nowMs = 0;
  const view = new CriView({ client, clock: { monotonicMs: () => nowMs }, selects });
  const ask = async (...records: ContainerRecord[]) => (await view.enrich(records)).map(({ cri }) => cri);
  return { client, view, ask, pass: (ms: number) => (nowMs += ms) };
}

test('attempts and the labels that people gave come from the CRI, and nothing contradicts', async () => {
  const { view, ask } = createView();
  const labels = { 'app.kubernetes.io/name': 'web' };
  assert.deepEqual(await ask(record(), SANDBOX), [
    { attempt: 3, labels, contradictions: [] },
    { attempt: 0, labels, contradictions: [] },
  ]);
  assert.deepEqual(view.limits, []);
});

test('each thing that the two sources tell differently is named', async () => {
  const contradictionsOf = async (
    change: Partial<ContainerRecord>,
    alter: (client: FakeCri) => void = () => undefined,
  ) => {
    const { client, ask } = createView();
    alter(client);
    return (await ask(record(change), SANDBOX))[0]?.contradictions;
  };
  assert.deepEqual(await contradictionsOf({ pod: { ...POD, uid: 'u-2' } }), ['cri:pod']);
  assert.deepEqual(await contradictionsOf({ pod: null }), ['cri:pod']);
  assert.deepEqual(await contradictionsOf({ name: 'other' }), ['cri:name']);
  assert.deepEqual(await contradictionsOf({ task: { pid: 8, status: 'running' } }), ['cri:pid']);
  assert.deepEqual(await contradictionsOf({ task: { pid: 8, status: 'stopped' } }), []);
  assert.deepEqual(await contradictionsOf({ snapshotKey: 'c2' }), ['cri:snapshotKey']);
  assert.deepEqual(await contradictionsOf({ sandbox: true }), ['cri:kind']);
  const withImage = (imageId: string) => (client: FakeCri) => {
    for (const row of client.containers) row.imageId = imageId;
  };
  assert.deepEqual(await contradictionsOf({}, withImage(IMAGE)), []);
  assert.deepEqual(await contradictionsOf({}, withImage(`sha256:${'cd'.repeat(32)}`)), ['cri:image']);
  const withDetail = (detail: CriDetail | undefined) => (client: FakeCri) => {
    client.detail = detail;
  };
  assert.deepEqual(await contradictionsOf({}, withDetail({ ...DETAIL, sandboxId: 's2' })), ['cri:sandbox']);
  assert.deepEqual(await contradictionsOf({}, withDetail(undefined)), ['cri:status']);
  const silent = { pid: undefined, snapshotKey: undefined, sandboxId: undefined };
  assert.deepEqual(await contradictionsOf({}, withDetail(silent)), []);
});

test('what one side alone shows counts after a while, and no longer once both do', async () => {
  const { client, view, ask, pass } = createView();
  const { containers } = client;
  client.containers = [];
  assert.deepEqual((await ask(record(), SANDBOX))[0]?.contradictions, []);
  pass(3_000);
  assert.deepEqual((await ask(record(), SANDBOX))[0]?.contradictions, ['cri:notListed']);
  client.containers = containers;
  assert.deepEqual((await ask(record(), SANDBOX))[0]?.contradictions, []);
  await ask(SANDBOX);
  assert.deepEqual(view.limits, []);
  pass(3_000);
  await ask(SANDBOX);
  assert.deepEqual(view.limits, ['cri:unknown:c1']);
  await ask(record(), SANDBOX);
  assert.deepEqual(view.limits, []);
});

test('containers that nobody asked for are not missed', async () => {
  const { view, ask, pass } = createView((id) => id === 'c1');
  await ask(record());
  pass(10_000);
  await ask(record());
  assert.deepEqual(view.limits, []);
});

test('a CRI that does not answer is named in its containers and leaves the others alone', async () => {
  const { client, ask } = createView();
  client.fails = true;
  const [mine, other, plain] = await ask(record(), record({ namespace: 'moby' }), record({ isCri: false }));
  assert.deepEqual(mine?.contradictions, ['cri:unavailable']);
  assert.deepEqual([other, plain], [undefined, undefined]);
});

test('a container is asked about once for each of its states, and its record moves with the answer', async () => {
  const { client, view, ask } = createView();
  await ask(record(), SANDBOX);
  await ask(record(), SANDBOX);
  assert.equal(client.described, 1);
  for (const row of client.containers) row.state = ContainerState.CONTAINER_EXITED;
  await ask(record(), SANDBOX);
  assert.equal(client.described, 2);
  const [before] = await view.enrich([record()]);
  for (const row of client.containers)
    row.metadata = { ...row.metadata, $typeName: 'runtime.v1.ContainerMetadata', name: 'web', attempt: 4 };
  const [after] = await view.enrich([record()]);
  assert.notEqual(after?.revision, before?.revision);
});

test('a verbose status that is malformed says nothing', () => {
  assert.deepEqual(readDetail('{"pid":7,"snapshotKey":"c1","sandboxID":"s1","config":{}}'), DETAIL);
  const silent = { pid: undefined, snapshotKey: undefined, sandboxId: undefined };
  for (const text of ['', '{', '[]', '{"pid":"7"}', '{"pid":1,"pid":2}', 'null'])
    assert.deepEqual(readDetail(text), silent, text);
});
