import assert from 'node:assert/strict';
import { test } from 'node:test';
import { create } from '@bufbuild/protobuf';
import { containers } from '@holdfast/proto/containerd';
import type { ContainerdClient } from './containerd-client.ts';
import type { ContainerdEvent } from './containerd-events.ts';
import { createContainerdSource } from './containerd-source.ts';

function createSource(namespaces?: readonly string[]) {
  let emit: (event: ContainerdEvent) => void = () => undefined;
  const refuse = () => Promise.reject(new TypeError('not asked for'));
  const client: ContainerdClient = {
    address: '/fake.sock',
    probe: async () => ({ version: '1.6', revision: '' }),
    readRoots: async () => ({ content: '/content' }),
    listNamespaces: async () => ['n', 'other'],
    listContainers: async () => [create(containers.ContainerSchema, { id: 'c' })],
    listTasks: async () => [],
    subscribe: (onEvent) => {
      emit = onEvent;
      return () => undefined;
    },
    close: () => undefined,
    listPids: refuse,
    statSnapshot: refuse,
    listMounts: refuse,
    getImage: refuse,
    listImages: refuse,
    listBlobs: refuse,
    readBlob: refuse,
    streamBlob: async function* () {},
  };
  const source = createContainerdSource({ client, namespaces, hostRoot: '/host' });
  const seen: ContainerdEvent[] = [];
  source.subscribe(
    (event) => seen.push(event),
    () => undefined,
  );
  const tell = (event: Partial<ContainerdEvent>) =>
    emit({ namespace: 'n', topic: '/tasks/create', containerId: 'c', execId: undefined, ...event });
  const listRestored = async () => (await source.listRecords()).map(({ restored }) => restored === true);
  return { source, seen, tell, listRestored };
}

test('a container whose processes were restored says so until they are started anew', async () => {
  const { tell, listRestored } = createSource(['n']);
  assert.deepEqual(await listRestored(), [false]);
  tell({ isRestored: true });
  assert.deepEqual(await listRestored(), [true]);
  tell({ isRestored: false });
  assert.deepEqual(await listRestored(), [false]);
});

test('events and containers of namespaces that are not looked at are passed over', async () => {
  const { seen, tell, listRestored } = createSource(['n']);
  tell({ namespace: 'other', isRestored: true });
  tell({ topic: '/tasks/start' });
  assert.deepEqual(
    seen.map(({ topic }) => topic),
    ['/tasks/start'],
  );
  assert.deepEqual(await listRestored(), [false]);
});

test('blobs lie below the content store of the host, or are asked for where it does not tell', async () => {
  const { source } = createSource();
  const layer = { digest: `sha256:${'ab'.repeat(32)}`, mediaType: 'm' };
  assert.deepEqual(source.findBlob('n', layer, '/l').from, { address: '/fake.sock', namespace: 'n' });
  await source.probe();
  assert.deepEqual(source.findBlob('n', layer, '/l').from, { path: `/host/content/blobs/sha256/${'ab'.repeat(32)}` });
});
