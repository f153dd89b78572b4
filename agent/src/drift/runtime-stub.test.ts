import assert from 'node:assert/strict';
import { test } from 'node:test';
import { toBytePath } from '@holdfast/evidence';
import type { RootStat } from '@holdfast/rootfs';
import { collectMountPoints, isRuntimeStub } from './runtime-stub.ts';

const STAT: RootStat = {
  type: 'symlink',
  mode: 0o777,
  birthNs: 0n,
  uid: 0,
  gid: 0,
  size: 12,
  nlink: 1,
  ino: 1n,
  devMajor: 0,
  devMinor: 0,
  rdevMajor: 0,
  rdevMinor: 0,
  mtimeNs: 0n,
  ctimeNs: 0n,
  blocks: 0n,
};

const isStub = (path: string, target: string | undefined, stat: Partial<RootStat> = {}) => {
  const entry = { path: toBytePath(path), target, xattrs: {}, problem: undefined, stat: { ...STAT, ...stat } };
  return isRuntimeStub(entry, collectMountPoints(['/proc']));
};

test('the mount table’s link that podman makes is a stub only when exact', () => {
  assert.equal(isStub('/etc/mtab', '/proc/mounts'), true);
  assert.equal(isStub('/etc/mtab', '/tmp/mounts'), false);
  assert.equal(isStub('/etc/mtab2', '/proc/mounts'), false);
  assert.equal(isStub('/etc/mtab', '/proc/mounts', { uid: 1 }), false);
  assert.equal(isStub('/etc/mtab', '/proc/mounts', { gid: 1 }), false);
  assert.equal(isStub('/etc/mtab', undefined, { type: 'file' }), false);
});
