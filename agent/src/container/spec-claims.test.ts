import assert from 'node:assert/strict';
import { createHash } from 'node:crypto';
import { test } from 'node:test';
import { EvidenceError } from '@holdfast/evidence';
import { type ImageConfig, parseImageConfig, parseImageDocument } from './image-config.ts';
import { parseMountinfo } from './mountinfo.ts';
import { OciSpecs, parseOciSpec } from './oci-spec.ts';
import { createMountClaims, createProcessClaims, createSecurityClaims } from './spec-claims.ts';

const SPEC = {
  process: {
    args: ['/app', '--serve'],
    cwd: '/srv',
    env: ['PATH=/bin', 'TOKEN=secret', 'EMPTY'],
    user: { uid: 1000, gid: 100 },
    noNewPrivileges: true,
    capabilities: { bounding: ['CAP_KILL', 'CAP_CHOWN'], effective: ['CAP_CHOWN'] },
    apparmorProfile: '',
    selinuxLabel: 'system_u:container',
  },
  root: { readonly: true },
  mounts: [{ destination: '/proc' }, { destination: '/data/' }, { type: 'odd' }],
  linux: { maskedPaths: ['/proc/kcore'], readonlyPaths: ['/proc/sys'], seccomp: { defaultAction: 'SCMP_ACT_ERRNO' } },
  annotations: { a: 'b', n: 1 },
};

const parse = (spec: object) => parseOciSpec(Buffer.from(JSON.stringify(spec)));
const config = (entrypoint: string[], cmd: string[]): ImageConfig => ({
  platform: { os: 'linux', architecture: 'amd64' },
  diffIds: [],
  entrypoint,
  cmd,
  env: [],
});

test('the process is told without a single value of its environment', () => {
  const claims = createProcessClaims(parse(SPEC), config(['/app'], ['--serve']));
  assert.deepEqual(claims, {
    args: ['/app', '--serve'],
    cwd: '/srv',
    user: '1000:100',
    envNames: ['EMPTY', 'PATH', 'TOKEN'],
    envDigest: createHash('sha256').update('EMPTY\nPATH=/bin\nTOKEN=secret').digest('hex'),
    argsFrom: 'image',
    imageEnvNames: [],
  });
});

test('a variable is the image’s only with the image’s own value', () => {
  const image = { ...config(['/app'], ['--serve']), env: ['PATH=/bin', 'TOKEN=other', 'EMPTY', 'UNUSED=1'] };
  assert.deepEqual(createProcessClaims(parse(SPEC), image).imageEnvNames, ['EMPTY', 'PATH']);
});

test('another command than the image’s is the pod’s, and without an image nobody knows', () => {
  const spec = parse(SPEC);
  assert.equal(createProcessClaims(spec, config(['/app'], [])).argsFrom, 'pod');
  assert.equal(createProcessClaims(spec, config(['/app', '--serve'], ['x'])).argsFrom, 'pod');
  assert.equal(createProcessClaims(spec, undefined).argsFrom, 'unknown');
  assert.equal(createProcessClaims(spec, undefined).imageEnvNames, undefined);
});

test('what confines the container is read from every set', () => {
  const claims = createSecurityClaims(parse(SPEC));
  assert.deepEqual([claims.capabilities, claims.privileged], [['CAP_CHOWN', 'CAP_KILL'], false]);
  assert.deepEqual([claims.readonlyRootfs, claims.noNewPrivileges, claims.userNamespace], [true, true, false]);
  assert.deepEqual([claims.apparmor, claims.selinux], [null, 'system_u:container']);
  assert.match(claims.seccomp, /^sha256:[0-9a-f]{64}$/);
});

test('privileged is who may administer the system and reach every device', () => {
  const devices = (rule: object) => ({
    process: { capabilities: { bounding: ['CAP_SYS_ADMIN'] } },
    linux: { resources: { devices: [{ allow: false, access: 'rwm' }, rule] } },
  });
  const isPrivileged = (spec: object) => createSecurityClaims(parse(spec)).privileged;
  assert.equal(isPrivileged(devices({ allow: true, access: 'rwm' })), true);
  assert.equal(isPrivileged(devices({ allow: true, access: 'm' })), false);
  assert.equal(isPrivileged(devices({ allow: true, type: 'c', major: 1, minor: 3, access: 'rwm' })), false);
  assert.equal(isPrivileged({ linux: { resources: { devices: [{ allow: true, access: 'rwm' }] } } }), false);
});

