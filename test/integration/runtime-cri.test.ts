import assert from 'node:assert/strict';
import { after, before, describe, it } from 'node:test';
import { whyNoContainerd } from '@holdfast/scripts';
import { listDrift, waitFor } from './container-world.ts';
import { type CriWorld, NAMESPACE, type Pod, startCriWorld } from './cri-world.ts';

const skip = (await whyNoContainerd()) ?? false;
const IMAGE = { image: 'docker.io/holdfast/app:1' };

describe('containers that were made through the CRI', { skip, timeout: 300_000 }, () => {
  let world: CriWorld;
  let pod: Pod;

  before(async () => {
    world = await startCriWorld();
    await world.addImage('app', ['FROM_IMAGE=1']);
    pod = await world.runPod('web-0', { 'app.kubernetes.io/name': 'web', 'pod-template-hash': 'abc' });
  });
  after(() => world?.close());

  it('have the identity of their pod with its labels, and their sandbox is one', async () => {
    const id = await world.runContainer(pod, { metadata: { name: 'app' }, image: IMAGE });
    const { claims } = await waitFor(
      () => world.look(id),
      (each) => each.claims.status === 'running',
    );
    assert.deepEqual(claims.scan, { complete: true, limits: [], timed: false });
    const { metadata } = pod.config;
    const labels = { 'app.kubernetes.io/name': 'web' };
    assert.deepEqual(claims.pod, { namespace: 'shop', name: 'web-0', uid: metadata?.uid, labels });
    assert.deepEqual([claims.name, claims.namespace, claims.sandbox, claims.attempt], ['app', NAMESPACE, false, 0]);
    const sandbox = (await world.look(pod.sandboxId)).claims;
    assert.deepEqual([sandbox.sandbox, sandbox.pod?.uid, sandbox.attempt], [true, metadata?.uid, 0]);
    assert.deepEqual(sandbox.scan.limits, []);
    await world.removeContainer(id);
  });

  it('tell their attempt when they are made again, each with its own id', async () => {
    const first = await world.runContainer(pod, { metadata: { name: 'again', attempt: 0 }, image: IMAGE });
    await world.removeContainer(first);
    const second = await world.runContainer(pod, { metadata: { name: 'again', attempt: 1 }, image: IMAGE });
    const { claims } = await waitFor(
      () => world.look(second),
      (each) => each.claims.status === 'running',
    );
    assert.deepEqual([claims.attempt, claims.name, claims.scan.limits], [1, 'again', []]);
    await world.removeContainer(second);
  });

  it('stay when they end by themselves, as init containers do, and a second one runs beside them', async () => {
    const init = await world.runContainer(pod, {
      metadata: { name: 'init' },
      image: IMAGE,
      command: ['sh', '-c', 'echo x > /made'],
    });
    const debug = await world.runContainer(pod, { metadata: { name: 'debugger' }, image: IMAGE });
    const ended = await waitFor(
      () => world.look(init),
      (each) => each.claims.status === 'stopped' && each.drift !== null,
    );
    assert.deepEqual([ended.claims.name, ended.claims.process?.argsFrom], ['init', 'pod']);
    assert.deepEqual(listDrift(ended), ['added /made']);
    const beside = await world.look(debug);
    assert.deepEqual([beside.claims.status, beside.claims.pod?.uid], ['running', pod.config.metadata?.uid]);
    await world.removeContainer(init);
    await world.removeContainer(debug);
  });

  it('tell their security context and mounts, arguments and variables of the pod', async () => {
    const id = await world.runContainer(pod, {
      metadata: { name: 'tight' },
      image: IMAGE,
      args: ['sleep', '99999'],
      envs: [{ key: 'FROM_POD', value: '1' }],
      mounts: [{ containerPath: '/bin/extra', hostPath: world.containerd.directory, readonly: true }],
      linux: {
        securityContext: {
          readonlyRootfs: true,
          noNewPrivs: true,
          namespaceOptions: { network: 2 },
          capabilities: { dropCapabilities: ['ALL'] },
        },
      },
    });
    const { claims } = await waitFor(
      () => world.look(id),
      (each) => each.claims.status === 'running' && each.claims.mounts.length > 0,
    );
    const { readonlyRootfs, noNewPrivileges, capabilities, privileged } = claims.security ?? {};
    assert.deepEqual([readonlyRootfs, noNewPrivileges, capabilities, privileged], [true, true, [], false]);
    assert.deepEqual(claims.process?.args, ['sleep', '99999']);
    assert.equal(claims.process?.argsFrom, 'pod');
    for (const name of ['FROM_POD', 'FROM_IMAGE', 'PATH']) assert.ok(claims.process?.envNames.includes(name), name);
    assert.deepEqual(claims.process?.imageEnvNames, ['FROM_IMAGE', 'PATH']);
    const mount = claims.mounts.find(({ path }) => path === '/bin/extra');
    assert.deepEqual([mount?.inSpec, mount?.readonly], [true, true]);
    assert.deepEqual(claims.scan.limits, []);
    await world.removeContainer(id);
  });

  it('are no more than some of the containers: one made beside the CRI in its namespace is told without a pod', async () => {
    const { containerd } = world;
    const container = await containerd.run({ image: IMAGE.image, namespace: NAMESPACE });
    const { claims } = await waitFor(
      () => world.look(container.id),
      (each) => each.claims.status === 'running',
    );
    assert.deepEqual([claims.pod, claims.attempt, claims.scan.limits], [null, undefined, []]);
    await containerd.remove(container);
  });

  it('contradict themselves when their labels in containerd were changed, and that is named', async () => {
    const id = await world.runContainer(pod, { metadata: { name: 'forged' }, image: IMAGE });
    await waitFor(
      () => world.look(id),
      (each) => each.claims.status === 'running',
    );
    await world.containerd.ctr(['containers', 'label', id, 'io.kubernetes.pod.uid=another'], NAMESPACE);
    const { claims } = await waitFor(
      () => world.look(id),
      (each) => each.claims.scan.limits.length > 0,
    );
    assert.deepEqual([claims.scan.complete, claims.scan.limits], [false, ['cri:pod']]);
    await world.removeContainer(id);
  });
});
