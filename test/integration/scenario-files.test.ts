import { execFile } from 'node:child_process';
import { join } from 'node:path';
import { after, before, describe, it } from 'node:test';
import { promisify } from 'node:util';
import { type TarEntry, whyNoContainerd } from '@holdfast/scripts';
import { missingSwtpm } from '../support/swtpm.ts';
import { type ExpectedFinding, ScenarioContainer, sha256 } from './scenario-container.ts';
import { describeBusyboxImage } from './scenario-images.ts';
import { type ScenarioWorld, startScenarioWorld } from './scenario-world.ts';

const skip = missingSwtpm() ?? (await whyNoContainerd()) ?? false;
const run = promisify(execFile);

const TOOL = '#!/bin/sh\n';
const ZEROS = Buffer.alloc(1 << 20);
/** cap_net_raw=ep, and the same for the root of a user namespace that is user 1000 outside. */
const CAPABILITY = '0100000200200000000000000000000000000000';
const CAPABILITY_OF_1000 = '0100000300200000000000000000000000000000e8030000';
/** user::rw- user:1000:r-- group::r-- mask::r-- other::---: the mode bits stay 0640. */
const ACL = '0x0200000001000600ffffffff02000400e803000004000400ffffffff10000400ffffffff20000000ffffffff';

const ENTRIES: readonly TarEntry[] = [
  { path: 'app/data', content: 'data' },
  { path: 'app/secret', content: 'secret', mode: 0o640 },
  { path: 'app/tool', content: TOOL, mode: 0o755 },
  { path: 'app/su', content: TOOL, mode: 0o4755 },
  { path: 'app/ping', content: TOOL, mode: 0o755, xattrs: { 'security.capability': Buffer.from(CAPABILITY, 'hex') } },
  { path: 'app/zeros', content: ZEROS },
  { path: 'app/null', type: 'char', rdev: [1, 3], mode: 0o666 },
  { path: 'opt/tree/sub/file', content: 'deep' },
  { path: 'usr/lib/a/libx.so', content: '\x7fELF' },
  { path: 'etc/alternatives/awk', type: 'symlink', target: '/bin/busybox' },
];

/** A change, what has to be found of it, and how it is undone. */
interface Case {
  readonly name: string;
  /** Shell script inside. */
  readonly change?: string;
  /** Shell script of the host, the container's root in `$R`: for tools that the image lacks. */
  readonly changeOutside?: string;
  readonly findings: readonly ExpectedFinding[];
  /** Affirming again afterwards. */
  readonly undo?: string;
  readonly undoOutside?: string;
}

const attributes = (mode: string, more = '') => `mode ${mode}, owner 0:0${more}`;

