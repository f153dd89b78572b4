import assert from 'node:assert/strict';
import { test } from 'node:test';
import { create } from '@bufbuild/protobuf';
import { containers, task } from '@holdfast/proto/containerd';
import { assignKeys, readContainerRecord } from './container-record.ts';

const row = (fields: Parameters<typeof create<typeof containers.ContainerSchema>>[1]) =>
  create(containers.ContainerSchema, { id: 'c', image: 'i', snapshotKey: 'c', snapshotter: 'overlayfs', ...fields });
const json = (value: object) => ({ typeUrl: 'x', value: Buffer.from(JSON.stringify(value)) });
const CONFIG = `sha256:${'ab'.repeat(32)}`;

test('a container of a pod is told with pod, name and the image that the CRI noted', () => {
  const labels = {
    'io.kubernetes.pod.name': 'web-1',
    'io.kubernetes.pod.namespace': 'shop',
    'io.kubernetes.pod.uid': 'u-1',
    'io.kubernetes.container.name': 'web',
    'io.cri-containerd.kind': 'container',
  };
  const extensions = {
    'io.cri-containerd.container.metadata': json({ Version: 'v1', Metadata: { ImageRef: CONFIG } }),
  };
  const record = readContainerRecord('k8s.io', row({ labels, extensions }), undefined);
  assert.deepEqual(record.pod, { namespace: 'shop', name: 'web-1', uid: 'u-1' });
  assert.deepEqual([record.name, record.sandbox, record.criImage], ['web', false, CONFIG]);
});

test('a sandbox is known by its label or by the annotation of its specification', () => {
  const byLabel = readContainerRecord('n', row({ labels: { 'io.cri-containerd.kind': 'sandbox' } }), undefined);
  const spec = json({ annotations: { 'io.kubernetes.cri.container-type': 'sandbox' } });
  assert.deepEqual([byLabel.sandbox, readContainerRecord('n', row({ spec }), undefined).sandbox], [true, true]);
});

test('a pod that is named in part is no pod', () => {
  const labels = { 'io.kubernetes.pod.name': 'web-1' };
  assert.equal(readContainerRecord('n', row({ labels }), undefined).pod, null);
});

test('what is malformed in a record is left out', () => {
  const broken = { typeUrl: 'x', value: Buffer.from('{') };
  const extensions = { 'io.cri-containerd.container.metadata': broken };
  const record = readContainerRecord('n', row({ spec: broken, extensions }), undefined);
  assert.deepEqual([record.spec, record.criImage, record.started], [undefined, undefined, null]);
  const odd = { 'io.cri-containerd.container.metadata': json({ Metadata: { ImageRef: 'docker.io/x:1' } }) };
  assert.equal(readContainerRecord('n', row({ extensions: odd }), undefined).criImage, undefined);
});

test('times are told to the nanosecond', () => {
  const record = readContainerRecord('n', row({ createdAt: { seconds: 1_700_000_000n, nanos: 5 } }), undefined);
  assert.equal(record.started, '2023-11-14T22:13:20.000000005Z');
});

test('every state of a task is one of three', () => {
  const statusOf = (status: task.Status) => readContainerRecord('n', row({}), { pid: 7, status }).task?.status;
  const { RUNNING, PAUSED, PAUSING, STOPPED, CREATED, UNKNOWN } = task.Status;
  assert.deepEqual([RUNNING, PAUSED, PAUSING, STOPPED, CREATED, UNKNOWN].map(statusOf), [
    'running',
    'paused',
    'paused',
    'stopped',
    'stopped',
    'stopped',
  ]);
});

test('containers of one id in several namespaces keep keys of their own, the oldest the id itself', () => {
  const at = (namespace: string, seconds: bigint) =>
    readContainerRecord(namespace, row({ id: 'same', createdAt: { seconds, nanos: 0 } }), undefined);
  const keys = assignKeys([at('young', 20n), at('old', 10n), at('a'.repeat(130), 30n)]).map(({ key }) => key);
  assert.deepEqual(keys.slice(0, 2), ['same', 'same__young']);
  assert.match(keys[2] ?? '', /^same__[0-9a-f]{64}$/);
  assert.ok(keys.every((key) => key.length <= 128 && /^[A-Za-z0-9][A-Za-z0-9_.-]*$/.test(key)));
});
