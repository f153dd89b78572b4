import assert from 'node:assert/strict';
import { execFile } from 'node:child_process';
import { after, before, describe, it } from 'node:test';
import { setTimeout as sleep } from 'node:timers/promises';
import { promisify } from 'node:util';
import { listBusyboxEntries, type RunningContainer, whyNoContainerd } from '@holdfast/scripts';
import {
  type ContainerWorld,
  findDrift,
  listDrift,
  readContainer,
  startContainerWorld,
  waitFor,
} from './container-world.ts';

const skip = (await whyNoContainerd()) ?? false;
const run = promisify(execFile);
const IMAGE = 'docker.io/holdfast/lifetime:1';

describe('containers that come, change and go', { skip, timeout: 300_000 }, () => {
  let world: ContainerWorld;

  before(async () => {
    // Sweeps far apart: what is seen here was seen by events.
    world = await startContainerWorld({ sweepMs: 600_000 });
    const layers = [{ entries: await listBusyboxEntries() }];
    await world.containerd.addImage({ name: IMAGE, layers, config: { Cmd: ['sleep', '100000'] } });
  });
  after(() => world.close());

  const collect = () => world.collector.collect();
  const readNow = async ({ id }: RunningContainer) => readContainer(await collect(), id);

  /** Runs a container and waits until it is scanned and proven as running: before its start it is scanned too. */
  async function runScanned(args: readonly string[] = []): Promise<RunningContainer> {
    const container = await world.containerd.run({ image: IMAGE, args });
    await waitFor(
      () => readNow(container),
      ({ claims }) =>
        claims.scan.complete && claims.status === 'running' && claims.mounts.some(({ coversImage }) => coversImage),
    );
    return container;
  }

  it('a change is told by an event within a second, and nothing is pending then', async () => {
    const container = await runScanned();
    let dirty = 0;
    world.collector.onDirty(() => {
      dirty += 1;
    });
    await world.containerd.exec(container, ['sh', '-c', 'echo x > /etc/new']);
    const writtenMs = performance.now();
    await waitFor(
      () => readNow(container),
      (seen) => listDrift(seen).length === 1,
    );
    assert.ok(performance.now() - writtenMs < 1_000);
    assert.ok(dirty > 0);
    assert.deepEqual(world.collector.pending(), []);
    await world.containerd.remove(container);
  });

  it('what is only counted calls for no round, and is told at the next one', async () => {
    const container = await runScanned();
    const logs = `/proc/${container.pid}/root/var/log`;
    await run('mkdir', ['-p', logs]);
    await waitFor(
      () => readNow(container),
      ({ claims }) => claims.driftCounts?.other === 1,
    );
    let dirty = 0;
    world.collector.onDirty(() => {
      dirty += 1;
    });
    // What calls for a round is the container's start still, as long as anything does.
    for (let before = -1; before !== dirty; await sleep(2_500)) before = dirty;
    const settled = dirty;
    // By no process of the container, which would be told itself where it lives long enough to be seen.
    await run('sh', ['-c', `echo line > ${logs}/app.log`]);
    await waitFor(
      () => readNow(container),
      ({ claims }) => claims.driftCounts?.other === 2,
    );
    assert.equal(dirty, settled);
    await world.containerd.remove(container);
  });

  it('a container that stops is scanned once more and stays, as stopped, until it is removed', async () => {
    const container = await runScanned([
      'sh',
      '-c',
      'while [ ! -e /tmp/go ]; do sleep 0.05; done; echo bye > /etc/last',
    ]);
    await world.containerd.exec(container, ['touch', '/tmp/go']);
    const seen = await waitFor(
      () => readNow(container),
      ({ claims, drift }) => claims.status === 'stopped' && drift?.relevant.length === 1,
    );
    assert.equal(findDrift(seen, '/etc/last').kind, 'added');
    assert.deepEqual(seen.claims.scan, { complete: true, limits: [], timed: false });
    await waitFor(
      async () => world.collector.pending(),
      (pending) => pending.length === 0,
    );
    await world.containerd.remove(container);
    const { index, lost } = await waitFor(collect, (snapshot) => snapshot.index.containers[container.id] === undefined);
    assert.ok(!index.limits.some((limit) => limit.endsWith(container.id)));
    assert.ok(!lost.some((loss) => loss.endsWith(container.id)));
  });

  it('a container that lives for an instant is seen or named as a loss, never neither', async () => {
    const seen = new Set<string>();
    world.collector.onDirty(() => {
      void collect().then(({ index }) => {
        for (const id of Object.keys(index.containers)) seen.add(id);
        for (const limit of index.limits) seen.add(limit.replace(/^NOT_(CAPTURED|OBSERVED):/, ''));
      });
    });
    for (const id of ['brief-a', 'brief-b', 'brief-c']) {
      await world.containerd.ctr(['run', '--rm', IMAGE, id, 'sh', '-c', ':']);
      await waitFor(
        async () => seen,
        (found) => found.has(id),
      );
    }
  });

  it('a container that stops and is removed in the middle of its scan harms no other', async () => {
    const quiet = await runScanned();
    const before = await readNow(quiet);
    const many = 'i=0; while [ $i -lt 3000 ]; do echo $i > /etc/f$i; i=$((i+1)); done; sleep 100000';
    const busy = await world.containerd.run({ image: IMAGE, args: ['sh', '-c', many] });
    await waitFor(
      async () => world.collector.pending(),
      (pending) => pending.some(([id]) => id === busy.id),
    );
    await world.containerd.remove(busy);
    await waitFor(collect, (snapshot) => snapshot.index.containers[busy.id] === undefined);
    assert.ok((await readNow(quiet)).bytes.equals(before.bytes));
    await world.containerd.exec(quiet, ['sh', '-c', 'echo x > /etc/after']);
    await waitFor(
      () => readNow(quiet),
      (seen) => listDrift(seen).includes('added /etc/after'),
    );
    await world.containerd.remove(quiet);
  });

  it('a container that is started again has another process and the same claims but for that', async () => {
    const container = await runScanned();
    await world.containerd.exec(container, ['sh', '-c', 'echo x > /etc/kept']);
    await world.containerd.ctr(['tasks', 'rm', '--force', container.id]);
    await waitFor(
      () => readNow(container),
      ({ claims }) => claims.status === 'stopped',
    );
    await world.containerd.ctr(['tasks', 'start', '--detach', container.id]);
    const seen = await waitFor(
      () => readNow(container),
      ({ claims }) => claims.status === 'running' && claims.scan.complete,
    );
    assert.deepEqual(listDrift(seen), ['added /etc/kept']);
    await world.containerd.remove(container);
  });
});