const SCENARIOS: readonly Case[] = [
  {
    name: '3: a program dropped in /tmp is named with its hash, with execute bit or without, and gone again it is not',
    change: 'cp /bin/busybox /tmp/drop; cp /bin/busybox /tmp/quiet; chmod 600 /tmp/quiet; echo words > /tmp/words',
    findings: [
      { code: 'EXECUTABLE_ADDED', path: '/tmp/drop', actual: '$busybox' },
      { code: 'EXECUTABLE_ADDED', path: '/tmp/quiet', actual: '$busybox' },
    ],
    undo: 'rm /tmp/drop /tmp/quiet /tmp/words',
  },
  {
    name: '4: a setuid bit is named with the mode before and after, content unchanged',
    change: 'chmod 4755 /app/tool',
    findings: [{ code: 'SETUID_ADDED', path: '/app/tool', expected: attributes('755'), actual: attributes('4755') }],
    undo: 'chmod 755 /app/tool',
  },
  {
    name: '4: setuid for root in the place of another user is named',
    change: 'busybox chown 5:5 /app/su; chmod 4755 /app/su',
    findings: [{ code: 'SETUID_ADDED', path: '/app/su', expected: attributes('4755'), actual: 'mode 4755, owner 5:5' }],
    undo: 'busybox chown 0:0 /app/su; chmod 4755 /app/su',
  },
  {
    name: '4: a file capability is named, for the root of a user namespace too',
    changeOutside: `setfattr -n security.capability -v 0x${CAPABILITY} $R/app/tool; setfattr -n security.capability -v 0x${CAPABILITY_OF_1000} $R/app/data`,
    findings: [
      {
        code: 'SETUID_ADDED',
        path: '/app/tool',
        expected: attributes('755'),
        actual: attributes('755', `, capability ${CAPABILITY}`),
      },
      {
        code: 'SETUID_ADDED',
        path: '/app/data',
        expected: attributes('644'),
        actual: attributes('644', `, capability ${CAPABILITY_OF_1000}`),
      },
    ],
    undoOutside: 'setcap -r $R/app/tool; setfattr -x security.capability $R/app/data',
  },
  {
    name: '4: a capability that is taken away is a change of attributes',
    changeOutside: 'setcap -r $R/app/ping',
    findings: [
      {
        code: 'ATTRIBUTES_CHANGED',
        path: '/app/ping',
        expected: attributes('755', `, capability ${CAPABILITY}`),
        actual: attributes('755'),
      },
    ],
    undoOutside: `setfattr -n security.capability -v 0x${CAPABILITY} $R/app/ping`,
  },
  {
    name: '9: a hard link to a setuid program is a program of its own, the linked one unchanged',
    change: 'ln /app/su /tmp/x; ln /app/data /tmp/harmless',
    findings: [
      { code: 'EXECUTABLE_ADDED', path: '/tmp/x', actual: sha256(TOOL) },
      { code: 'SETUID_ADDED', path: '/tmp/x', actual: attributes('4755') },
    ],
    undo: 'rm /tmp/x /tmp/harmless',
  },
  {
    name: '9: a renamed file is a pair of one hash',
    change: 'mv /app/data /app/renamed',
    findings: [
      { code: 'IMAGE_FILE_REMOVED', path: '/app/data', expected: sha256('data') },
      { code: 'FILE_ADDED', path: '/app/renamed', actual: sha256('data') },
    ],
    undo: 'mv /app/renamed /app/data',
  },
  {
    name: '9: a renamed directory is named on both sides with all that moved',
    change: 'mv /opt/tree /opt/moved',
    findings: [
      { code: 'IMAGE_FILE_REMOVED', path: '/opt/tree' },
      { code: 'IMAGE_FILE_REMOVED', path: '/opt/tree/sub' },
      { code: 'IMAGE_FILE_REMOVED', path: '/opt/tree/sub/file', expected: sha256('deep') },
      { code: 'DIRECTORY_ADDED', path: '/opt/moved' },
      { code: 'DIRECTORY_ADDED', path: '/opt/moved/sub' },
      { code: 'FILE_ADDED', path: '/opt/moved/sub/file', actual: sha256('deep') },
    ],
    undo: 'mv /opt/moved /opt/tree',
  },
];

