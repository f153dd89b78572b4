import { mkdir, mkdtemp, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { after, afterEach, before, describe, it } from 'node:test';
import { whyNoContainerd } from '@holdfast/scripts';
import { missingSwtpm } from '../support/swtpm.ts';
import { compileActor, whyNoCompiler } from './actor-program.ts';
import { type ScenarioContainer, sha256 } from './scenario-container.ts';
import { describeBusyboxImage } from './scenario-images.ts';
import { type ScenarioWorld, startScenarioWorld } from './scenario-world.ts';

const skip = missingSwtpm() ?? (await whyNoContainerd()) ?? (await whyNoCompiler()) ?? false;
const LIBRARY = '/usr/lib/libtool.so';

describe('code that runs and is not of the image', { skip, timeout: 300_000 }, () => {
  let world: ScenarioWorld;
  let work: string;
  let image: string;
  let program: Buffer;
  let actor: string;
  let container: ScenarioContainer;

  before(async () => {
    work = await mkdtemp(join(tmpdir(), 'holdfast-running-'));
    program = await compileActor();
    actor = sha256(program);
    world = await startScenarioWorld();
    const entries = [
      { path: 'app/actor', content: program, mode: 0o755 },
      { path: LIBRARY.slice(1), content: '\x7fELF of the image' },
      { path: 'usr/bin/tool', content: '#!/bin/sh\n', mode: 0o755 },
      { path: 'data', type: 'directory' as const },
    ];
    ({ name: image } = await world.addImage(await describeBusyboxImage('running', entries)));
  });
  after(async () => {
    await world?.close();
    await rm(work, { recursive: true, force: true });
  });
  afterEach(async () => await container.remove());

  /** A directory of the host for a container to mount. */
  async function makeVolume(name: string): Promise<string> {
    const directory = join(work, name);
    await mkdir(directory);
    await writeFile(join(directory, 'tool'), program, { mode: 0o755 });
    return directory;
  }

  it('3: a program dropped on a tmpfs or in /tmp is named when it runs, and stays named when it is gone', async () => {
    container = await world.start(image);
    await container.run('cp /app/actor /run/drop');
    await container.expectAffirming();
    await container.detach('/run/drop');
    const onTmpfs = { code: 'CODE_FROM_MEMORY', path: '/run/drop', actual: actor };
    await container.expectFindings([onTmpfs]);
    await container.run('cp /app/actor /tmp/drop');
    await container.detach('/tmp/drop');
    const added = { code: 'EXECUTABLE_ADDED', path: '/tmp/drop', actual: actor };
    const ran = { code: 'CODE_FROM_UPPER', path: '/tmp/drop', actual: actor };
    await container.expectFindings([onTmpfs, added, ran]);
    // Until it is gone it would truly run without its file.
    const ended = 'while killall -q -0 drop; do sleep 0.1; done';
    await container.run(`killall drop; ${ended}; rm /tmp/drop /run/drop`);
    await container.expectFindings([onTmpfs, ran]);
  });

  it('8: a program in a memfd is named with its hash', async () => {
    container = await world.start(image);
    await container.detach('/app/actor', 'memfd', 'kworker', '/app/actor');
    await container.expectFindings([{ code: 'FILELESS_EXECUTION', path: '/memfd:kworker', actual: actor }]);
  });

  it('10: a library that was changed is named, and that a program has it mapped', async () => {
    container = await world.start(image);
    const expected = await container.hash(LIBRARY);
    await container.run(`printf '\\177ELF of somebody else' > ${LIBRARY}`);
    const actual = await container.hash(LIBRARY);
    const changed = { code: 'EXECUTABLE_MODIFIED', path: LIBRARY, expected, actual };
    await container.expectFindings([changed]);
    await container.detach('/app/actor', 'map', LIBRARY);
    await container.expectFindings([changed, { code: 'CODE_FROM_UPPER', path: LIBRARY, actual }]);
  });

  it('13: a bind mount over a path of the image is named, and gone again it is none', async () => {
    container = await world.start(image, { flags: ['--privileged'] });
    await container.run('cp /bin/busybox /run/tool; mount -o bind /run/tool /usr/bin/tool');
    await container.expectFindings([{ code: 'MOUNT_OVER_IMAGE', path: '/usr/bin/tool', actual: 'tmpfs' }]);
    await container.run('umount /usr/bin/tool');
    await container.expectAffirming();
  });

  it('14: a program that runs from a volume is named with its hash', async () => {
    const volume = await makeVolume('volume');
    const mount = `type=bind,src=${volume},dst=/mnt,options=rbind:rw`;
    container = await world.start(image, { flags: ['--mount', mount] });
    await container.detach('/mnt/tool');
    await container.expectFindings([{ code: 'CODE_FROM_VOLUME', path: '/mnt/tool', actual: actor }]);
  });

  it('a library that is preloaded by the environment of a process is named', async () => {
    container = await world.start(image);
    await container.detach('sh', '-c', 'LD_PRELOAD=/tmp/evil.so exec /app/actor');
    const actual = 'LD_PRELOAD=/tmp/evil.so';
    await container.expectFindings([{ code: 'PRELOAD_IN_ENVIRONMENT', path: '/app/actor', actual }]);
  });

  it('a program that runs on after its file was removed is named with its hash', async () => {
    container = await world.start(image);
    await container.run('cp /app/actor /tmp/gone');
    await container.detach('/tmp/gone');
    const ran = { code: 'CODE_FROM_UPPER', path: '/tmp/gone', actual: actor };
    await container.expectFindings([{ code: 'EXECUTABLE_ADDED', path: '/tmp/gone', actual: actor }, ran]);
    await container.run('rm /tmp/gone');
    await container.expectFindings([ran, { code: 'CODE_DELETED', path: '/tmp/gone', actual: actor }]);
  });

  it('executable memory is told, and is allowed', async () => {
    container = await world.start(image);
    await container.detach('/app/actor', 'anonymous');
    await container.expectFindings([{ code: 'ANONYMOUS_CODE', path: '/app/actor', actual: actor }]);
    await container.expectStatus('AFFIRMING');
  });

  it('a command that was put into the container is told, at a terminal it is a warning', async () => {
    container = await world.start(image);
    await container.detach('/app/actor');
    await container.expectAmong({ code: 'EXEC_PROCESS', path: '/app/actor', actual: actor });
    await container.expectStatus('AFFIRMING');
    await container.openTerminal('/app/actor');
    await container.expectFindings([{ code: 'EXEC_TERMINAL', path: '/app/actor', actual: actor }]);
    await container.expectStatus('WARNING');
  });

  it('a container that is started anew is affirming again', async () => {
    container = await world.start(image);
    await container.run('cp /app/actor /run/drop');
    await container.detach('/run/drop');
    await container.expectFindings([{ code: 'CODE_FROM_MEMORY', path: '/run/drop', actual: actor }]);
    await container.restart();
    await container.expectAffirming();
  });
});
