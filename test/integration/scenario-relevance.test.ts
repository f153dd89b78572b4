import assert from 'node:assert/strict';
import { after, before, describe, it } from 'node:test';
import { AttestationStatus } from '@holdfast/proto';
import { whyNoContainerd } from '@holdfast/scripts';
import { missingSwtpm } from '../support/swtpm.ts';
import { type ExpectedFinding, type ScenarioContainer, sha256 } from './scenario-container.ts';
import { describeBusyboxImage } from './scenario-images.ts';
import { type ScenarioWorld, startScenarioWorld } from './scenario-world.ts';

const skip = missingSwtpm() ?? (await whyNoContainerd()) ?? false;

const UPLOADS = '/var/lib/app/uploads';
const VENV = '/data/venv/lib/python3/site-packages';
const SHELL = '<?php system($_GET[0]);';
const KEY = 'ssh-ed25519 AAAA nobody';

/** Content by path: what is code or trust although it lies where an application keeps its data, and its finding. */
const RELEVANT: readonly [code: string, path: string, content: string][] = [
  ['EXECUTABLE_ADDED', `${UPLOADS}/a.php`, SHELL],
  ['EXECUTABLE_ADDED', `${UPLOADS}/b.gif`, `GIF89a${SHELL}`],
  ['EXECUTABLE_ADDED', `${UPLOADS}/c.jpg`, `${'x'.repeat(30_000)}${SHELL}`],
  ['FILE_ADDED', `${UPLOADS}/.htaccess`, 'AddType application/x-httpd-php .jpg'],
  ['EXECUTABLE_ADDED', `${UPLOADS}/d.shtml`, 'words'],
  ['EXECUTABLE_ADDED', `${UPLOADS}/e.txt`, '<!--#exec cmd="id" -->'],
  ['EXECUTABLE_ADDED', `${UPLOADS}/f.docx`, 'PK\x03\x04\x0a\0 META-INF/MANIFEST.MF'],
  ['AUTOSTART_CHANGED', '/var/spool/cron/crontabs/root', '* * * * * /tmp/x'],
  ['EXECUTABLE_ADDED', `${VENV}/x.pth`, 'import os'],
  ['EXECUTABLE_ADDED', '/tmp/run', '#!/bin/sh\nid\n'],
  ['EXECUTABLE_ADDED', '/var/cache/x', '\x7fELF'],
  ['CREDENTIALS_CHANGED', '/var/lib/app/.ssh/authorized_keys', KEY],
  ['AUTOSTART_CHANGED', '/var/lib/app/.bashrc', 'id'],
  ['CREDENTIALS_CHANGED', '/etc/sudoers.d/x', 'x ALL=(ALL) NOPASSWD: ALL'],
  ['PRELOAD_CONFIGURED', '/etc/ld.so.preload', '/tmp/x.so'],
  ['PRELOAD_CONFIGURED', '/etc/ld.so.conf.d/x.conf', '/tmp'],
  ['CA_STORE_MODIFIED', '/data/jvm/lib/security/cacerts', 'words'],
];

/** Directories that are named themselves: outside the data places, or places of code and trust. */
const DIRECTORIES: readonly [code: string, path: string][] = [
  ['AUTOSTART_CHANGED', '/var/spool/cron'],
  ['AUTOSTART_CHANGED', '/var/spool/cron/crontabs'],
  ['DIRECTORY_ADDED', VENV],
  ['CREDENTIALS_CHANGED', '/var/lib/app/.ssh'],
  ['CREDENTIALS_CHANGED', '/etc/sudoers.d'],
  ['PRELOAD_CONFIGURED', '/etc/ld.so.conf.d'],
];

