import assert from 'node:assert/strict';
import { test } from 'node:test';
import type { ContainerGroup } from '../process/container-group.ts';
import { type LookReply, NO_GROUP } from '../process/look-protocol.ts';
import type { ProcessLooker } from '../process/process-looker.ts';
import { createRecord } from './container-record.test-support.ts';
import { parseMountinfo } from './mountinfo.ts';
import { parseOciSpec } from './oci-spec.ts';
import { RunningLooks } from './running-looks.ts';
import { TrackedContainer } from './tracked-container.ts';

const lists = { code: [], executed: [], anonymous: [], foreign: [], injected: [], transient: [] };
const REPLY: LookReply = { ...lists, mounts: [], restless: [], limits: [], isUnsettled: false };

const RECORD = createRecord({ spec: parseOciSpec(Buffer.from('{"linux":{"cgroupsPath":"/n/c"}}')) });

function createContainer(record = RECORD): TrackedContainer {
  const container = new TrackedContainer(record, 0);
  const lowers = ['/l'];
  container.rootfs = { driver: 'overlay', lowers, upper: '/u', chainIds: [], unsupported: [] };
  container.rootMount = parseMountinfo(Buffer.from('1 0 0:73 / / rw - overlay overlay rw\n'))[0];
  return container;
}

/** Looks over one container whose cgroup the test sets, at a clock that the test moves. */
function createLooks(container: TrackedContainer) {
  const world = { nowMs: 0, group: undefined as ContainerGroup | undefined, signature: 's', looks: 0, peeks: 0 };
  const asked: { pids: readonly number[] | null }[] = [];
  const looker: ProcessLooker = {
    look: async (request) => {
      world.looks += 1;
      asked.push(request);
      return request.pids === null && world.group === undefined ? NO_GROUP : REPLY;
    },
    peek: async (list) => {
      world.peeks += 1;
      return list.map(() => world.signature);
    },
    readGroup: () => world.group,
  };
  const looks = new RunningLooks({
    looker,
    source: { listPids: async () => [7, 8] },
    clock: { monotonicMs: () => world.nowMs },
    toHostPath: (directory) => directory,
    onChange: () => undefined,
    after: () => undefined,
  });
  const pass = async (ms: number) => {
    for (let at = 0; at < ms; at += 5_000) {
      world.nowMs += 5_000;
      await looks.peek([container]);
    }
    const { looks: made, peeks } = world;
    Object.assign(world, { looks: 0, peeks: 0 });
    return [made, peeks];
  };
  return { world, pass, asked, looks };
}

test('a container of which nothing runs is looked at again after minutes only', async () => {
  const { world, pass } = createLooks(createContainer());
  world.group = { pids: [7], usage: '1' };
  assert.deepEqual(await pass(5_000), [1, 1]);
  assert.deepEqual(await pass(290_000), [0, 0]);
  assert.deepEqual(await pass(15_000), [1, 1]);
});

test('one of which something runs is looked at after half a minute, and at once where that is seen to change', async () => {
  const { world, pass } = createLooks(createContainer());
  world.group = { pids: [7], usage: '1' };
  await pass(5_000);
  world.group = { pids: [7], usage: '2' };
  assert.deepEqual(await pass(5_000), [0, 1]);
  // It rests again, and what ran is still to be looked at.
  assert.deepEqual(await pass(20_000), [1, 1]);
  assert.deepEqual(await pass(100_000), [0, 0]);
  world.group = { pids: [7, 8], usage: '3' };
  world.signature = 't';
  assert.deepEqual(await pass(5_000), [1, 1]);
});

test('where no time is told each peek asks, and each look is made when it is due', async () => {
  const { world, pass } = createLooks(createContainer());
  world.group = { pids: [7], usage: undefined };
  await pass(5_000);
  assert.deepEqual(await pass(50_000), [2, 10]);
});

test('the runtime is asked for processes only where the kernel does not tell', async () => {
  const { world, asked, looks } = createLooks(createContainer());
  const container = createContainer();
  container.running.device = '0:73';
  world.group = { pids: [7], usage: '1' };
  await looks.peek([container]);
  world.group = undefined;
  world.nowMs = 5_000;
  await looks.peek([container]);
  await new Promise((resolve) => setImmediate(resolve));
  assert.deepEqual(
    asked.map(({ pids }) => pids),
    [null],
  );
  world.nowMs = 40_000;
  await looks.peek([container]);
  await new Promise((resolve) => setImmediate(resolve));
  assert.deepEqual(
    asked.map(({ pids }) => pids),
    [null, null, [7, 8]],
  );
});
