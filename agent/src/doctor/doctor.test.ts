import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import { create } from '@bufbuild/protobuf';
import { containers } from '@holdfast/proto/containerd';
import { AgentError } from '../agent-error.ts';
import { FakeHostFiles } from '../host/fake-host-files.test-support.ts';
import type { TpmDevice } from '../tpm/tpm-device.ts';
import { checkFileSystem } from './check-file-system.ts';
import { checkKernel } from './check-kernel.ts';
import { checkPermissions, checkProcesses } from './check-permissions.ts';
import { checkRuntime } from './check-runtime.ts';
import { checkTpm } from './check-tpm.ts';
import type { HostCheck } from './host-check.ts';

const statuses = (checks: readonly HostCheck[]) => Object.fromEntries(checks.map(({ id, status }) => [id, status]));

function createTpm(change: Partial<TpmDevice> = {}): TpmDevice & { closed: number } {
  const refuse = () => Promise.reject(new TypeError('not asked for by the doctor'));
  const device = {
    closed: 0,
    readClock: () => Promise.resolve(Buffer.alloc(25)),
    pcrRead: (selection: Buffer) => Promise.resolve({ selection, digests: [Buffer.alloc(32), Buffer.alloc(32)] }),
    nvIndexes: () => Promise.resolve([0x01c00002]),
    createPrimary: refuse,
    create: refuse,
    load: refuse,
    quote: refuse,
    quoteEach: refuse,
    certify: refuse,
    sign: refuse,
    activateCredential: refuse,
    nvRead: refuse,
    flush: refuse,
    close: () => {
      device.closed += 1;
      return Promise.resolve();
    },
    ...change,
  };
  return device;
}

describe('what the doctor says of the TPM', () => {
  const tcti = 'device:/dev/tpmrm0';

  it('works with a SHA-256 bank and a certificate, and the device is closed', async () => {
    const device = createTpm();
    const checks = await checkTpm(() => Promise.resolve(device), tcti);
    assert.deepEqual(statuses(checks), { tpm: 'works', 'tpm.sha256Bank': 'works', 'tpm.ekCertificate': 'works' });
    assert.ok(checks.every(({ fix }) => fix === null));
    assert.equal(device.closed, 1);
  });

  it('is weaker without a certificate, and knows those of the high range', async () => {
    const indexes = async (list: number[]) => {
      const checks = await checkTpm(() => Promise.resolve(createTpm({ nvIndexes: async () => list })), tcti);
      return statuses(checks)['tpm.ekCertificate'];
    };
    assert.equal(await indexes([]), 'weaker');
    assert.equal(await indexes([0x01c00003, 0x01c00011, 0x01c0001d]), 'weaker');
    assert.equal(await indexes([0x01c00016]), 'works');
  });

  it('fails without a SHA-256 bank, when it cannot be opened, and when it ends in the middle', async () => {
    const bankless = createTpm({ pcrRead: async (selection) => ({ selection, digests: [] }) });
    assert.equal(statuses(await checkTpm(async () => bankless, tcti))['tpm.sha256Bank'], 'fails');
    const [closed] = await checkTpm(() => Promise.reject(new Error('no TPM can be reached')), tcti);
    assert.equal(closed?.status, 'fails');
    assert.match(closed?.fix ?? '', /firmware/);
    const native = Object.assign(new Error('not built'), { code: 'ERR_TPM_NATIVE' });
    assert.match((await checkTpm(() => Promise.reject(native), tcti))[0]?.fix ?? '', /prepare native/);
    const dying = createTpm({ nvIndexes: () => Promise.reject(new Error('gone')) });
    assert.deepEqual(statuses(await checkTpm(async () => dying, tcti)), { tpm: 'fails' });
    assert.equal(dying.closed, 1);
  });
});

describe('what the doctor says of rights and processes', () => {
  const withCaps = (caps: string) => checkPermissions(new FakeHostFiles({ '/proc/self/status': `CapEff:\t${caps}\n` }));

  it('works with all capabilities and names each that is missing', () => {
    assert.equal(withCaps('000001ffffffffff').status, 'works');
    assert.match(withCaps('000001ffffdfffff').detail, /^without CAP_SYS_ADMIN [^;]*$/);
    assert.match(withCaps('0000000000000000').detail, /DAC_READ_SEARCH.*SYS_PTRACE.*SYS_ADMIN/);
    assert.equal(checkPermissions(new FakeHostFiles({})).status, 'fails');
  });

  it('sees the processes of the host, its own namespace only, or none', () => {
    const [init, kernel] = [{ '/proc/1/mountinfo': 'x' }, { '/proc/2/comm': 'kthreadd\n' }];
    assert.equal(checkProcesses(new FakeHostFiles({ ...init, ...kernel })).status, 'works');
    assert.equal(checkProcesses(new FakeHostFiles(init)).status, 'weaker');
    assert.equal(checkProcesses(new FakeHostFiles(kernel)).status, 'fails');
  });
});