describe('what of the changes in a container is relevant', { skip, timeout: 300_000 }, () => {
  let world: ScenarioWorld;
  let container: ScenarioContainer;

  before(async () => {
    world = await startScenarioWorld();
    const entries = [
      { path: 'data', type: 'directory' as const },
      { path: 'var/lib/app/state', content: 'of the image' },
    ];
    const { name } = await world.addImage(await describeBusyboxImage('relevance', entries));
    container = await world.start(name);
  });
  after(() => world?.close());

  /** Writes files by a command inside, whatever bytes they hold. */
  async function write(files: readonly (readonly [path: string, content: string])[]): Promise<void> {
    const lines = files.map(([path, content]) => {
      const hex = Buffer.from(content, 'latin1').toString('base64');
      return `mkdir -p "${path.slice(0, path.lastIndexOf('/'))}"; echo ${hex} | busybox base64 -d > "${path}"`;
    });
    await container.run(lines.join('\n'));
  }

  it('code and trust are, in a data place too, each by its name', async () => {
    await write(RELEVANT.map(([, path, content]) => [path, content]));
    const files = RELEVANT.map(([code, path, content]): ExpectedFinding => {
      return { code, path, actual: sha256(Buffer.from(content, 'latin1')) };
    });
    await container.expectFindings([...files, ...DIRECTORIES.map(([code, path]) => ({ code, path }))]);
    const made = '/var/lib/app/uploads /var/lib/app/.ssh /var/lib/app/.bashrc /var/spool /data/venv /data/jvm';
    await container.run(`rm -r ${made} /tmp/run /var/cache /etc/sudoers.d /etc/ld.so.preload /etc/ld.so.conf.d`);
    await container.expectAffirming();
  });

  it('logs, caches, sessions and pictures are not', async () => {
    const logs =
      'mkdir -p /var/log/app; for n in 1 2 3 4 5; do echo "GET /$n 200" >> /var/log/app/access.log; sleep 0.1; done';
    await container.run(`${logs}; mv /var/log/app/access.log /var/log/app/access.log.1; : > /var/log/app/access.log`);
    await write([
      ['/var/cache/nginx/a/bc/0123', 'KEY: http\n\0\0'],
      ['/tmp/sess_0123456789', 'user|s:1:"x";'],
      ['/var/lib/app/uploads/a.jpg', `\xff\xd8\xff\xe0\0\x10JFIF${'\x01'.repeat(20_000)}\xff\xd9`],
      ['/var/lib/app/uploads/a.docx', 'PK\x03\x04\x0a\0 [Content_Types].xml'],
      ['/var/lib/app/db.sqlite', 'SQLite format 3\0'],
      ['/data/state.json', '{"a": 1}'],
      ['/run/app.pid', '17'],
    ]);
    await world.waitForRounds(4);
    await container.expectAffirming();
  });

  it('a file of the image is, wherever it lies', async () => {
    await container.run('echo more >> /var/lib/app/state');
    const [expected, actual] = [sha256('of the image'), sha256('of the imagemore\n')];
    await container.expectFindings([{ code: 'IMAGE_FILE_MODIFIED', path: '/var/lib/app/state', expected, actual }]);
    await container.run('printf "of the image" > /var/lib/app/state');
    await container.expectAffirming();
  });

  it('one among many that are not is found within seconds', async () => {
    const churn =
      'n=0; while [ $n -lt 2000 ]; do n=$((n + 1)); echo $n >> /var/log/app/access.log; echo $n > /tmp/f$n; done';
    await Promise.all([container.run(churn), write([['/var/lib/app/uploads/z.php', SHELL]])]);
    const path = '/var/lib/app/uploads/z.php';
    await container.expectAmong({ code: 'EXECUTABLE_ADDED', path, actual: sha256(SHELL) });
    // A fast machine passes the rate from which a container is looked at by the clock, which is told for a minute; a scan
    // while it writes tells that files changed under it, until the next one.
    const listOthers = () =>
      container.listFindings()?.flatMap(({ code }) => (code === 'SCAN_TIMED' ? [] : [code])) ?? [];
    await world.waitFor(() => !listOthers().includes('SCAN_INCOMPLETE'), 'all is read');
    assert.deepEqual(listOthers(), ['EXECUTABLE_ADDED', 'VOLUME_UNPROVEN']);
    await container.run(`rm ${path}`);
    await world.waitFor(() => container.read()?.status === AttestationStatus.AFFIRMING, 'affirming again');
  });

  it('a program written into a known file is, while very much is written beside it', async () => {
    const path = '/var/cache/app/7.dat';
    // Many times the rate from which a container is looked at by the clock, over few files, for some twelve seconds.
    const noise =
      'cd /var/cache/app; end=$(($(date +%s) + 12)); while [ $(date +%s) -lt $end ]; do n=0; while [ $n -lt 3000 ]; do echo $n >> $((n % 20)).dat; n=$((n + 1)); done; for f in *.dat; do [ $f = 7.dat ] || : > $f; done; done';
    await container.run('mkdir -p /var/cache/app; for n in $(seq 0 19); do echo data > /var/cache/app/$n.dat; done');
    const noisy = container.run(noise);
    const isTimed = () => container.listFindings()?.some(({ code }) => code === 'SCAN_TIMED') === true;
    await world.waitFor(isTimed, 'looked at by the clock');
    await container.run(`printf '#!/bin/sh\nid\n' > ${path}`);
    const isNamed = () => {
      return (
        container.listFindings()?.some((found) => found.code === 'EXECUTABLE_ADDED' && found.path === path) === true
      );
    };
    await world.waitFor(isNamed, 'the program is named');
    await noisy;
    await container.run('rm -r /var/cache/app');
    await world.waitFor(() => container.read()?.status === AttestationStatus.AFFIRMING, 'affirming again');
  });
});
