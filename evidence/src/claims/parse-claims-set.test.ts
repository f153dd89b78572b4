import assert from 'node:assert/strict';
import { test } from 'node:test';
import { assertSurvivesHostileBytes, evidenceError } from '../testing/foreign-bytes.test.ts';
import type { ClaimsSet, ContainerClaims } from './claims-set.ts';
import { encodeClaimsSet, parseClaimsSet } from './parse-claims-set.ts';

const digest = 'ab'.repeat(32);
const oci = `sha256:${digest}`;
const container: ContainerClaims = {
  type: 'container',
  id: 'c1',
  namespace: 'k8s.io',
  name: 'web',
  pod: {
    namespace: 'default',
    name: 'web-0',
    uid: '00000000-0000-0000-0000-000000000000',
    labels: { 'app.kubernetes.io/name': 'web' },
  },
  sandbox: false,
  runtime: 'io.containerd.runc.v2',
  started: '2026-11-22T20:00:00Z',
  status: 'running',
  image: {
    reference: 'registry.example/web:1',
    index: null,
    manifest: oci,
    config: oci,
    chainId: oci,
    platform: { os: 'linux', architecture: 'arm64', variant: 'v8' },
    layers: [{ diffId: oci, chainId: oci, proof: 'content' }],
    via: { manifest: 'content' },
    retagged: false,
  },
  rootfs: { driver: 'overlayfs', snapshotKey: 'c1', lowerCount: 1, upper: true },
  inventory: { sha256: digest, bytes: 10 },
  baseline: { sha256: digest, bytes: 10 },
  drift: null,
  driftCounts: { relevant: 0, other: 3 },
  process: {
    args: ['/bin/sh', '-c', 'é\n'],
    cwd: '/',
    user: '0:0',
    envNames: ['PATH'],
    envDigest: digest,
    argsFrom: 'image',
    imageEnvNames: ['PATH'],
  },
  security: {
    privileged: false,
    readonlyRootfs: false,
    noNewPrivileges: true,
    userNamespace: false,
    seccomp: 'default',
    apparmor: null,
    selinux: null,
    capabilities: ['CAP_CHOWN'],
  },
  mounts: [{ path: '/data', fsType: 'ext4', source: '/dev/sda1', readonly: false, inSpec: true, coversImage: false }],
  running: {
    code: [{ path: '/usr/bin/web', origin: 'layer', sha256: digest, use: 'program' }],
    executed: [{ path: '/bin/sh', origin: 'layer', sha256: digest, terminal: true }],
    anonymous: [{ path: '/usr/bin/node', origin: 'layer', sha256: digest }],
    foreign: [{ path: '/memfd:x', origin: 'memfd', sha256: null, sees: 'otherMounts' }],
    injected: [{ path: '/usr/bin/web', name: 'LD_PRELOAD', value: '/tmp/x.so', from: 'process' }],
    transient: ['/tmp/x%FF'],
  },
  scan: { complete: true, limits: [], timed: false },
};
const samples: ClaimsSet[] = [
  {
    type: 'host',
    kubeNode: 'worker-1',
    machineId: digest,
    vendor: 'QEMU',
    model: null,
    serial: null,
    cpu: { vendor: 'AMD', brand: 'EPYC', cores: 2 },
    bios: null,
    os: { id: 'debian', versionId: '12', prettyName: 'Debian' },
    kernelRelease: '6.1.0',
    runtimes: [{ name: 'containerd', version: '1.6.20' }],
  },
  { type: 'boot', eventLog: digest, eventLogBytes: 3017, secureBoot: null },
  {
    type: 'ima',
    active: true,
    template: 'ima-ng',
    policy: null,
    agent: {
      root: '/opt/holdfast',
      executable: { path: '/opt/holdfast/bin/node', sha256: digest },
      main: null,
      modules: [{ path: '/opt/holdfast/x.node', sha256: digest }],
    },
  },
  {
    type: 'kernel',
    release: '6.1.0',
    version: '#1 SMP',
    buildId: null,
    cmdline: 'console=ttyS0',
    tainted: '0',
    lockdown: 'none [integrity] confidentiality',
    lsm: null,
    kexecLoaded: '0',
    moduleSigEnforce: 'N',
    modules: [{ name: 'overlay', size: 1, taint: '', signature: 'appended', signer: 'Debian' }],
    bpf: [{ id: 7, type: 15, tag: '6deef7357e7b4530' }],
    sysctlSet: '1',
    sysctl: { 'kernel.kptr_restrict': '2' },
    vulnerabilities: { meltdown: 'Not affected' },
    limits: [],
  },
  { type: 'containers', limits: [], containers: { c1: digest } },
  container,
];

