import assert from 'node:assert/strict';
import { createHash } from 'node:crypto';
import { after, before, describe, it } from 'node:test';
import type { OciImage } from '@holdfast/scripts';
import { listBusyboxEntries, type RunningContainer, whyNoContainerd } from '@holdfast/scripts';
import { type ContainerWorld, findDrift, listDrift, startContainerWorld } from './container-world.ts';

const skip = (await whyNoContainerd()) ?? false;
const sha256 = (text: string) => createHash('sha256').update(text).digest('hex');

describe('changes in a running container', { skip, timeout: 300_000 }, () => {
  let world: ContainerWorld;
  let image: OciImage;
  let container: RunningContainer;

  before(async () => {
    world = await startContainerWorld();
    image = await world.containerd.addImage({
      name: 'docker.io/holdfast/drift:1',
      layers: [
        { entries: await listBusyboxEntries() },
        {
          entries: [
            { path: 'app', type: 'directory' },
            { path: 'app/config.json', content: '{"a":1}' },
            { path: 'app/tool', content: 'tool', mode: 0o755 },
            { path: 'usr', type: 'directory' },
            { path: 'usr/share', type: 'directory' },
            { path: 'usr/share/doc', type: 'directory' },
            { path: 'usr/share/doc/a', content: 'a' },
            { path: 'usr/share/doc/sub', type: 'directory' },
            { path: 'usr/share/doc/sub/b', content: 'b' },
          ],
        },
      ],
      config: { Cmd: ['sleep', '100000'] },
    });
  });
  after(() => world.close());

  async function change(script: string): Promise<void> {
    container = await world.containerd.run({ image: image.name });
    assert.deepEqual(listDrift(await world.look(container.id)), []);
    await world.containerd.exec(container, ['sh', '-c', script]);
  }

  async function seeAndRemove() {
    const seen = await world.look(container.id);
    await world.containerd.remove(container);
    return seen;
  }

  it('a fresh container is complete, proven and without drift', async () => {
    await change('true');
    const seen = await seeAndRemove();
    assert.deepEqual(seen.claims.scan, { complete: true, limits: [], timed: false });
    assert.deepEqual(
      seen.claims.image.layers.map(({ proof }) => proof),
      ['content', 'content'],
    );
    assert.equal(seen.claims.image.manifest, image.manifestDigest);
    assert.equal(seen.claims.image.config, image.configDigest);
    assert.deepEqual(seen.claims.driftCounts, { relevant: 0, other: 0 });
    assert.deepEqual(seen.inventory, seen.baseline);
  });

  it('a file that is written, appended or replaced is modified, with both hashes', async () => {
    await change('echo x >> /app/config.json; echo new > /app/n; mv /app/n /app/tool');
    const seen = await seeAndRemove();
    assert.deepEqual(listDrift(seen), ['modified /app/config.json', 'modified /app/tool']);
    const entry = findDrift(seen, '/app/config.json');
    assert.equal(entry.before?.sha256, sha256('{"a":1}'));
    assert.equal(entry.after?.sha256, sha256('{"a":1}x\n'));
  });

  it('chmod alone changes attributes and not content', async () => {
    await change('chmod 666 /app/config.json');
    const seen = await seeAndRemove();
    assert.deepEqual(listDrift(seen), ['attributes /app/config.json']);
    const entry = findDrift(seen, '/app/config.json');
    assert.deepEqual([entry.before?.mode, entry.after?.mode], ['644', '666']);
    assert.equal(entry.after?.sha256, sha256('{"a":1}'));
  });

  it('chmod and back is no drift', async () => {
    await change('chmod 600 /app/config.json; chmod 644 /app/config.json; touch /app/tool');
    const seen = await seeAndRemove();
    assert.deepEqual(listDrift(seen), []);
    assert.deepEqual(seen.claims.driftCounts, { relevant: 0, other: 0 });
  });

  it('a setuid bit is named', async () => {
    await change('chmod 4755 /app/tool');
    const seen = await seeAndRemove();
    assert.ok(findDrift(seen, '/app/tool').reasons.includes('setuid'));
  });

  it('a removed file and a removed tree are named down to each file', async () => {
    await change('rm /app/tool; rm -r /usr/share/doc');
    const seen = await seeAndRemove();
    assert.deepEqual(listDrift(seen), [
      'removed /app/tool',
      'removed /usr/share/doc',
      'removed /usr/share/doc/a',
      'removed /usr/share/doc/sub',
      'removed /usr/share/doc/sub/b',
    ]);
    assert.equal(findDrift(seen, '/usr/share/doc/sub/b').before?.sha256, sha256('b'));
  });

  it('a directory that was removed and made again is opaque', async () => {
    await change('rm -r /usr/share/doc; mkdir /usr/share/doc; printf a > /usr/share/doc/a');
    assert.deepEqual(listDrift(await seeAndRemove()), [
      'opaque /usr/share/doc',
      'removed /usr/share/doc/sub',
      'removed /usr/share/doc/sub/b',
    ]);
  });

  it('new directories and files outside the data places are named, logs and caches counted', async () => {
    await change(
      'mkdir -p /opt/x /var/log/app /var/cache; echo 1 > /opt/x/f; echo l > /var/log/app/l; echo c > /var/cache/c',
    );
    const seen = await seeAndRemove();
    assert.deepEqual(listDrift(seen), ['added /opt', 'added /opt/x', 'added /opt/x/f']);
    assert.deepEqual(seen.drift?.other.byDirectory, {
      '/var/cache': { entries: 2, bytes: 2 },
      '/var/log': { entries: 3, bytes: 2 },
    });
  });

  it('a program dropped in /tmp is an executable, and gone again it is no drift', async () => {
    await change('cp /bin/busybox /tmp/drop; cp /bin/busybox /tmp/noexec; chmod 600 /tmp/noexec');
    const seen = await world.look(container.id);
    assert.deepEqual(listDrift(seen), ['added /tmp/drop', 'added /tmp/noexec']);
    assert.ok(findDrift(seen, '/tmp/drop').reasons.includes('executable'));
    assert.deepEqual(findDrift(seen, '/tmp/noexec').reasons, ['elf']);
    await world.containerd.exec(container, ['rm', '/tmp/drop', '/tmp/noexec']);
    assert.deepEqual(listDrift(await seeAndRemove()), []);
  });

  it('a device, a link and a pipe are told apart', async () => {
    await change('mkdir -p /opt; ln -s /etc/passwd /opt/l; busybox mkfifo /opt/p; busybox mknod /tmp/d c 1 3');
    const seen = await seeAndRemove();
    assert.equal(findDrift(seen, '/opt/l').after?.target, '/etc/passwd');
    assert.deepEqual(findDrift(seen, '/opt/p').reasons, ['newEntry', 'specialFile']);
    assert.deepEqual(findDrift(seen, '/tmp/d').reasons, ['device']);
  });

  it('names that are not UTF-8 are told without loss', async () => {
    await change('touch "/app/$(printf \'a\\377b%%\')"');
    assert.deepEqual(listDrift(await seeAndRemove()), ['added /app/a%FFb%25']);
  });

  it('a tree made to harm its reader is bounded, and each limit is named', async () => {
    const quiet = await world.containerd.run({ image: image.name });
    const first = await world.look(quiet.id);
    const deep = Array.from({ length: 1_500 }, () => 'd').join('/');
    await change(`mkdir -p /opt; cd /opt; mkdir -p ${deep}; cd ${deep}; mkdir -p ${deep}`);
    const seen = await seeAndRemove();
    assert.equal(seen.claims.scan.complete, false);
    assert.ok(seen.claims.scan.limits.includes('drift:depth'), seen.claims.scan.limits.join());
    assert.equal(seen.drift?.complete, false);
    assert.ok((await world.look(quiet.id)).bytes.equals(first.bytes));
    await world.containerd.remove(quiet);
  });

  it('a sparse file of a terabyte is named and not read', async () => {
    await change('mkdir -p /opt; busybox truncate -s 1024G /opt/sparse; ln -s /proc/1/root/etc/shadow /opt/out');
    const seen = await seeAndRemove();
    assert.deepEqual(seen.claims.scan.limits, ['drift:fileBytes:/opt/sparse']);
    assert.equal(findDrift(seen, '/opt/out').after?.target, '/proc/1/root/etc/shadow');
    assert.equal(findDrift(seen, '/opt/out').after?.sha256, undefined);
  });

  it('an untouched container stays byte for byte the same beside one that changes', async () => {
    const quiet = await world.containerd.run({ image: image.name });
    const first = await world.look(quiet.id);
    await change('echo x > /app/config.json');
    assert.equal(listDrift(await seeAndRemove()).length, 1);
    const second = await world.look(quiet.id);
    assert.ok(first.bytes.equals(second.bytes));
    await world.containerd.remove(quiet);
  });
});
