import assert from 'node:assert/strict';
import { test } from 'node:test';
import { RootfsError } from '@holdfast/rootfs';
import { AgentError } from '../agent-error.ts';
import { ContainerLook, readLookFailure } from './container-look.ts';
import { createRecord } from './container-record.test-support.ts';
import type { ResolvedImage } from './image-resolver.ts';
import { TrackedContainer } from './tracked-container.ts';

const RECORD = createRecord();

const IMAGE: ResolvedImage = {
  image: {
    manifest: 'm',
    config: { platform: { os: 'linux', architecture: 'amd64' }, diffIds: [], entrypoint: [], cmd: [], env: [] },
    configDigest: 'c',
    layers: [],
    index: null,
  },
  from: 'name',
  isRetagged: false,
  isAmbiguous: false,
};

/** Lists the container again and again, at a clock that the test moves, and counts how often its mounts are read. */
async function createWorld() {
  const world = { nowMs: 0, reads: 0, fails: false };
  const look = new ContainerLook({
    inspector: {
      readRootfs: async () => ({ driver: 'overlay', lowers: [], upper: '/u', chainIds: [], unsupported: [] }),
      readImage: async () => IMAGE,
      readMounts: async () => {
        world.reads += 1;
        if (world.fails) throw new AgentError('ERR_AGENT_RUNTIME_DATA', 'x');
        return { mounts: [], rootMount: undefined };
      },
    },
    proofs: { ensure: () => undefined },
    watch: { add: () => undefined },
    jobs: { toHostPath: (directory) => directory },
    clock: { monotonicMs: () => world.nowMs },
    source: { findBlob: () => assert.fail('there is no layer') },
  });
  const container = new TrackedContainer(RECORD, 0);
  const list = async (ms: number) => {
    world.reads = 0;
    for (const end = world.nowMs + ms; world.nowMs < end; ) {
      world.nowMs += 30_000;
      await look.update(container, RECORD, { isNew: false, imagesMoved: false });
    }
    return world.reads;
  };
  await look.update(container, RECORD, { isNew: true, imagesMoved: false });
  return { world, container, list };
}

test('mounts of a container of which nothing runs are read again after minutes only', async () => {
  const { container, list } = await createWorld();
  container.running.cgroup.now = { pids: [7], usage: '1' };
  assert.equal(await list(30_000), 1);
  assert.equal(await list(270_000), 0);
  assert.equal(await list(30_000), 1);
  container.running.cgroup.now = { pids: [7], usage: '2' };
  assert.equal(await list(30_000), 1);
  assert.equal(await list(30_000), 0);
});

test('where the kernel does not tell what ran they are read with every list', async () => {
  const { list } = await createWorld();
  assert.equal(await list(120_000), 4);
});

test('a look that failed is made again with the next list, also of a container at rest', async () => {
  const { world, container, list } = await createWorld();
  container.running.cgroup.now = { pids: [7], usage: '1' };
  world.fails = true;
  await list(30_000);
  assert.equal(container.runtimeFailure, 'runtime:ERR_AGENT_RUNTIME_DATA');
  assert.equal(await list(30_000), 1);
  world.fails = false;
  assert.equal(await list(30_000), 1);
  assert.equal(container.runtimeFailure, undefined);
  assert.equal(await list(30_000), 0);
});

test('what runtime or kernel refuse is a limit of the container', () => {
  const refused = Object.assign(new Error('EIO: i/o error, read'), { code: 'EIO', syscall: 'read' });
  assert.equal(readLookFailure(refused), 'EIO');
  assert.equal(readLookFailure(new AgentError('ERR_AGENT_RUNTIME_ADDRESS', 'no answer')), 'ERR_AGENT_RUNTIME_ADDRESS');
  const system = new RootfsError('ERR_ROOTFS_SYSTEM', 'statx', { errno: 5, syscall: 'statx' });
  assert.equal(readLookFailure(system), 'ERR_ROOTFS_SYSTEM');
});

test('a fault of this program is none', () => {
  assert.equal(readLookFailure(new TypeError('x is not a function')), undefined);
  assert.equal(readLookFailure(Object.assign(new TypeError('bad'), { code: 'ERR_INVALID_ARG_TYPE' })), undefined);
  assert.equal(readLookFailure('text'), undefined);
});
