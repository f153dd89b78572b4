import assert from 'node:assert/strict';
import { existsSync } from 'node:fs';
import { readFile } from 'node:fs/promises';
import { after, afterEach, before, describe, it } from 'node:test';
import { whyNoContainerd } from '@holdfast/scripts';
import { missingSwtpm } from '../support/swtpm.ts';
import { compileActor, whyNoCompiler } from './actor-program.ts';
import { type ScenarioContainer, sha256 } from './scenario-container.ts';
import { describeBusyboxImage } from './scenario-images.ts';
import { type ScenarioWorld, startScenarioWorld } from './scenario-world.ts';

const skip = missingSwtpm() ?? (await whyNoContainerd()) ?? (await whyNoCompiler()) ?? false;
const LIBRARY = '/usr/lib/libtool.so';
const RUNTIME = ['/usr/sbin/runc', '/usr/bin/runc', '/usr/local/sbin/runc'].find(existsSync) ?? '/usr/sbin/runc';
/** Without it the runtime does not start in an image that has no C library. */
const LINKER = '/lib64/ld-linux-x86-64.so.2';
const canPose = process.arch === 'x64' && existsSync(RUNTIME) && existsSync(LINKER);
const CONTENT = '\x7fELF';

describe('evasions, each tried inside a container', { skip, timeout: 300_000 }, () => {
  let world: ScenarioWorld;
  let image: string;
  let actor: string;
  let container: ScenarioContainer;

  before(async () => {
    const program = await compileActor();
    actor = sha256(program);
    world = await startScenarioWorld();
    const entries = [
      { path: 'app/actor', content: program, mode: 0o755 },
      { path: 'decoy/actor', content: program, mode: 0o755 },
      { path: LIBRARY.slice(1), content: CONTENT },
      { path: 'usr/bin/tool', content: '#!/bin/sh\n', mode: 0o755 },
    ];
    if (canPose) {
      entries.push({ path: 'srv/runc', content: await readFile(RUNTIME), mode: 0o644 });
      entries.push({ path: LINKER.slice(1), content: await readFile(LINKER), mode: 0o755 });
    }
    ({ name: image } = await world.addImage(await describeBusyboxImage('evasion', entries)));
  });
  after(async () => await world?.close());
  afterEach(async () => await container.remove());

  /** The library after so many stores to its first byte. */
  const stored = (times: number) => ({
    code: 'EXECUTABLE_MODIFIED',
    path: LIBRARY,
    expected: sha256(CONTENT),
    actual: sha256(Buffer.from(String.fromCharCode(0x7f + times) + CONTENT.slice(1), 'latin1')),
  });

  it('A17: a process in a chroot is named, and what changes outside of it is found as ever', async () => {
    container = await world.start(image);
    await container.detach('/app/actor', 'chroot', '/decoy', '/actor');
    const decoy = { code: 'FOREIGN_ROOT', path: '/decoy/actor', actual: actor };
    // The program that goes there is still itself until it executes the one that it finds.
    const before = { code: 'FOREIGN_ROOT', path: '/app/actor', actual: actor };
    await container.expectFindings([decoy], [before]);
    const expected = await container.hash('/usr/bin/tool');
    await container.run("printf '#!/bin/sh\\nevil\\n' > /usr/bin/tool");
    const actual = await container.hash('/usr/bin/tool');
    const modified = { code: 'EXECUTABLE_MODIFIED', path: '/usr/bin/tool', expected, actual };
    await container.expectFindings([decoy, modified], [before]);
  });

  it('A17: a first process that changes its own root is named, and nothing of the image counts as proven', async () => {
    const script = 'while [ ! -e /run/go ]; do sleep 0.1; done; exec /app/actor chroot /decoy /actor';
    container = await world.start(image, { args: ['sh', '-c', script] });
    await container.run('touch /run/go');
    await container.expectAmong({ code: 'FOREIGN_ROOT', path: '/decoy/actor', actual: actor });
    await container.expectStatus('NONE');
  });

  it('A18: a process that mounts over the image in a mount namespace of its own is named, and the mount', async () => {
    container = await world.start(image, { flags: ['--cap-add', 'CAP_SYS_ADMIN'] });
    await container.detach('/app/actor', 'cover', '/usr/bin');
    await container.expectFindings([
      { code: 'FOREIGN_MOUNT_NAMESPACE', path: '/app/actor', actual: actor },
      { code: 'MOUNT_OVER_IMAGE', path: '/usr/bin', actual: 'tmpfs' },
    ]);
  });

  it('A19: stores through a shared mapping are found, the second as well, of which not even a time tells', async () => {
    container = await world.start(image);
    await container.detach('/app/actor', 'share', LIBRARY);
    await container.expectAmong({ code: 'EXEC_PROCESS', path: '/app/actor', actual: actor });
    await container.expectAffirming();
    for (const times of [1, 2]) {
      await container.run('killall -USR1 actor');
      await container.expectFindings([stored(times)]);
    }
  });

  it('A20: a program that is dropped, run and removed within a millisecond is named', async () => {
    container = await world.start(image);
    await container.run('/app/actor brief /app/actor /tmp/brief');
    await world.waitFor(() => container.listFindings()?.some(({ path }) => path === '/tmp/brief') === true, 'brief');
    await world.waitForRounds(2);
    const seen = container.listFindings()?.filter(({ path }) => path !== '/run');
    // On a machine that is slow enough its bytes are read before it goes.
    const caught = [{ code: 'CODE_FROM_UPPER', path: '/tmp/brief', actual: actor }];
    assert.deepEqual(
      seen,
      seen?.[0]?.actual === undefined ? [{ code: 'TRANSIENT_EXECUTABLE', path: '/tmp/brief' }] : caught,
    );
    await container.expectStatus('CONTRAINDICATED');
  });

  it("A22: code that was put into a process with the bytes of the host's runtime is named", {
    skip: !canPose,
  }, async () => {
    container = await world.start(image);
    await container.detach('/app/actor', 'pose', '/srv/runc');
    const posed = { code: 'FILELESS_EXECUTION', path: '/memfd:runc', actual: sha256(await readFile(RUNTIME)) };
    await container.expectFindings([posed]);
  });

  it('A23: a program from a mount that was taken away is not told as the one of the image with the same path', async () => {
    container = await world.start(image, { flags: ['--cap-add', 'CAP_SYS_ADMIN'] });
    const hidden = '/tmp/hidden/app/actor';
    await container.run(`mkdir -p /tmp/hidden/app /run/x; cp /app/actor ${hidden}; echo evil >> ${hidden}`);
    const actual = await container.hash(hidden);
    await container.detach('/app/actor', 'detached', '/tmp/hidden', '/run/x', './app/actor');
    await container.expectAmong({ code: 'EXECUTABLE_ADDED', path: hidden, actual });
    await container.expectAmong({ code: 'CODE_OF_UNKNOWN_ORIGIN', path: '/app/actor', actual });
  });

  it('A24: code at a path that is longer than the kernel names is told with its hash', async () => {
    container = await world.start(image);
    await container.detach('/app/actor', 'deep', '/app/actor');
    const code = { code: 'CODE_OF_UNKNOWN_ORIGIN', path: '/(name too long)', actual: actor };
    await container.expectAmong(code);
  });

  it('A21: a program whose main thread ended while another one goes on is named', async () => {
    container = await world.start(image);
    await container.detach('/app/actor', 'memfd', 'kworker', '/app/actor', 'headless');
    await container.expectFindings([{ code: 'FILELESS_EXECUTION', path: '/memfd:kworker', actual: actor }]);
  });

  it('A21: behind a first process whose main thread ended, mounts and mount namespaces are seen as ever', async () => {
    const isHeadless = '[ -e /run/go ] && ! readlink /proc/1/exe';
    const other = `until ${isHeadless}; do sleep 0.1; done; mount -t tmpfs none /decoy; exec /app/actor cover /usr/bin`;
    const script = `(${other}) & until [ -e /run/go ]; do sleep 0.1; done; exec /app/actor headless`;
    container = await world.start(image, { args: ['sh', '-c', script], flags: ['--cap-add', 'CAP_SYS_ADMIN'] });
    await container.run('touch /run/go');
    await container.expectFindings([
      { code: 'FOREIGN_MOUNT_NAMESPACE', path: '/app/actor', actual: actor },
      { code: 'MOUNT_OVER_IMAGE', path: '/decoy', actual: 'tmpfs' },
      { code: 'MOUNT_OVER_IMAGE', path: '/usr/bin', actual: 'tmpfs' },
    ]);
  });

  it('A5: what keeps its scanner from finishing is not decided, and nobody else waits for it', async () => {
    const quiet = await world.start(image);
    container = await world.start(image);
    await container.run('mkdir -p /opt; busybox truncate -s 3G /opt/stall; chmod 755 /opt/stall');
    await container.detach('sh', '-c', 'while :; do touch /opt/stall; sleep 0.2; done');
    await container.expectAmong({ code: 'SCAN_PENDING' });
    assert.deepEqual(
      quiet.read()?.findings.map(({ code }) => code),
      ['VOLUME_UNPROVEN'],
    );
    await quiet.run('cp /app/actor /tmp/drop');
    await quiet.expectFindings([{ code: 'EXECUTABLE_ADDED', path: '/tmp/drop', actual: actor }]);
    await quiet.remove();
  });
});