const HIDING: readonly Case[] = [
  {
    name: 'an ACL that leaves the mode as it was is named',
    changeOutside: `setfattr -n system.posix_acl_access -v ${ACL} $R/app/secret`,
    findings: [
      {
        code: 'ATTRIBUTES_CHANGED',
        path: '/app/secret',
        expected: attributes('640'),
        actual: attributes('640', `, xattrs ${digestOf('system.posix_acl_access', ACL.slice(2))}`),
      },
    ],
    undoOutside: 'setfattr -x system.posix_acl_access $R/app/secret',
  },
  {
    name: 'attributes of overlayfs that a container sets are attributes like others, and hide nothing',
    changeOutside:
      'setfattr -n trusted.overlay.opaque -v y $R/app; setfattr -n user.overlay.whiteout -v y $R/app/tool; printf x >> $R/app/data',
    findings: [
      {
        code: 'ATTRIBUTES_CHANGED',
        path: '/app',
        expected: attributes('755'),
        actual: attributes('755', `, xattrs ${digestOf('trusted.overlay.overlay.opaque', '79')}`),
      },
      {
        code: 'ATTRIBUTES_CHANGED',
        path: '/app/tool',
        expected: attributes('755'),
        actual: attributes('755', `, xattrs ${digestOf('user.overlay.whiteout', '79')}`),
      },
      { code: 'IMAGE_FILE_MODIFIED', path: '/app/data', expected: sha256('data'), actual: sha256('datax') },
    ],
    undoOutside:
      'setfattr -x trusted.overlay.opaque $R/app; setfattr -x user.overlay.whiteout $R/app/tool; printf data > $R/app/data',
  },
  {
    name: 'a file that may not be removed any more is named',
    change: 'echo x > /app/new',
    changeOutside: 'chattr +i $R/app/new $R/app/data',
    findings: [
      { code: 'FILE_ADDED', path: '/app/new', actual: sha256('x\n') },
      {
        code: 'ATTRIBUTES_CHANGED',
        path: '/app/data',
        expected: attributes('644'),
        actual: attributes('644', `, xattrs ${digestOf('trusted.overlay.protattr', '69')}`),
      },
    ],
    undoOutside: 'chattr -i $R/app/new $R/app/data; rm $R/app/new',
  },
  {
    name: 'mode and owner of the root directory and of others are named, without a privilege that is none',
    change: 'chmod 777 / /usr/lib; chmod 2755 /app; busybox chown 5 /opt',
    findings: [
      { code: 'ATTRIBUTES_CHANGED', path: '/', expected: attributes('755'), actual: attributes('777') },
      { code: 'ATTRIBUTES_CHANGED', path: '/usr/lib', expected: attributes('755'), actual: attributes('777') },
      { code: 'ATTRIBUTES_CHANGED', path: '/app', expected: attributes('755'), actual: attributes('2755') },
      { code: 'ATTRIBUTES_CHANGED', path: '/opt', expected: attributes('755'), actual: 'mode 755, owner 5:0' },
    ],
    undo: 'chmod 755 / /usr/lib /app; busybox chown 0 /opt',
  },
  {
    name: 'times that are put back do not hide a byte',
    change: 'touch -r /app/data /tmp/t; printf D | dd of=/app/data conv=notrunc 2>/dev/null; touch -r /tmp/t /app/data',
    findings: [{ code: 'IMAGE_FILE_MODIFIED', path: '/app/data', expected: sha256('data'), actual: sha256('Data') }],
    undo: 'printf data > /app/data; rm /tmp/t',
  },
  {
    name: 'a program that is written to through a link in a data place is changed under its own name',
    change: 'ln /app/tool /tmp/notes; sleep 1; echo id >> /tmp/notes',
    findings: [
      { code: 'EXECUTABLE_MODIFIED', path: '/app/tool', expected: sha256(TOOL), actual: sha256(`${TOOL}id\n`) },
      { code: 'EXECUTABLE_ADDED', path: '/tmp/notes', actual: sha256(`${TOOL}id\n`) },
    ],
    undo: "rm /tmp/notes; printf '#!/bin/sh\\n' > /app/tool",
  },
  {
    name: 'a library directory swapped for a link is a directory replaced',
    change: 'mv /usr/lib /usr/lib2; ln -s lib2 /usr/lib',
    findings: [
      { code: 'DIRECTORY_REPLACED', path: '/usr/lib', actual: 'lib2' },
      { code: 'IMAGE_FILE_REMOVED', path: '/usr/lib/a' },
      { code: 'IMAGE_FILE_REMOVED', path: '/usr/lib/a/libx.so', expected: sha256('\x7fELF') },
      { code: 'DIRECTORY_ADDED', path: '/usr/lib2' },
      { code: 'DIRECTORY_ADDED', path: '/usr/lib2/a' },
      { code: 'EXECUTABLE_ADDED', path: '/usr/lib2/a/libx.so', actual: sha256('\x7fELF') },
    ],
    undo: 'rm /usr/lib; mv /usr/lib2 /usr/lib',
  },
  {
    name: 'links among programs are programs: added, led elsewhere, in the place of one',
    change: 'ln -s /tmp/evil /bin/ls2; ln -sfn /tmp/evil /etc/alternatives/awk; rm /bin/cat; ln -s /tmp/evil /bin/cat',
    findings: [
      { code: 'EXECUTABLE_ADDED', path: '/bin/ls2', actual: '/tmp/evil' },
      { code: 'EXECUTABLE_MODIFIED', path: '/etc/alternatives/awk', expected: '/bin/busybox', actual: '/tmp/evil' },
      { code: 'EXECUTABLE_MODIFIED', path: '/bin/cat', expected: 'busybox', actual: '/tmp/evil' },
    ],
    undo: 'rm /bin/ls2 /bin/cat; ln -s busybox /bin/cat; ln -sfn /bin/busybox /etc/alternatives/awk',
  },
  {
    name: 'devices are told by their numbers, and one cannot pass for a removal',
    change:
      'busybox mknod /app/disk b 8 0; rm /app/null; busybox mknod /app/null c 1 1; ! busybox mknod /app/gone c 0 0 2>/dev/null',
    findings: [
      { code: 'SPECIAL_FILE_ADDED', path: '/app/disk', actual: 'device 8:0' },
      { code: 'IMAGE_FILE_MODIFIED', path: '/app/null', expected: 'device 1:3', actual: 'device 1:1' },
    ],
    undo: 'rm /app/disk /app/null; busybox mknod -m 666 /app/null c 1 3',
  },
  {
    name: 'names that are no UTF-8, and names of whiteouts in a tar, are files like others',
    change: 'echo x > "/app/$(printf \'a\\377%%\')"; echo x > /app/.wh.data; echo x > /app/.wh..wh..opq',
    findings: [
      { code: 'FILE_ADDED', path: '/app/a%FF%25', actual: sha256('x\n') },
      { code: 'FILE_ADDED', path: '/app/.wh.data', actual: sha256('x\n') },
      { code: 'FILE_ADDED', path: '/app/.wh..wh..opq', actual: sha256('x\n') },
    ],
    undo: 'rm /app/a?% /app/.wh.*',
  },
  {
    name: 'what is removed, made again, renamed over, made sparse or touched and is what it was is nothing',
    change: [
      'cp -p /app/data /tmp/d; rm /app/data; cp -p /tmp/d /app/data; rm /tmp/d',
      'cp -p /app/tool /app/n; mv /app/n /app/tool; touch /app/secret; chmod 600 /app/secret; chmod 640 /app/secret',
      'busybox truncate -s 0 /app/zeros; busybox truncate -s 1048576 /app/zeros',
      'mkdir /opt/n; cp -p /opt/tree/sub/file /opt/n; rm -r /opt/tree/sub; mv /opt/n /opt/tree/sub',
    ].join('\n'),
    findings: [],
  },
];

