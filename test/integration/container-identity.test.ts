import assert from 'node:assert/strict';
import { execFile } from 'node:child_process';
import { access, readFile } from 'node:fs/promises';
import { createServer } from 'node:http';
import { join } from 'node:path';
import { after, before, describe, it } from 'node:test';
import { promisify } from 'node:util';
import { AgentError, createContainerCollector } from '@holdfast/agent';
import type { ContainerClaims } from '@holdfast/evidence';
import type { OciImage } from '@holdfast/scripts';
import { listBusyboxEntries, startContainerd, type TestContainerd, whyNoContainerd } from '@holdfast/scripts';
import { type ContainerWorld, listDrift, readContainer, startContainerWorld, waitFor } from './container-world.ts';

const run = promisify(execFile);
const skip = (await whyNoContainerd()) ?? false;
const IDLE = { Cmd: ['sleep', '100000'] };

async function addImage(containerd: TestContainerd, name: string, content: string, config = IDLE): Promise<OciImage> {
  const layers = [{ entries: await listBusyboxEntries() }, { entries: [{ path: 'app', content }] }];
  return await containerd.addImage({ name: `docker.io/holdfast/${name}:1`, layers, config });
}

describe('which image a container runs', { skip, timeout: 300_000 }, () => {
  let world: ContainerWorld;
  before(async () => {
    world = await startContainerWorld();
  });
  after(() => world.close());

  it('is found through a nested index, with every digest', async () => {
    const layers = [{ entries: await listBusyboxEntries() }];
    const image = await world.containerd.addImage({
      name: 'docker.io/holdfast/nested:1',
      layers,
      config: IDLE,
      nestedIndex: true,
    });
    const container = await world.containerd.run({ image: image.name });
    const { claims } = await world.look(container.id);
    assert.equal(claims.image.index, image.indexDigest);
    assert.equal(claims.image.manifest, image.manifestDigest);
    assert.equal(claims.image.config, image.configDigest);
    assert.equal(claims.image.chainId, image.layers[0]?.diffId);
    assert.deepEqual(claims.image.platform?.os, 'linux');
    assert.equal(claims.process?.argsFrom, 'image');
    await world.containerd.remove(container);
  });

  it('stays the same when its name is moved to another image', async () => {
    const [image, other] = [
      await addImage(world.containerd, 'moved', 'one'),
      await addImage(world.containerd, 'other', 'two'),
    ];
    const container = await world.containerd.run({ image: image.name });
    const first = await world.look(container.id);
    await world.containerd.ctr(['images', 'tag', '--force', other.name, image.name]);
    const claims = await waitFor(
      async () => (await world.look(container.id)).claims,
      ({ image: { retagged } }) => retagged,
    );
    assert.deepEqual({ ...claims.image, retagged: false, via: {} }, { ...first.claims.image, via: {} });
    assert.equal(first.claims.image.retagged, false);
    assert.equal(claims.image.retagged, true);
    assert.equal(claims.image.manifest, image.manifestDigest);
    assert.deepEqual(claims.scan.limits, []);
    await world.containerd.remove(container);
  });

  it('is found although its name was moved before the agent ever looked', async (test) => {
    const [image, other] = [
      await addImage(world.containerd, 'early', 'one'),
      await addImage(world.containerd, 'late', 'two'),
    ];
    await world.containerd.ctr(['images', 'tag', image.name, 'docker.io/holdfast/kept:1']);
    const container = await world.containerd.run({ image: image.name });
    await world.containerd.ctr(['images', 'tag', '--force', other.name, image.name]);
    const fresh = await createContainerCollector({ address: world.containerd.address });
    test.after(() => fresh.close());
    await fresh.start();
    const { claims } = readContainer(await fresh.collect(), container.id);
    assert.equal(claims.image.manifest, image.manifestDigest);
    assert.equal(claims.image.via['manifest'], 'images');
    assert.equal(claims.image.retagged, true);
    await world.containerd.remove(container);
  });

  it('tells a command that is not the image’s own', async () => {
    const image = await addImage(world.containerd, 'command', 'x');
    const container = await world.containerd.run({ image: image.name, args: ['sleep', '99999'] });
    const { claims } = await world.look(container.id);
    assert.deepEqual([claims.process?.argsFrom, claims.process?.args], ['pod', ['sleep', '99999']]);
    await world.containerd.remove(container);
  });

  it('is proven for seventy layers, whose lower directories are relative', async () => {
    const busybox = { entries: await listBusyboxEntries() };
    const small = Array.from({ length: 69 }, (_layer, at) => ({
      entries: [
        { path: `layers/${at}`, content: `${at}` },
        { path: 'last', content: `${at}` },
      ],
    }));
    const image = await world.containerd.addImage({
      name: 'docker.io/holdfast/seventy:1',
      layers: [busybox, ...small],
      config: IDLE,
    });
    const container = await world.containerd.run({ image: image.name });
    const mountinfo = await readFile(`/proc/${container.pid}/mountinfo`, 'utf8');
    assert.match(mountinfo, /lowerdir=\d+\/fs:/);
    const seen = await world.look(container.id);
    assert.equal(seen.claims.image.manifest, image.manifestDigest);
    assert.equal(seen.claims.rootfs.lowerCount, 70);
    assert.ok(seen.claims.image.layers.every(({ proof }) => proof === 'content'));
    assert.deepEqual(seen.claims.scan.limits, []);
    await world.containerd.exec(container, ['sh', '-c', 'echo x > /last; rm /layers/3']);
    assert.deepEqual(listDrift(await world.look(container.id)), ['modified /last', 'removed /layers/3']);
    await world.containerd.remove(container);
  });

  it('one byte of a lower layer changed on the host with its times put back is named', async () => {
    const image = await addImage(world.containerd, 'tampered', 'honest words');
    const container = await world.containerd.run({ image: image.name });
    assert.deepEqual((await world.look(container.id)).claims.scan.limits, []);
    const mounts = await world.containerd.ctr(['snapshots', 'mounts', '/x', container.id]);
    const lower = /lowerdir=([^:,\s]+)/.exec(mounts)?.[1] ?? '';
    // By another process: the agent's own writes are left out of what it watches.
    const script =
      'touch -r "$0" /tmp/times.$$; printf H | dd of="$0" conv=notrunc 2>&1; touch -r /tmp/times.$$ "$0"; rm /tmp/times.$$';
    await run('sh', ['-c', script, join(lower, 'app')]);
    const claims = await waitFor(
      async () => (await world.look(container.id)).claims,
      ({ scan }) => scan.limits.length > 0,
    );
    assert.deepEqual(claims.scan.limits, ['layerContent:/app']);
    assert.equal(claims.image.layers[1]?.proof, 'none');
    assert.equal(claims.image.layers[0]?.proof, 'content');
    await world.containerd.remove(container);
  });

  it('a directory that no tar names is compared with the layer below, also when that was changed and put back', async () => {
    const image = await world.containerd.addImage({
      name: 'docker.io/holdfast/implied:1',
      layers: [
        { entries: [...(await listBusyboxEntries()), { path: 'srv', type: 'directory', mode: 0o750, uid: 7 }] },
        { entries: [{ path: 'srv/new/app', content: 'app' }] },
      ],
      config: IDLE,
    });
    const container = await world.containerd.run({ image: image.name });
    const mounts = await world.containerd.ctr(['snapshots', 'mounts', '/x', container.id]);
    const [above, below] = /lowerdir=([^,\s]+)/.exec(mounts)?.[1]?.split(':') ?? [];
    assert.ok(below !== undefined && above !== undefined);
    const change = async (directory: string, mode: string, isClean: boolean) => {
      await run('chmod', [mode, join(directory, 'srv')]);
      const isAsExpected = ({ scan }: ContainerClaims) => (scan.limits.length === 0) === isClean;
      const claims = await waitFor(async () => (await world.look(container.id)).claims, isAsExpected);
      assert.deepEqual([...new Set(claims.scan.limits)], isClean ? [] : ['layerContent:/srv']);
      return claims.image.layers.map(({ proof }) => proof);
    };
    assert.deepEqual(await change(above, '750', true), ['content', 'content']);
    assert.deepEqual(await change(above, '777', false), ['content', 'none']);
    assert.deepEqual(await change(above, '750', true), ['content', 'content']);
    assert.equal((await change(below, '777', false))[0], 'none');
    assert.deepEqual(await change(below, '750', true), ['content', 'content']);
    await world.containerd.remove(container);
  });

  it('a layer whose blob was discarded is of first use, never proven', async () => {
    const image = await addImage(world.containerd, 'discarded', 'blob gone');
    const digest = image.layers[1]?.digest ?? '';
    const blob = join(
      world.containerd.directory,
      'root/io.containerd.content.v1.content/blobs',
      digest.replace(':', '/'),
    );
    await access(blob);
    await world.containerd.ctr(['content', 'rm', digest]);
    // The file itself goes a little later, and until then it still proves the layer.
    await waitFor(
      () =>
        access(blob).then(
          () => true,
          () => false,
        ),
      (isThere) => !isThere,
    );
    const container = await world.containerd.run({ image: image.name });
    const { claims } = await world.look(container.id);
    assert.deepEqual(
      claims.image.layers.map(({ proof }) => proof),
      ['content', 'firstUse'],
    );
    assert.equal(claims.image.manifest, image.manifestDigest);
    await world.containerd.remove(container);
  });

  it('a container without a package database has an inventory that says so', async () => {
    const image = await addImage(world.containerd, 'bare', 'x');
    const container = await world.containerd.run({ image: image.name });
    const seen = await world.look(container.id);
    assert.deepEqual([seen.inventory?.databases, seen.inventory?.packages, seen.inventory?.complete], [[], [], true]);
    await world.containerd.remove(container);
  });

  it('containers of other namespaces, made but not started, stopped or paused are all told', async () => {
    const image = await addImage(world.containerd, 'states', 'x');
    await world.containerd.importLayout(image.directory, 'elsewhere');
    const other = await world.containerd.run({ image: image.name, namespace: 'elsewhere', id: 'same-id' });
    const mine = await world.containerd.run({ image: image.name, id: 'same-id' });
    await world.containerd.ctr(['containers', 'create', image.name, 'created']);
    await world.containerd.ctr(['tasks', 'pause', 'same-id']);
    const snapshot = await world.settle();
    assert.equal(readContainer(snapshot, 'same-id').claims.namespace, 'elsewhere');
    const paused = readContainer(snapshot, `same-id__${world.containerd.namespace}`).claims;
    assert.equal(paused.status, 'paused');
    const created = readContainer(snapshot, 'created').claims;
    assert.deepEqual([created.status, created.image.manifest], ['stopped', image.manifestDigest]);
    await world.containerd.ctr(['tasks', 'resume', 'same-id']);
    await world.containerd.remove(other);
    await world.containerd.remove(mine);
    await world.containerd.ctr(['containers', 'rm', 'created']);
  });

  it('a snapshotter that is not read is unsupported and never clean', async () => {
    const image = await addImage(world.containerd, 'native', 'x');
    await world.containerd.ctr(['images', 'unpack', '--snapshotter', 'native', image.name]).catch(() => undefined);
    const container = await world.containerd.run({ image: image.name, flags: ['--snapshotter', 'native'] });
    const claims = await waitFor(
      async () => readContainer(await world.collector.collect(), container.id).claims,
      ({ status }) => status === 'unsupported',
    );
    assert.deepEqual([claims.inventory, claims.drift, claims.scan.complete], [null, null, false]);
    assert.ok(claims.scan.limits.includes('unsupported:snapshotter:native'));
    await world.containerd.remove(container);
  });

  it('a process in a mount namespace of its own is told, and so is one with another root', async () => {
    const image = await addImage(world.containerd, 'foreign', 'x');
    const flags = ['--cap-add', 'CAP_SYS_ADMIN'];
    const container = await world.containerd.run({ image: image.name, flags });
    const detached = ['tasks', 'exec', '--detach', '--exec-id'];
    await world.containerd.ctr([...detached, 'u', container.id, 'busybox', 'unshare', '-m', 'sleep', '1000']);
    await world.containerd.ctr([
      ...detached,
      'c',
      container.id,
      'busybox',
      'chroot',
      '/tmp/../bin',
      '/busybox',
      'sleep',
      '1000',
    ]);
    const foreign = await waitFor(
      async () => (await world.look(container.id)).claims.running?.foreign ?? [],
      (found) => found.length === 2,
    );
    assert.deepEqual(
      foreign.map(({ path, origin, sees }) => [path, origin, sees]),
      [
        ['/bin/busybox', 'layer', 'otherMounts'],
        ['/bin/busybox', 'layer', 'otherRoot'],
      ],
    );
    await world.containerd.remove(container);
  });

  it('a mount made later over a path of the image is not in the specification and covers it', async () => {
    const image = await addImage(world.containerd, 'covered', 'x');
    const container = await world.containerd.run({ image: image.name, flags: ['--cap-add', 'CAP_SYS_ADMIN'] });
    await world.containerd.exec(container, ['busybox', 'mount', '-t', 'tmpfs', 'none', '/bin']);
    const mount = await waitFor(
      async () => (await world.look(container.id)).claims.mounts.find(({ path }) => path === '/bin'),
      (found) => found?.coversImage === true,
    );
    assert.deepEqual([mount?.inSpec, mount?.coversImage, mount?.fsType], [false, true, 'tmpfs']);
    await world.containerd.remove(container);
  });
});

