import assert from 'node:assert/strict';
import { mkdirSync, mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { type TestContext, test } from 'node:test';
import { ContainerGroups, findNamed } from './container-group.ts';

/** A host's root directory with the cgroup of process 7 and what is said of cgroups. */
function createHost(t: TestContext, memberships: string, files: Record<string, string>): string {
  const host = mkdtempSync(join(tmpdir(), 'holdfast-group-'));
  t.after(() => rmSync(host, { recursive: true, force: true }));
  write(host, { 'proc/7/cgroup': memberships, ...files });
  return host;
}

function write(host: string, files: Record<string, string>): void {
  for (const [path, text] of Object.entries(files)) {
    mkdirSync(join(host, path, '..'), { recursive: true });
    writeFileSync(join(host, path), text);
  }
}

test('the place that the specification names is found, by path or by unit of systemd', () => {
  const unit = '/kubepods.slice/pod1.slice/cri-containerd-ab.scope';
  const rows: [string, string, string | undefined][] = [
    ['/default/ab', '/default/ab', '/default/ab'],
    ['/default/ab/sub/default/ab', 'default/ab', '/default/ab'],
    ['/outer/default/ab/sub', '/default/ab', '/outer/default/ab'],
    ['/default/abc', '/default/ab', undefined],
    ['/x-default/ab', '/default/ab', undefined],
    [`${unit}/init`, 'pod1.slice:cri-containerd:ab', unit],
    ['/machine.slice/ab.scope', 'machine.slice::ab', '/machine.slice/ab.scope'],
    ['/machine.slice/ab.slice', 'machine.slice:x:ab.slice', '/machine.slice/ab.slice'],
    ['/kubepods.slice/cri-containerd-abc.scope', 'pod1.slice:cri-containerd:ab', undefined],
    ['/a', '/', undefined],
    ['/a', '', undefined],
  ];
  for (const [path, cgroupsPath, expected] of rows) assert.equal(findNamed(path, cgroupsPath), expected, path);
});

test('processes of the whole cgroup count, also where the first one went into a part of it', (t) => {
  const host = createHost(t, '0::/c/ab/init\n', {
    'sys/fs/cgroup/c/ab/cgroup.procs': '9\n',
    'sys/fs/cgroup/c/ab/cpu.stat': 'usage_usec 12\nuser_usec 3\n',
    'sys/fs/cgroup/c/ab/init/cgroup.procs': '7\n8\n',
  });
  const group = new ContainerGroups(host).read(7, '/c/ab');
  assert.deepEqual(group, { pids: [9, 7, 8], usage: 'usage_usec 12' });
});

test('a hierarchy of its own for each controller is read, and the one that accounts for time', (t) => {
  const host = createHost(t, '9:pids:/c/ab\n2:cpu,cpuacct:/c/ab\n0::/\n', {
    'sys/fs/cgroup/pids/c/ab/cgroup.procs': '7\n',
    'sys/fs/cgroup/cpuacct/c/ab/cgroup.procs': '7\n',
    'sys/fs/cgroup/cpuacct/c/ab/cpuacct.usage': '12\n',
  });
  assert.deepEqual(new ContainerGroups(host).read(7, '/c/ab'), { pids: [7], usage: '12\n' });
});

test('while no time was used the answer is the same one, and another one as soon as some was', (t) => {
  const [procs, stat] = ['sys/fs/cgroup/c/ab/cgroup.procs', 'sys/fs/cgroup/c/ab/cpu.stat'];
  const host = createHost(t, '0::/c/ab\n', { [procs]: '7\n', [stat]: 'usage_usec 1\n' });
  const groups = new ContainerGroups(host);
  const first = groups.read(7, '/c/ab');
  assert.ok(first !== undefined && groups.read(7, '/c/ab') === first);
  write(host, { [procs]: '7\n8\n', [stat]: 'usage_usec 2\n' });
  assert.deepEqual(groups.read(7, '/c/ab')?.pids, [7, 8]);
});

test('without an account of time every answer is a new one', (t) => {
  const host = createHost(t, '0::/c/ab\n', { 'sys/fs/cgroup/c/ab/cgroup.procs': '7\n' });
  const groups = new ContainerGroups(host);
  const first = groups.read(7, '/c/ab');
  assert.equal(first?.usage, undefined);
  assert.ok(first !== undefined && groups.read(7, '/c/ab') !== first);
});

test('a number that another process has by now is looked for anew', (t) => {
  const [old, other] = ['sys/fs/cgroup/c/ab', 'sys/fs/cgroup/d/c/ab'];
  const host = createHost(t, '0::/c/ab\n', { [`${old}/cgroup.procs`]: '7\n', [`${old}/cpu.stat`]: 'usage_usec 1\n' });
  const groups = new ContainerGroups(host);
  assert.deepEqual(groups.read(7, '/c/ab')?.pids, [7]);
  write(host, {
    'proc/7/cgroup': '0::/d/c/ab\n',
    [`${old}/cgroup.procs`]: '',
    [`${old}/cpu.stat`]: 'usage_usec 2\n',
    [`${other}/cgroup.procs`]: '7\n6\n',
  });
  assert.deepEqual(groups.read(7, '/c/ab')?.pids, [7, 6]);
  assert.equal(groups.read(5, '/c/ab'), undefined);
});

test('a place that cannot be followed, or does not hold the process, is none', (t) => {
  const host = createHost(t, '0::/../c/ab\n', { 'sys/fs/cgroup/c/ab/cgroup.procs': '7\n' });
  assert.equal(new ContainerGroups(host).read(7, '/c/ab'), undefined);
  write(host, { 'proc/7/cgroup': '0::/c/ab\n', 'sys/fs/cgroup/c/ab/cgroup.procs': '8\n' });
  assert.equal(new ContainerGroups(host).read(7, '/c/ab'), undefined);
  const below = Array.from({ length: 300 }, (_, at) => [`sys/fs/cgroup/c/ab/${at}/cgroup.procs`, '']);
  write(host, { 'sys/fs/cgroup/c/ab/cgroup.procs': '7\n', ...Object.fromEntries(below) });
  assert.equal(new ContainerGroups(host).read(7, '/c/ab'), undefined);
});

test('more processes than are read, as a container without a limit starts, are none rather than a failure', (t) => {
  const procs = Array.from({ length: 300_000 }, (_, at) => `${at + 1}\n`).join('');
  const host = createHost(t, '0::/c/ab\n', { 'sys/fs/cgroup/c/ab/cgroup.procs': procs });
  assert.equal(new ContainerGroups(host).read(7, '/c/ab'), undefined);
});

test('an account that some of the processes are not in says nothing of whether they ran', (t) => {
  const host = createHost(t, '9:pids:/c/ab\n2:cpuacct:/c/ab\n', {
    'sys/fs/cgroup/pids/c/ab/cgroup.procs': '7\n8\n',
    'sys/fs/cgroup/cpuacct/c/ab/cgroup.procs': '7\n',
    'sys/fs/cgroup/cpuacct/c/ab/cpuacct.usage': '12\n',
  });
  assert.deepEqual(new ContainerGroups(host).read(7, '/c/ab'), { pids: [7, 8], usage: undefined });
});
