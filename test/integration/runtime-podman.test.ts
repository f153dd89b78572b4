import assert from 'node:assert/strict';
import { appendFile, readFile, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { after, before, describe, it } from 'node:test';
import { fileURLToPath } from 'node:url';
import { proveLayerByTarSplit, startAgent } from '@holdfast/agent';
import { parseClaimsSet } from '@holdfast/evidence';
import { type LayerSource, listBusyboxEntries, type OciImage, type OciLayer } from '@holdfast/scripts';
import { missingSwtpm, startSwtpm } from '../support/swtpm.ts';
import { createAgentWorld } from './agent-world.ts';
import { listDrift, waitFor } from './container-world.ts';
import { listTestLayers, makeTemporaryDirectory, run } from './layer-fixtures.ts';
import { type PodmanWorld, startPodmanWorld, whyNoPodman } from './podman-world.ts';

const skip = (await whyNoPodman()) ?? missingSwtpm() ?? false;
const HOLDFAST = fileURLToPath(new URL('../../scripts/holdfast', import.meta.url));
const IDLE = ['sleep', '100000'];
const NAME = 'localhost/holdfast/app:1';

async function describeImage(name: string, content: string) {
  const layers = [
    { entries: await listBusyboxEntries() },
    {
      entries: [
        { path: 'app/data', content },
        { path: 'app/tool', content: 'tool' },
      ],
    },
  ];
  return { name, layers, config: { Cmd: IDLE, Env: ['FROM_IMAGE=1'] } };
}

/** A store refuses tars that name a path twice. */
function leaveOutDuplicates(layer: LayerSource): LayerSource {
  if (!('entries' in layer)) return layer;
  return { entries: new Map([...layer.entries].map((entry) => [String(entry.path), entry])).values() };
}

describe('containers of podman', { skip, timeout: 300_000 }, () => {
  let world: PodmanWorld;
  let image: OciImage;

  before(async () => {
    world = await startPodmanWorld(async ({ addImage }) => {
      image = await addImage(await describeImage(NAME, 'one'));
    });
  });
  after(() => world.close());

  const findLayer = async (diffId: string): Promise<string> => {
    const rows: unknown = JSON.parse(await readFile(join(world.root, 'overlay-layers/layers.json'), 'utf8'));
    assert.ok(Array.isArray(rows));
    const row: { id: string } | undefined = rows.find((each) => each['diff-digest'] === diffId);
    return row?.id ?? assert.fail('the layer is not in the store');
  };
  /** Runs the image's own command and waits until nothing about it is in motion. */
  const runSettled = async () => {
    const container = await world.run(NAME, []);
    await waitFor(
      () => world.look(container.id),
      ({ claims }) => claims.status === 'running' && claims.scan.complete,
    );
    return container;
  };
  const lowerOf = async (index: number) => await findLayer(image.layers[index]?.diffId ?? '');

  it('are attested down to the manifest, each layer by tar-split', async () => {
    const { id } = await runSettled();
    const { claims, drift } = await world.look(id);
    assert.deepEqual([claims.scan.complete, claims.scan.limits], [true, []]);
    assert.deepEqual([claims.status, claims.runtime, claims.sandbox], ['running', 'runc', false]);
    assert.equal(claims.image.manifest, image.manifestDigest);
    assert.equal(claims.image.config, image.configDigest);
    assert.equal(claims.image.reference, NAME);
    assert.equal(claims.image.retagged, false);
    const layers = image.layers.map(({ diffId }) => ({ diffId, proof: 'tarSplit' }));
    assert.deepEqual(
      claims.image.layers.map(({ diffId, proof }) => ({ diffId, proof })),
      layers,
    );
    assert.equal(claims.process?.argsFrom, 'image');
    assert.deepEqual(drift?.relevant, []);
    assert.deepEqual(world.collector.runtimes(), [{ name: 'containers-storage', version: '' }]);
    await world.remove(id);
  });

  it('are told of when a file of the image or a new program lies in the writable layer', async () => {
    const { id } = await runSettled();
    await world.podman(['exec', id, 'sh', '-c', 'echo two > /app/data; cp /bin/busybox /tmp.bin']);
    const seen = await waitFor(
      () => world.look(id),
      (each) => listDrift(each).includes('modified /app/data') && listDrift(each).includes('added /tmp.bin'),
    );
    assert.deepEqual(listDrift(seen), ['modified /app/data', 'added /tmp.bin']);
    await world.remove(id);
  });

  it('are not proven while a byte of a lower layer is another one on the host, its times put back', async () => {
    const { id } = await runSettled();
    const file = join(world.root, 'overlay', await lowerOf(1), 'diff/app/data');
    // By another process: what the collector's own does raises no event.
    const write = (text: string) =>
      run('sh', ['-c', 'touch -r "$1" "$1.t"; printf %s "$2" > "$1"; touch -r "$1.t" "$1"; rm "$1.t"', '', file, text]);
    await write('onE');
    const { claims } = await waitFor(
      () => world.look(id),
      (each) => each.claims.image.layers[1]?.proof === 'none',
    );
    assert.deepEqual(claims.scan.limits, ['layerContent:/app/data']);
    assert.equal(claims.image.layers[0]?.proof, 'tarSplit');
    await write('one');
    await waitFor(
      () => world.look(id),
      (each) => each.claims.image.layers[1]?.proof === 'tarSplit' && each.claims.scan.complete,
    );
    await world.remove(id);
  });

  it('say that they are paused, stopped and started again, and are gone when removed', async () => {
    const { id } = await world.run(NAME, []);
    const waitForStatus = async (wanted: string) =>
      await waitFor(
        () => world.look(id),
        ({ claims }) => claims.status === wanted && claims.scan.complete,
      );
    await world.podman(['pause', id]);
    await waitForStatus('paused');
    await world.podman(['unpause', id]);
    await waitForStatus('running');
    await world.podman(['stop', '--time', '0', id]);
    const { claims } = await waitForStatus('stopped');
    assert.deepEqual([claims.scan.complete, claims.scan.limits], [true, []]);
    await world.podman(['start', id]);
    await waitForStatus('running');
    await world.remove(id);
    await waitFor(
      () => world.settle(),
      ({ index }) => index.containers[id] === undefined,
    );
  });

  it('stay what they are when their image’s name is moved', async () => {
    const { id } = await runSettled();
    await world.addImage(await describeImage('localhost/holdfast/other:1', 'two'));
    await world.podman(['tag', NAME, 'localhost/holdfast/kept:1']);
    await world.podman(['tag', 'localhost/holdfast/other:1', NAME]);
    const { claims } = await waitFor(
      () => world.look(id),
      (each) => each.claims.image.retagged,
    );
    assert.equal(claims.image.manifest, image.manifestDigest);
    const { limits } = (await world.settle()).index;
    const unseen = limits.filter((limit) => limit.startsWith('NOT_OBSERVED'));
    assert.deepEqual(unseen, [], 'an image that came is no container that went');
    await world.podman(['tag', 'localhost/holdfast/kept:1', NAME]);
    await world.remove(id);
  });

  it('that live for an instant are seen or named as a loss, never neither', async () => {
    const before = new Set((await world.collector.collect()).index.limits);
    const { id } = await world.run(NAME, ['sh', '-c', 'true'], ['--rm']);
    const wanted = [`NOT_CAPTURED:${id}`, `NOT_OBSERVED:${id}`];
    await waitFor(
      async () => (await world.collector.collect()).index,
      (index) => index.containers[id] !== undefined || wanted.some((loss) => index.limits.includes(loss)),
    );
    assert.ok(wanted.every((loss) => !before.has(loss)));
  });

  it('are told by the command as the agent tells them', async () => {
    const { id } = await runSettled();
    const runtime = `containers-storage:${world.root}+${world.runRoot}`;
    const { stdout } = await run(HOLDFAST, ['container', id.slice(0, 12), '--runtime', runtime, '--json']);
    const { containers } = JSON.parse(stdout);
    assert.deepEqual(
      containers.map(({ id: each, verdict }: Record<string, string>) => [each, verdict]),
      [[id, 'unchanged']],
    );
    const outcome = await run(HOLDFAST, ['doctor', '--tpm', 'none', '--runtime', runtime, '--json']).catch(
      (error) => error,
    );
    const { checks } = JSON.parse(outcome.stdout);
    const check = checks.find(({ id: each }: { id: string }) => each === 'runtime.storage');
    assert.deepEqual([check.status, check.detail], ['works', `${world.root} holds 1 containers of podman or CRI-O`]);
    await world.remove(id);
  });

  it('are in the evidence of an agent whose settings name their store', async (test) => {
    const { id } = await runSettled();
    const swtpm = await startSwtpm({ ekCertificates: false });
    test.after(() => swtpm.close());
    const agents = await createAgentWorld();
    test.after(() => agents.close());
    agents.peer.isCurious = true;
    const { root, runRoot } = world;
    const agent = await startAgent(
      agents.configure({ tpm: { tcti: swtpm.tcti }, runtime: { containersStorage: { root, runRoot } } }),
    );
    test.after(() => agent.close());
    const readClaims = async () => {
      const index = agents.peer.rounds.findLast(({ sets }) => sets.has('containers'))?.sets.get('containers');
      assert.ok(
        index !== undefined,
        `no round of ${agents.peer.rounds.length} told of containers: ${agents.peer.failures.join('; ')}`,
      );
      const digest = parseClaimsSet(index, 'containers').containers[id] ?? '';
      const set = agents.peer.contents.get(digest);
      assert.ok(set !== undefined, 'the container is not told of yet');
      return parseClaimsSet(set, 'container', id);
    };
    const claims = await waitFor(readClaims, ({ scan }) => scan.complete);
    assert.equal(claims.image.manifest, image.manifestDigest);
    assert.ok(claims.image.layers.every(({ proof }) => proof === 'tarSplit'));
    await world.remove(id);
  });

  it('with owners mapped for a user namespace are unsupported, never clean', async () => {
    const { id } = await world.run(NAME, [], ['--uidmap', '0:100000:65536', '--gidmap', '0:100000:65536']);
    const { claims } = await waitFor(
      () => world.look(id),
      (each) => each.claims.scan.limits.includes('unsupported:userNamespace'),
    );
    assert.equal(claims.status, 'unsupported');
    assert.equal(claims.scan.complete, false);
    await world.remove(id);
  });

  it('are proven with links, devices, whiteouts, opaque directories and capabilities in their layers, sparse files never', async (test) => {
    const exotic = await world.addImage({
      name: 'localhost/holdfast/layers:1',
      layers: (await listTestLayers(await makeTemporaryDirectory(test))).map(leaveOutDuplicates),
    });
    const prove = async ({ diffId }: OciLayer) => {
      const id = await findLayer(diffId);
      const tarSplit = join(world.root, 'overlay-layers', `${id}.tar-split.gz`);
      return await proveLayerByTarSplit({ tarSplit, diffId, directory: join(world.root, 'overlay', id, 'diff') });
    };
    for (const layer of exotic.layers.slice(0, 2)) {
      const result = await prove(layer);
      assert.deepEqual(result.differences, []);
      assert.equal(result.proof, 'tarSplit');
    }
    // tar-split does not keep where their holes were.
    for (const layer of exotic.layers.slice(2)) await assert.rejects(prove(layer), { name: 'EvidenceError' });
  });

  it('have a layer that is not proven by a tar-split file of another layer or a broken one', async () => {
    const [low, top] = [await lowerOf(0), await lowerOf(1)];
    const diffId = image.layers[1]?.diffId ?? assert.fail('no layer');
    const directory = join(world.root, 'overlay', top, 'diff');
    const other = join(world.root, 'overlay-layers', `${low}.tar-split.gz`);
    await assert.rejects(
      async () => {
        const { proof } = await proveLayerByTarSplit({ tarSplit: other, diffId, directory });
        assert.equal(proof, 'none');
        throw Object.assign(new Error('differences'), { code: 'ERR_EVIDENCE_DIGEST' });
      },
      { code: 'ERR_EVIDENCE_DIGEST' },
    );
    const file = join(world.root, 'overlay-layers', `${top}.tar-split.gz`);
    const whole = await readFile(file);
    await writeFile(file, whole.subarray(0, whole.length - 20));
    await assert.rejects(proveLayerByTarSplit({ tarSplit: file, diffId, directory }), {
      code: 'ERR_EVIDENCE_MALFORMED',
    });
    await writeFile(file, whole);
    await appendFile(join(directory, 'app/tool'), '!');
    const grown = await proveLayerByTarSplit({ tarSplit: file, diffId, directory });
    assert.deepEqual(
      grown.differences.map(({ path, field }) => [path, field]),
      [
        ['/app/tool', 'size'],
        ['/app/tool', 'sha256'],
      ],
    );
    await writeFile(join(directory, 'app/tool'), 'tool');
    // No tar names this directory.
    await run('chmod', ['777', join(directory, 'app')]);
    const opened = await proveLayerByTarSplit({ tarSplit: file, diffId, directory });
    assert.deepEqual(opened.differences, [{ path: '/app', field: 'mode', expected: '0755', actual: '0777' }]);
    await run('chmod', ['755', join(directory, 'app')]);
    assert.equal((await proveLayerByTarSplit({ tarSplit: file, diffId, directory })).proof, 'tarSplit');
  });
});

describe('a container store that keeps its layers in another way', { skip, timeout: 120_000 }, () => {
  it('is unsupported, never clean, where copied files may lack their content', async () => {
    const prepare = async ({ addImage }: Pick<PodmanWorld, 'addImage'>) =>
      await addImage(await describeImage(NAME, 'one'));
    const world = await startPodmanWorld(prepare, 'overlay', 'nodev,metacopy=on');
    try {
      const { id } = await world.run(NAME, []);
      const { claims } = await waitFor(
        () => world.look(id),
        (each) => each.claims.scan.limits.includes('unsupported:metacopy'),
      );
      assert.deepEqual([claims.status, claims.scan.complete], ['unsupported', false]);
    } finally {
      await world.close();
    }
  });

  it('has its containers listed as unsupported, never clean', async () => {
    let made = '';
    const world = await startPodmanWorld(async ({ addImage, podman }) => {
      await addImage(await describeImage(NAME, 'one'));
      made = await podman(['create', '--network', 'none', NAME]);
    }, 'vfs');
    try {
      const { claims } = await world.look(made);
      assert.equal(claims.status, 'unsupported');
      assert.ok(claims.scan.limits.includes('unsupported:storageDriver:vfs'), String(claims.scan.limits));
      assert.equal(claims.scan.complete, false);
    } finally {
      await world.close();
    }
  });
});
