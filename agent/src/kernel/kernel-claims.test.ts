import assert from 'node:assert/strict';
import { test } from 'node:test';
import { encodeClaimsSet } from '@holdfast/evidence';
import { FakeClock } from '../fake-clock.test-support.ts';
import { FakeHostFiles } from '../host/fake-host-files.test-support.ts';
import { parseBuildId } from './build-id.ts';
import { KernelCollector } from './kernel-claims.ts';
import { readSysctls } from './sysctl-set.ts';

const note = (type: number, name: string, content: Buffer) => {
  const head = Buffer.alloc(12);
  head.writeUInt32LE(name.length, 0);
  head.writeUInt32LE(content.length, 4);
  head.writeUInt32LE(type, 8);
  const pad = (bytes: Buffer) => Buffer.concat([bytes, Buffer.alloc((4 - (bytes.length % 4)) % 4)]);
  return Buffer.concat([head, pad(Buffer.from(name)), pad(content)]);
};
const id = Buffer.from('4a5a9b0affb66c437abcd455d2738af879985fa9', 'hex');
const notes = Buffer.concat([note(0x100, 'Linux\0', Buffer.from('abc')), note(3, 'GNU\0', id), note(1, 'Xen\0', id)]);
const collect = (files: FakeHostFiles) => new KernelCollector(files, new FakeClock()).collect();
const modules = 'xfs 1990656 2 - Live 0x0000000000000000\nnvidia 5 0 - Live 0x0000000000000000 (POE)\nodd line\n';

test('the kernel is described by its raw strings', () => {
  const claims = collect(
    new FakeHostFiles({
      '/proc/sys/kernel/osrelease': '6.1.0\n',
      '/proc/version': 'Linux version 6.1.0 (gcc)\n',
      '/proc/cmdline': 'ro quiet lockdown=integrity\n',
      '/proc/sys/kernel/tainted': '4096\n',
      '/sys/kernel/security/lockdown': 'none [integrity] confidentiality\n',
      '/sys/kernel/security/lsm': 'lockdown,yama',
      '/sys/kernel/kexec_loaded': '0\n',
      '/sys/kernel/notes': notes,
      '/proc/modules': modules,
      '/sys/module/module/parameters/sig_enforce': 'Y\n',
      '/sys/devices/system/cpu/vulnerabilities/meltdown': 'Not affected\n',
    }),
  );
  assert.equal(claims.buildId, id.toString('hex'));
  assert.equal(claims.cmdline, 'ro quiet lockdown=integrity');
  assert.equal(claims.lockdown, 'none [integrity] confidentiality');
  assert.deepEqual(claims.modules, [
    { name: 'nvidia', size: 5, taint: 'POE', signature: null, signer: null },
    { name: 'xfs', size: 1990656, taint: '', signature: null, signer: null },
  ]);
  assert.deepEqual(claims.vulnerabilities, { meltdown: 'Not affected' });
  assert.equal(claims.moduleSigEnforce, 'Y');
  assert.deepEqual(claims.limits, ['bpf:unread', 'modules:files']);
  assert.ok(encodeClaimsSet(claims));
});

test('what cannot be read is null and named, never silent', () => {
  const claims = collect(new FakeHostFiles({ '/proc/modules': Buffer.alloc(2 * 1024 * 1024, 'x') }));
  assert.deepEqual(claims.limits, [
    'bpf:unread',
    'buildId:unreadable',
    'cmdline:unreadable',
    'kexecLoaded:unreadable',
    'lockdown:unreadable',
    'lsm:unreadable',
    'modules:unreadable',
    'release:unreadable',
    'tainted:unreadable',
    'version:unreadable',
  ]);
  assert.deepEqual([claims.modules, claims.lockdown, claims.buildId, claims.bpf], [null, null, null, null]);
  assert.ok(encodeClaimsSet(claims));
});

test('more modules than a claims-set takes are cut and named', () => {
  const many = Array.from({ length: 5_000 }, (_, at) => `m${at} 1 0 - Live 0x0`).join('\n');
  const claims = collect(new FakeHostFiles({ '/proc/modules': many }));
  assert.equal(claims.modules?.length, 4_096);
  assert.ok(claims.limits.includes('modules:entries'));
  assert.ok(encodeClaimsSet(claims));
});

test('kernel parameters are read by the list, without those that move by themselves', () => {
  const { sysctl, limits } = readSysctls(
    new FakeHostFiles({
      '/proc/sys/kernel/kptr_restrict': '2\n',
      '/proc/sys/kernel/yama/ptrace_scope': '1\n',
      '/proc/sys/kernel/random/boot_id': 'moves\n',
      '/proc/sys/kernel/ns_last_pid': '4711\n',
      '/proc/sys/kernel/pty/nr': '3\n',
      '/proc/sys/fs/protected_symlinks': '1\n',
      '/proc/sys/fs/file-nr': 'moves\n',
      '/proc/sys/dev/tty/ldisc_autoload': '0\n',
      '/proc/sys/dev/cdrom/info': 'other',
      '/proc/sys/net/ipv4/conf/all/rp_filter': '1\n',
      '/proc/sys/net/ipv4/conf/eth0/rp_filter': '0\n',
      '/proc/sys/vm/stat_refresh': '',
      '/proc/sys/user/max_user_namespaces': '0\n',
    }),
  );
  assert.deepEqual(sysctl, {
    'kernel.kptr_restrict': '2',
    'kernel.yama.ptrace_scope': '1',
    'fs.protected_symlinks': '1',
    'dev.tty.ldisc_autoload': '0',
    'net.ipv4.conf.all.rp_filter': '1',
    'user.max_user_namespaces': '0',
  });
  assert.deepEqual(limits, []);
});

test('too many kernel parameters are cut and named', () => {
  const files = Object.fromEntries(Array.from({ length: 2_100 }, (_, at) => [`/proc/sys/vm/p${at}`, '1']));
  const { sysctl, limits } = readSysctls(new FakeHostFiles(files));
  assert.ok(Object.keys(sysctl).length <= 2_000);
  assert.deepEqual(limits, ['sysctl:entries']);
});

test('a build-id is found among other notes, and notes of any form are survived', () => {
  assert.equal(parseBuildId(notes), id.toString('hex'));
  for (let size = 0; size <= notes.length; size += 1) {
    const found = parseBuildId(notes.subarray(0, size));
    assert.ok(found === null || found === id.toString('hex'));
  }
  for (let bit = 0; bit < notes.length * 8; bit += 1) {
    const flipped = Buffer.from(notes);
    flipped.writeUInt8(flipped.readUInt8(bit >> 3) ^ (1 << (bit & 7)), bit >> 3);
    parseBuildId(flipped);
  }
  assert.equal(parseBuildId(Buffer.alloc(64, 0xff)), null);
});