describe('a runtime that is not there', { skip, timeout: 60_000 }, () => {
  const codeOf = async (address: string) => {
    const collector = await createContainerCollector({ address });
    const error = await collector.start().then(
      () => undefined,
      (thrown: unknown) => thrown,
    );
    await collector.close();
    return error instanceof AgentError ? error.code : String(error);
  };

  it('is refused with the reason: nothing there, no socket, another service', async () => {
    assert.equal(await codeOf('/run/holdfast-nothing.sock'), 'ERR_AGENT_RUNTIME_ADDRESS');
    assert.equal(await codeOf('/etc/hostname'), 'ERR_AGENT_RUNTIME_ADDRESS');
    const server = createServer((_request, response) => response.end('hello'));
    const socket = `/tmp/holdfast-http-${process.pid}.sock`;
    await new Promise<void>((resolve) => server.listen(socket, resolve));
    assert.equal(await codeOf(socket), 'ERR_AGENT_RUNTIME_SERVICE');
    server.close();
    server.closeAllConnections();
  });

  it('that goes away leaves what was known and names the limit', async (test) => {
    const containerd = await startContainerd();
    test.after(() => containerd.close());
    const image = await addImage(containerd, 'gone', 'x');
    const container = await containerd.run({ image: image.name });
    const collector = await createContainerCollector({ address: containerd.address, sweepMs: 100, pollMs: 50 });
    test.after(() => collector.close());
    await collector.start();
    await waitFor(
      async () => readContainer(await collector.collect(), container.id).claims.scan.complete,
      (complete) => complete,
    );
    // Without removing anything first, as a crash of the runtime would.
    await containerd.kill();
    const relisted = await waitFor(
      async () => await collector.collect(),
      ({ index }) => index.limits.includes('runtime:unavailable'),
    );
    assert.equal(Object.keys(relisted.index.containers).length, 1);
  });
});
