import assert from 'node:assert/strict';
import { chmod } from 'node:fs/promises';
import { after, before, describe, it } from 'node:test';
import { listBusyboxEntries, whyNoContainerd } from '@holdfast/scripts';
import { type ContainerWorld, readContainer, startContainerWorld, waitFor } from './container-world.ts';

const skip = (await whyNoContainerd()) ?? false;
const NAME = 'docker.io/holdfast/plain:1';

describe('containers that are not read', { skip, timeout: 120_000 }, () => {
  let world: ContainerWorld;
  before(async () => {
    world = await startContainerWorld({
      prepare: async (containerd) => {
        const layers = [{ entries: await listBusyboxEntries() }];
        await containerd.addImage({ name: NAME, layers, config: { Cmd: ['sleep', '100000'] } });
      },
    });
  });
  after(() => world?.close());

  const waitForUnsupported = async (id: string, reason: string) => {
    const { claims, drift, inventory } = await waitFor(
      async () => readContainer(await world.collector.collect(), id),
      (each) => each.claims.status === 'unsupported',
    );
    assert.ok(claims.scan.limits.includes(`unsupported:${reason}`), String(claims.scan.limits));
    assert.deepEqual([claims.scan.complete, drift, inventory, claims.image.manifest], [false, null, null, null]);
  };

  it('have their ids mapped by a user namespace of their own', async () => {
    // The ids inside have no right of their own in a directory that is root's alone.
    await chmod(world.containerd.directory, 0o711);
    const maps = ['--uidmap', '0:100000:65536', '--gidmap', '0:100000:65536'];
    const container = await world.containerd.run({ image: NAME, flags: maps });
    await waitForUnsupported(container.id, 'userNamespace');
    await world.containerd.remove(container);
  });

  it('were made for a runtime that is not there, such as kata or gVisor', async () => {
    for (const runtime of ['io.containerd.kata.v2', 'io.containerd.runsc.v1']) {
      const id = runtime.split('.')[2] ?? '';
      await world.containerd.ctr(['containers', 'create', '--runtime', runtime, NAME, id]);
      await waitForUnsupported(id, `runtime:${runtime}`);
      await world.containerd.ctr(['containers', 'rm', id]);
    }
  });

  it('do not keep those of other shims, of one or of several containers, from being read', async () => {
    const { containerd } = world;
    const v1 = await containerd.run({ image: NAME, flags: ['--runtime', 'io.containerd.runc.v1'] });
    const others = [await containerd.run({ image: NAME }), await containerd.run({ image: NAME })];
    for (const { id } of [v1, ...others]) {
      const { claims } = await waitFor(
        async () => readContainer(await world.collector.collect(), id),
        (each) => each.claims.scan.complete && each.claims.status === 'running',
      );
      assert.deepEqual(
        claims.image.layers.map(({ proof }) => proof),
        ['content'],
      );
    }
    for (const container of [v1, ...others]) await containerd.remove(container);
  });

  it('lie in a snapshotter that keeps whole copies', async () => {
    await world.containerd.ctr(['snapshots', '--snapshotter', 'native', 'ls']);
    const container = await world.containerd.run({ image: NAME, flags: ['--snapshotter', 'native'] });
    await waitForUnsupported(container.id, 'snapshotter:native');
    await world.containerd.remove(container);
  });
});
