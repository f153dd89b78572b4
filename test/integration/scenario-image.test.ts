import assert from 'node:assert/strict';
import { execFile } from 'node:child_process';
import { join } from 'node:path';
import { after, before, describe, it } from 'node:test';
import { promisify } from 'node:util';
import { AttestationStatus, type Result } from '@holdfast/proto';
import { type OciImage, whyNoContainerd } from '@holdfast/scripts';
import { missingSwtpm } from '../support/swtpm.ts';
import { type ScenarioContainer, sha256 } from './scenario-container.ts';
import { describeBusyboxImage } from './scenario-images.ts';
import { type ScenarioWorld, startScenarioWorld } from './scenario-world.ts';

const skip = missingSwtpm() ?? (await whyNoContainerd()) ?? false;
const run = promisify(execFile);

describe('images and containers that change under an agent', { skip, timeout: 300_000 }, () => {
  let world: ScenarioWorld;
  let image: OciImage;
  let other: OciImage;

  before(async () => {
    world = await startScenarioWorld();
    const app = (content: string) => [{ path: 'app/data', content, mode: 0o640 }];
    image = await world.addImage(await describeBusyboxImage('one', app('first content')));
    other = await world.addImage(await describeBusyboxImage('two', app('other content')));
  });
  after(() => world?.close());

  /** Directory of a container's top layer on the host. */
  async function findTopLayer({ container }: ScenarioContainer): Promise<string> {
    const mounts = await world.containerd.ctr(['snapshots', 'mounts', '/x', container.id]);
    return /lowerdir=([^:,\s]+)/.exec(mounts)?.[1] ?? '';
  }

  it('11: one byte of a lower layer changed on the host, times put back, is named with chain and hashes', async () => {
    const victim = await world.start(image.name);
    const bystander = await world.start(other.name);
    const file = join(await findTopLayer(victim), 'app/data');
    // By other processes: the agent's own writes are left out of what it watches.
    await run('sh', ['-ec', 'cp -p "$0" "$0.keep"; mv "$0.keep" "$1"', file, join(world.containerd.directory, 'kept')]);
    await run('sh', ['-ec', 'printf F | dd of="$0" conv=notrunc status=none; touch -r "$1" "$0"', file, kept()]);
    const finding = { code: 'LAYER_MODIFIED', path: '/app/data', expected: sha256('first content') };
    await victim.expectFindings([{ ...finding, actual: sha256('First content') }]);
    const named = victim.read()?.findings.find(({ code }) => code === 'LAYER_MODIFIED');
    assert.match(named?.message ?? '', new RegExp(` Chain ${await readChainId(victim)}, sha256\\.$`));
    assert.equal(victim.read()?.status, AttestationStatus.CONTRAINDICATED);
    await bystander.expectAffirming();
    await run('sh', ['-ec', 'printf f | dd of="$0" conv=notrunc status=none; touch -r "$1" "$0"', file, kept()]);
    await victim.expectAffirming();
    await victim.remove();
    await bystander.remove();
  });

  const kept = () => join(world.containerd.directory, 'kept');

  /** chainID of a container's top layer: the name of the parent of its snapshot. */
  async function readChainId({ container }: ScenarioContainer): Promise<string> {
    const info: { Parent: string } = JSON.parse(await world.containerd.ctr(['snapshots', 'info', container.id]));
    return info.Parent;
  }

  it('11: a file added to a lower layer, taken from it, or made setuid there is named', async () => {
    const victim = await world.start(image.name);
    const top = await findTopLayer(victim);
    await run('sh', ['-ec', 'cd "$0"; echo x > app/extra; mv app/data "$1"; chmod 4755 etc/os-release', top, kept()]);
    await victim.expectFindings([
      { code: 'LAYER_MODIFIED', path: '/app/data', expected: 'file' },
      { code: 'LAYER_MODIFIED', path: '/app/extra', actual: 'file' },
      { code: 'LAYER_MODIFIED', path: '/etc/os-release', expected: '0644', actual: '4755' },
    ]);
    await run('sh', ['-ec', 'cd "$0"; rm app/extra; mv "$1" app/data; chmod 644 etc/os-release', top, kept()]);
    await victim.expectAffirming();
    await victim.remove();
  });

  it('15: its name moved to another image, a container is still the one that was started', async () => {
    await world.containerd.ctr(['images', 'tag', image.name, 'docker.io/holdfast/moving:1']);
    const container = await world.start('docker.io/holdfast/moving:1');
    assert.equal(container.read()?.manifestDigest, image.manifestDigest);
    await world.containerd.ctr(['images', 'tag', '--force', other.name, 'docker.io/holdfast/moving:1']);
    await container.expectFindings([{ code: 'IMAGE_RETAGGED', actual: 'docker.io/holdfast/moving:1' }]);
    assert.equal(container.read()?.manifestDigest, image.manifestDigest);
    assert.equal(container.read()?.status, AttestationStatus.AFFIRMING);
    const later = await world.start('docker.io/holdfast/moving:1');
    assert.equal(later.read()?.manifestDigest, other.manifestDigest);
    await world.containerd.ctr(['images', 'tag', '--force', image.name, 'docker.io/holdfast/moving:1']);
    await container.expectAffirming();
    await container.remove();
    await later.remove();
  });

  it('15: a restarted container keeps what was changed in it, a new one of the same name starts clean', async () => {
    const container = await world.start(image.name, { id: 'again' });
    await container.run('echo changed > /app/data');
    const finding = { code: 'IMAGE_FILE_MODIFIED', path: '/app/data', expected: sha256('first content') };
    await container.expectFindings([{ ...finding, actual: sha256('changed\n') }]);
    await world.containerd.ctr(['tasks', 'rm', '--force', 'again']);
    await world.containerd.ctr(['tasks', 'start', '--detach', 'again']);
    await container.expectFindings([{ ...finding, actual: sha256('changed\n') }]);
    await container.remove();
    await world.waitFor(({ containers }) => !containers.some(({ id }) => id === 'again'), 'again is gone');
    const successor = await world.start(other.name, { id: 'again' });
    assert.equal(successor.read()?.manifestDigest, other.manifestDigest);
    await successor.remove();
  });

  it('15: a command that is run inside changes nothing of what the container is', async () => {
    const container = await world.start(image.name);
    // That it was run is told where it lived long enough to be seen.
    const describe = () => ({ ...container.read(), findings: container.listFindings() });
    const before = describe();
    await container.run('cat /app/data; ls -R /bin > /dev/null');
    await world.waitForRounds(3);
    assert.deepEqual(describe(), before);
    await container.remove();
  });

  it('15: a container that lives for a second is attested while it lives, and what it did is named', async () => {
    const args = ['sh', '-c', 'echo changed > /app/data; sleep 1'];
    const id = (await world.containerd.run({ image: image.name, id: 'brief', args })).id;
    await world.waitFor(
      ({ containers }) =>
        containers.some((row) => row.id === id && row.findings.some(({ code }) => code === 'IMAGE_FILE_MODIFIED')),
      'the change in the container that lived for a second',
    );
    const isStopped = (codes: string[]) => codes.includes('CONTAINER_STOPPED') && codes.includes('IMAGE_FILE_MODIFIED');
    await world.waitFor(
      ({ containers }) => containers.some((row) => row.id === id && isStopped(row.findings.map(({ code }) => code))),
      'the container has stopped, and its change stands',
    );
    await world.containerd.ctr(['tasks', 'rm', id]);
    await world.containerd.ctr(['containers', 'rm', id]);
  });

  it('15: containers that come and go at once are told of or named as losses, never neither, and leave no good result', async () => {
    const ids = Array.from({ length: 12 }, (_none, at) => `gone-${at}`);
    for (const id of ids) await world.containerd.ctr(['run', '--rm', image.name, id, 'sh', '-c', ':']);
    const isLost = ({ findings }: Result, id: string) =>
      findings.some(({ actual }) => actual === `NOT_CAPTURED:${id}` || actual === `NOT_OBSERVED:${id}`);
    await world.waitFor(
      (result) => ids.every((id) => world.toldContainers.has(id) || isLost(result, id)),
      'each of them was told of, or is a loss',
    );
    await world.waitFor(({ containers }) => containers.every(({ id }) => !ids.includes(id)), 'none of them is left');
  });
});