describe('what the doctor says of the kernel', () => {
  const security = '/sys/kernel/security';
  const whole = {
    '/proc/self/mountinfo': '30 20 0:7 / /sys/kernel/security rw - securityfs securityfs rw\n',
    [`${security}/tpm0/binary_bios_measurements`]: 'log',
    [`${security}/ima/binary_runtime_measurements`]: 'list',
    [`${security}/ima/runtime_measurements_count`]: '812\n',
    [`${security}/lockdown`]: 'none [integrity] confidentiality\n',
  };

  it('works where everything is there, and each thing that is missing is weaker by itself', () => {
    const ids = ['kernel.securityfs', 'kernel.eventLog', 'kernel.ima', 'kernel.lockdown'];
    const works = Object.fromEntries(ids.map((id) => [id, 'works']));
    assert.deepEqual(statuses(checkKernel(new FakeHostFiles(whole))), works);
    for (const [change, id] of [
      [{ [`${security}/tpm0/binary_bios_measurements`]: '' }, 'kernel.eventLog'],
      [{ [`${security}/ima/runtime_measurements_count`]: '1\n' }, 'kernel.ima'],
      [{ [`${security}/lockdown`]: '[none] integrity confidentiality\n' }, 'kernel.lockdown'],
    ] as const) {
      const found = statuses(checkKernel(new FakeHostFiles({ ...whole, ...change })));
      assert.deepEqual(found, { ...works, [id]: 'weaker' });
    }
    assert.ok(checkKernel(new FakeHostFiles({})).every(({ status, fix }) => status === 'weaker' && fix !== null));
  });
});

describe('what the doctor says of the file system', () => {
  const all = (works: boolean) => {
    const one = { works, detail: 'tried' };
    return checkFileSystem({ openat2: one, mountIds: one, trustedXattrs: one, fanotify: one, verity: one });
  };

  it('cannot do without trusted attributes, and can do without the rest', () => {
    assert.ok(all(true).every(({ status }) => status === 'works'));
    assert.deepEqual(statuses(all(false)), {
      'fs.openat2': 'weaker',
      'fs.trustedXattrs': 'fails',
      'fs.fanotify': 'weaker',
      'fs.verity': 'weaker',
    });
  });
});

describe('what the doctor says of the runtime', () => {
  const runtime = {
    address: '/run/c.sock',
    probe: async () => ({ version: '1.6.20', revision: '' }),
    readRoots: async () => ({ content: '/var/lib/c' }),
    listNamespaces: async () => ['k8s.io'],
    listContainers: async () => [],
  };

  it('works when it answers, and fails with what to do for each way in which it does not', async () => {
    const { checks, contentRoot } = await checkRuntime(runtime);
    assert.deepEqual([statuses(checks), contentRoot], [{ runtime: 'works' }, '/var/lib/c']);
    for (const code of ['ERR_AGENT_RUNTIME_ADDRESS', 'ERR_AGENT_RUNTIME_PERMISSION'] as const) {
      const probe = () => Promise.reject(new AgentError(code, 'no'));
      const [check] = (await checkRuntime({ ...runtime, probe })).checks;
      assert.equal(check?.status, 'fails');
      assert.ok(check?.fix);
    }
    await assert.rejects(checkRuntime({ ...runtime, probe: () => Promise.reject(new TypeError('bug')) }), TypeError);
  });

  it('is weaker where containers are of a kind that no evidence vouches for, and names it', async () => {
    const rowsOf = (name: string, snapshotter: string) => [
      create(containers.ContainerSchema, { id: 'c', runtime: { name }, snapshotter }),
    ];
    const check = async (name: string, snapshotter: string) =>
      (await checkRuntime({ ...runtime, listContainers: async () => rowsOf(name, snapshotter) })).checks;
    assert.deepEqual(statuses(await check('io.containerd.runc.v2', 'overlayfs')), { runtime: 'works' });
    for (const [name, snapshotter, named] of [
      ['io.containerd.kata.v2', 'overlayfs', /io\.containerd\.kata\.v2/],
      ['io.containerd.runsc.v1', 'overlayfs', /runsc/],
      ['io.containerd.runc.v2', 'stargz', /stargz/],
    ] as const) {
      const [, kinds] = await check(name, snapshotter);
      assert.equal(kinds?.status, 'weaker');
      assert.match(kinds?.detail ?? '', named);
    }
  });
});