/** What stands for the extended attributes of one name. */
function digestOf(name: string, hex: string): string {
  return sha256(Buffer.from(`${name}\0${hex}\n`, 'latin1'));
}

describe('files that change at run time', { skip, timeout: 300_000 }, () => {
  let world: ScenarioWorld;
  let container: ScenarioContainer;
  let image: string;
  let busybox: string;

  before(async () => {
    world = await startScenarioWorld();
    ({ name: image } = await world.addImage(await describeBusyboxImage('files', ENTRIES)));
    container = await world.start(image, { flags: ['--privileged'] });
    busybox = await container.hash('/bin/busybox');
  });
  after(() => world?.close());

  async function runOutside(script: string): Promise<void> {
    await run('sh', ['-ec', script], { env: { ...process.env, R: container.toHostPath('') } });
  }

  for (const { name, change, changeOutside, findings, undo, undoOutside } of [...SCENARIOS, ...HIDING]) {
    it(name, async () => {
      if (change !== undefined) await container.run(change);
      if (changeOutside !== undefined) await runOutside(changeOutside);
      const named = findings.map((finding) =>
        finding.actual === '$busybox' ? { ...finding, actual: busybox } : finding,
      );
      await container.expectFindings(named);
      if (undo !== undefined) await container.run(undo);
      if (undoOutside !== undefined) await runOutside(undoOutside);
      await container.expectAffirming();
    });
  }

  it('9: a directory that overlayfs redirects is named as what cannot be read, never clean', async () => {
    const { containerd } = world;
    // Nothing in a container can make one where redirect_dir is off, as it is below containerd: it is made beforehand.
    await containerd.ctr(['containers', 'create', image, 'redirected']);
    const mounts = await containerd.ctr(['snapshots', 'mounts', '/x', 'redirected']);
    const options = /-o (\S+)/.exec(mounts)?.[1] ?? '';
    const point = join(containerd.directory, 'redirected');
    const rename =
      'mkdir "$1"; mount -t overlay -o "$0,redirect_dir=on" x "$1"; mv "$1/opt/tree" "$1/opt/moved"; umount "$1"';
    await run('sh', ['-ec', rename, options, point]);
    await containerd.ctr(['tasks', 'start', '--detach', 'redirected']);
    const redirected = new ScenarioContainer(world, { id: 'redirected', namespace: containerd.namespace, pid: 0 });
    const unsupported = 'unsupported:/opt/moved';
    const inventory = 'unsupported /opt/moved';
    await redirected.expectFindings([
      { code: 'ENTRY_UNREADABLE', path: '/opt/moved' },
      { code: 'DIRECTORY_ADDED', path: '/opt/moved' },
      { code: 'IMAGE_FILE_REMOVED', path: '/opt/tree' },
      { code: 'IMAGE_FILE_REMOVED', path: '/opt/tree/sub' },
      { code: 'IMAGE_FILE_REMOVED', path: '/opt/tree/sub/file', expected: sha256('deep') },
      { code: 'SCAN_INCOMPLETE', actual: `drift:${unsupported}, inventory:${inventory}` },
      { code: 'SCAN_INCOMPLETE', actual: inventory },
      { code: 'SCAN_INCOMPLETE', actual: unsupported },
    ]);
    await redirected.remove();
  });
});
