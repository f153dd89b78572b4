import assert from 'node:assert/strict';
import { test } from 'node:test';
import { parseMountinfo } from './mountinfo.ts';
import { findForeignRoots, makeDevice, type ProcessView } from './process-roots.ts';

const [ROOT_MOUNT] = parseMountinfo(Buffer.from('70 47 0:39 / / rw - overlay overlay rw,lowerdir=/l,upperdir=/u\n'));
const DEVICE = makeDevice(0, 39);

interface FakeProcess {
  readonly namespace?: string;
  readonly dev?: bigint;
  readonly ino?: bigint;
}

/** The upper directory has inode 10, the lower one 11. */
function look(processes: Record<number, FakeProcess>) {
  const view: ProcessView = {
    readMountinfo: async () => [],
    readMountNamespace: async (pid) =>
      processes[pid] === undefined ? undefined : (processes[pid].namespace ?? 'mnt:[1]'),
    statRoot: async (pid) =>
      processes[pid] === undefined ? undefined : { dev: processes[pid].dev ?? DEVICE, ino: processes[pid].ino ?? 10n },
    statDirectory: async (path) => (path === '/gone' ? undefined : { dev: 1n, ino: path === '/u' ? 10n : 11n }),
  };
  assert.ok(ROOT_MOUNT !== undefined);
  const pids = Object.keys(processes).map(Number);
  return findForeignRoots(view, { pid: 1, pids, rootMount: ROOT_MOUNT, directories: ['/l', '/u'] });
}

test('processes of the container itself are no finding', async () => {
  assert.deepEqual(await look({ 1: {}, 2: {}, 3: { ino: 11n } }), new Set());
});

test('a process in another mount namespace is named', async () => {
  assert.deepEqual(await look({ 1: {}, 2: { namespace: 'mnt:[2]' } }), new Set(['foreignMountNamespace']));
});

test('a process with another directory of the same file system as root is named, the first one too', async () => {
  assert.deepEqual(await look({ 1: {}, 2: { ino: 99n } }), new Set(['foreignRoot']));
  assert.deepEqual(await look({ 1: { ino: 99n } }), new Set(['foreignRoot']));
});

test('a process with a root of another file system that happens to have the inode number is named', async () => {
  assert.deepEqual(await look({ 1: {}, 2: { dev: 5n } }), new Set(['foreignRoot']));
});

test('processes that ended meanwhile are passed over', async () => {
  assert.deepEqual(await look({}), new Set());
});

test('device numbers are packed as the C library does', () => {
  assert.equal(makeDevice(0, 39), 39n);
  assert.equal(makeDevice(254, 0), 0xfe00n);
  assert.equal(makeDevice(8, 0x12345), 0x12300845n);
  assert.equal(makeDevice(0x12345, 1), 0x1200000034501n);
});