test('an empty specification confines nothing', () => {
  const claims = createSecurityClaims(parse({}));
  assert.equal(claims.seccomp, 'unconfined');
  assert.equal(createSecurityClaims(parse({ linux: { uidMappings: [{ containerID: 0 }] } })).userNamespace, true);
});

test('mounts tell whether the specification names them and whether they cover the image', () => {
  const table = parseMountinfo(
    Buffer.from(
      [
        '70 47 0:39 / / rw - overlay overlay rw',
        '71 70 0:42 / /proc rw - proc proc rw',
        '72 71 0:42 /sys /proc/sys ro - proc proc rw',
        '73 70 8:1 /srv/vol /data rw - ext4 /dev/sda1 rw',
        '74 70 0:50 / /usr/bin ro - tmpfs none rw',
        '75 70 0:50 / /odd\\134name\xff ro - tmpfs none rw\n',
      ].join('\n'),
      'latin1',
    ),
  );
  const claims = createMountClaims(
    { mounts: table, otherMounts: table.slice(3, 5), covered: new Set(['/usr/bin']) },
    parse(SPEC),
  );
  const rows = claims.map(({ path, inSpec, coversImage, readonly }) => [path, inSpec, coversImage, readonly]);
  assert.deepEqual(rows, [
    ['/proc', true, false, false],
    ['/proc/sys', true, false, true],
    ['/data', true, false, false],
    ['/usr/bin', false, true, true],
    ['/odd\\name%FF', false, false, true],
    ['/data', false, false, false],
    ['/usr/bin', false, true, true],
  ]);
  assert.equal(claims[2]?.source, '/dev/sda1[/srv/vol]');
});

test('documents of an image that are not of their form are refused', () => {
  const refuse = (parseIt: (bytes: Buffer) => unknown, value: unknown) =>
    assert.throws(() => parseIt(Buffer.from(JSON.stringify(value))), EvidenceError);
  refuse(parseImageConfig, { rootfs: { diff_ids: ['sha256:1'] } });
  refuse(parseImageConfig, { rootfs: { diff_ids: [1] } });
  refuse(parseImageDocument, {});
  refuse(parseImageDocument, { config: { digest: 'sha1:x' } });
  refuse(parseImageDocument, { config: { digest: `sha256:${'0'.repeat(64)}` }, manifests: [] });
  refuse(parseImageDocument, { manifests: [{ digest: '../x' }] });
  refuse(parseImageDocument, { config: { digest: `sha256:${'0'.repeat(64)}` }, layers: [{}] });
});

test('truncated and flipped documents are refused with an EvidenceError or read', () => {
  const whole = Buffer.from(JSON.stringify(SPEC));
  const tryAll = (bytes: Buffer) => {
    for (const parseIt of [parseOciSpec, parseImageConfig, parseImageDocument]) {
      try {
        parseIt(bytes);
      } catch (error) {
        assert.ok(error instanceof EvidenceError, String(error));
      }
    }
  };
  for (let length = 0; length < whole.length; length += 1) tryAll(whole.subarray(0, length));
  for (let bit = 0; bit < whole.length * 8; bit += 3) {
    const flipped = Buffer.from(whole);
    flipped[bit >> 3] = (flipped[bit >> 3] ?? 0) ^ (1 << (bit & 7));
    tryAll(flipped);
  }
});

test('a specification that comes with each list is read once, and forgotten with the list that lacks it', () => {
  const specs = new OciSpecs();
  const bytes = Buffer.from('{"linux":{"cgroupsPath":"/a"}}');
  const first = specs.parse(bytes);
  assert.equal(first.cgroupsPath, '/a');
  specs.endList();
  assert.equal(specs.parse(Buffer.from(bytes)), first);
  specs.endList();
  specs.endList();
  assert.notEqual(specs.parse(bytes), first);
  assert.throws(() => specs.parse(Buffer.from('{')), EvidenceError);
});