describe('a container whose layers vanish before its last scan', { skip, timeout: 120_000 }, () => {
  it('is not clean while it runs, and not captured when it is gone', async (test) => {
    const world = await startContainerWorld();
    test.after(() => world.close());
    const layers = [{ entries: await listBusyboxEntries() }];
    await world.containerd.addImage({ name: IMAGE, layers, config: { Cmd: ['sleep', '100000'] } });
    const container = await world.containerd.run({ image: IMAGE });
    await world.look(container.id);
    const mounts = await world.containerd.ctr(['snapshots', 'mounts', '/x', container.id]);
    const upper = /upperdir=([^,\s]+)/.exec(mounts)?.[1] ?? '';
    await run('mv', [upper, `${upper}.away`]);
    const { claims } = await waitFor(
      async () => readContainer(await world.collector.collect(), container.id),
      (seen) => !seen.claims.scan.complete,
    );
    assert.deepEqual([claims.drift, claims.inventory, claims.baseline], [null, null, null]);
    assert.deepEqual(claims.scan.limits, ['notScanned', 'scan:ERR_ROOTFS_NOT_FOUND']);
    assert.ok(world.collector.pending().some(([id]) => id === container.id));
    await world.containerd.remove(container);
    const { lost, index } = await waitFor(
      () => world.collector.collect(),
      (snapshot) => snapshot.index.containers[container.id] === undefined,
    );
    assert.deepEqual(lost, [`NOT_CAPTURED:${container.id}`]);
    assert.deepEqual(index.limits, lost);
  });
});