for (const sample of samples) {
  test(`claims-set ${sample.type} survives encoding and parsing`, () => {
    assert.deepEqual(parseClaimsSet(encodeClaimsSet(sample), sample.type), sample);
  });

  test(`claims-set ${sample.type} without one of its members, or with a foreign one, is refused`, () => {
    const refused = evidenceError('ERR_EVIDENCE_CLAIMS');
    for (const name of Object.keys(sample)) {
      const { [name]: _gone, ...rest } = { ...sample } as Record<string, unknown>;
      assert.throws(() => parseClaimsSet(Buffer.from(JSON.stringify(rest)), sample.type), refused, name);
    }
    const extra = Buffer.from(JSON.stringify({ ...sample, extra: 1 }));
    assert.throws(() => parseClaimsSet(extra, sample.type), refused);
  });

  test(`hostile bytes as claims-set ${sample.type} end in EvidenceError only`, () => {
    const parse = (bytes: Buffer) => parseClaimsSet(bytes, sample.type);
    assertSurvivesHostileBytes(parse, encodeClaimsSet(sample), { flipStep: 5, randomRounds: 40 });
  });
}

test('equal claims have one text, whatever the order of their members', () => {
  const shuffled = { ...container, image: Object.fromEntries(Object.entries(container.image).toReversed()) };
  const claims = Object.fromEntries(Object.entries(shuffled).toReversed());
  const bytes = encodeClaimsSet(container);
  assert.deepEqual(encodeClaimsSet(parseClaimsSet(Buffer.from(JSON.stringify(claims)), 'container')), bytes);
  assert.doesNotMatch(bytes.toString(), /": |, "/);
});

test('no claims-set stands in for one of another type or another container', () => {
  const bytes = encodeClaimsSet(container);
  const refused = evidenceError('ERR_EVIDENCE_CLAIMS');
  assert.throws(() => parseClaimsSet(bytes, 'containers'), refused);
  assert.throws(() => parseClaimsSet(bytes, 'container', 'c2'), refused);
  assert.equal(parseClaimsSet(bytes, 'container', 'c1').name, 'web');
  for (const value of [[], null, 'host', { type: ['host'] }]) {
    assert.throws(() => parseClaimsSet(Buffer.from(JSON.stringify(value)), 'host'), refused);
  }
});

test('what a container chose cannot exceed the bounds unseen', () => {
  const many = { ...container, mounts: Array.from({ length: 4097 }, () => container.mounts[0] ?? assert.fail()) };
  assert.throws(() => encodeClaimsSet(many), evidenceError('ERR_EVIDENCE_CLAIMS'));
  const args = Array.from({ length: 40 }, () => 'a'.repeat(128 * 1024));
  const process = { ...(container.process ?? assert.fail()), args };
  assert.throws(() => encodeClaimsSet({ ...container, process }), evidenceError('ERR_EVIDENCE_LIMIT'));
  const broken = { ...container, name: '\ud800' };
  assert.throws(() => encodeClaimsSet(broken), evidenceError('ERR_EVIDENCE_MALFORMED'));
});

test('what runs is told with a known origin, a whole digest and within the bounds of its lists', () => {
  const running = container.running ?? assert.fail();
  const [code] = running.code;
  const bad: unknown[] = [
    { ...running, code: [{ ...code, origin: 'elsewhere' }] },
    { ...running, code: [{ ...code, sha256: 'ab' }] },
    { ...running, code: [{ ...code, pid: 7 }] },
    { ...running, code: Array.from({ length: 2049 }, () => code) },
    { ...running, executed: [{ ...code }] },
    { ...running, foreign: [{ path: '/x', origin: 'layer', sha256: digest, sees: 'nothing' }] },
    { ...running, injected: [{ path: '/x', name: 'LD PRELOAD', value: '', from: 'pod' }] },
    { ...running, injected: [{ path: '/x', name: 'LD_PRELOAD', value: 'x'.repeat(1025), from: 'pod' }] },
    { ...running, transient: ['x'.repeat(3 * 4096 + 1)] },
  ];
  for (const value of bad) {
    const bytes = Buffer.from(JSON.stringify({ ...container, running: value }));
    assert.throws(() => parseClaimsSet(bytes, 'container'), evidenceError('ERR_EVIDENCE_CLAIMS'));
  }
  const seen = parseClaimsSet(encodeClaimsSet({ ...container, running: null }), 'container');
  assert.equal(seen.running, null);
});

test('a status, a proof or a digest out of its list or form is refused', () => {
  const bad: unknown[] = [
    { ...container, status: 'clean' },
    { ...container, id: '../c1' },
    { ...container, image: { ...container.image, manifest: digest } },
    { ...container, image: { ...container.image, layers: [{ diffId: oci, chainId: oci, proof: 'yes' }] } },
    { ...container, inventory: { sha256: oci, bytes: 1 } },
    { ...container, inventory: { sha256: digest, bytes: -1 } },
  ];
  for (const value of bad) {
    const bytes = Buffer.from(JSON.stringify(value));
    assert.throws(() => parseClaimsSet(bytes, 'container'), evidenceError('ERR_EVIDENCE_CLAIMS'));
  }
});

test('what only some runtimes tell of a container may be there or not', () => {
  const restored = { ...container, attempt: 2, restored: true };
  assert.deepEqual(parseClaimsSet(encodeClaimsSet(restored), 'container', 'c1'), restored);
  for (const bad of [{ attempt: -1 }, { attempt: '2' }, { restored: 1 }]) {
    const bytes = Buffer.from(JSON.stringify({ ...container, ...bad }));
    assert.throws(() => parseClaimsSet(bytes, 'container', 'c1'), evidenceError('ERR_EVIDENCE_CLAIMS'));
  }
});
