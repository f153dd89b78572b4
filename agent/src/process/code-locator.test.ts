import assert from 'node:assert/strict';
import { test } from 'node:test';
import { parseMountinfo } from '../container/mountinfo.ts';
import { CodeLocator, type CodeReference } from './code-locator.ts';
import type { FileIdentity, HeldFile, LayerFiles } from './process-files.ts';

const MOUNTS = new Map(
  parseMountinfo(
    Buffer.from(
      [
        '1 0 0:73 / / rw - overlay overlay rw',
        '2 1 0:73 /srv/bin /usr/bin rw - overlay overlay rw',
        '3 1 0:80 / /run rw - tmpfs tmpfs rw',
        '4 1 8:1 /v /data rw - ext4 /dev/sda1 rw',
        '5 1 0:90 / /net rw - fuse.sshfs x rw\n',
      ].join('\n'),
    ),
  ).map((mount) => [mount.id, mount]),
);

/** Files of the layers by directory and path; `dir:` marks what is no file. */
const FILES: Record<string, string> = {
  '/l1/bin/sh': 'file',
  '/l1/bin/ls': 'file',
  '/l2/bin/ls': 'file',
  '/l2/bin/cut': 'other',
  '/l1/bin/cut': 'file',
  '/u/bin/changed': 'file',
  '/l1/bin/changed': 'file',
  '/l1/srv/bin/tool': 'file',
  '/u/bin/odd (deleted)': 'file',
};

/** A file of the layers by its own bytes: each is another one. */
function identify(file: string): FileIdentity {
  return { ino: BigInt(Object.keys(FILES).indexOf(file)), ctimeNs: 1n, size: 1n };
}

/** What the overlay shows at a path of a mount: the highest of the directories that has a file there. */
function show(path: string, mountId: number): FileIdentity | undefined {
  const inside = mountId === 2 ? path.replace('/usr/bin', '/srv/bin') : path;
  const file = ['/u', '/l2', '/l1'].map((directory) => `${directory}${inside}`).find((each) => FILES[each] === 'file');
  return file === undefined ? { ino: 1_000n, ctimeNs: 1n, size: 1n } : identify(file);
}

const layers: LayerFiles = {
  typeOf: (directory, path) => {
    const type = FILES[`${directory}${path}`];
    return type === 'file' || type === 'other' ? type : undefined;
  },
  identify: (directory, path) =>
    FILES[`${directory}${path}`] === 'file' ? identify(`${directory}${path}`) : undefined,
  hash: (directory, path, _maxBytes, isRestless) => `${directory}${path}${isRestless ? '!' : ''}`,
  inodeOf: () => 1n,
};
const locator = new CodeLocator(
  { device: '0:73', lowers: ['/l1', '/l2'], upper: '/u' },
  layers,
  () => new Map([['8:1', 'ext4']]),
);

interface Change extends Partial<CodeReference> {
  readonly hash?: string;
  readonly isNameless?: boolean;
  readonly identity?: FileIdentity;
}

function refer(path: string, mountId: number, change: Change = {}): CodeReference {
  const file: HeldFile = {
    path,
    mountId,
    hasName: () => change.isNameless !== true && !path.endsWith(' (deleted)'),
    identify: () => change.identity ?? show(path, mountId),
    hash: () => change.hash ?? 'held',
    close: () => undefined,
  };
  return { file, device: undefined, mounts: MOUNTS, isRestless: false, ...change };
}

const locate = (path: string, mountId: number, change: Change = {}) => {
  const { origin, path: shown, sha256, limit } = locator.locate(refer(path, mountId, change));
  return [origin, shown, sha256, limit];
};

test('a file of the image lies in the highest layer that has it', () => {
  assert.deepEqual(locate('/bin/sh', 1), ['layer', '/bin/sh', '/l1/bin/sh', undefined]);
  assert.deepEqual(locate('/bin/ls', 1), ['layer', '/bin/ls', '/l2/bin/ls', undefined]);
});

test('the upper directory comes before every layer, and restless files are read anew', () => {
  assert.deepEqual(locate('/bin/changed', 1), ['upper', '/bin/changed', '/u/bin/changed', undefined]);
  assert.equal(locate('/bin/changed', 1, { isRestless: true })[2], '/u/bin/changed!');
});

test('what a layer hides, and what no layer has, is unknown', () => {
  assert.deepEqual(locate('/bin/cut', 1), ['unknown', '/bin/cut', 'held', undefined]);
  assert.deepEqual(locate('/bin/nothing', 1), ['unknown', '/bin/nothing', 'held', undefined]);
});

test('a name that goes while the file is located is gone', () => {
  assert.deepEqual(locate('/tmp/x', 1, { isNameless: true }), ['deleted', '/tmp/x', 'held', undefined]);
  assert.deepEqual(locate('/run/x', 3, { isNameless: true }), ['deleted', '/run/x', 'held', undefined]);
  assert.equal(locate('/net/x', 5, { isNameless: true })[0], 'volume');
});

test('a name that is gone is deleted, a file that is only called so is not', () => {
  assert.deepEqual(locate('/tmp/x (deleted)', 1), ['deleted', '/tmp/x', 'held', undefined]);
  assert.equal(locate('/bin/odd (deleted)', 1)[0], 'upper');
  assert.deepEqual(locate('/run/x (deleted)', 3), ['deleted', '/run/x', 'held', undefined]);
});

test('through a bind mount of the root file system the path is the one below it', () => {
  assert.deepEqual(locate('/usr/bin/tool', 2), ['layer', '/usr/bin/tool', '/l1/srv/bin/tool', undefined]);
  assert.equal(locate('/bin/sh', 2)[0], 'unknown');
});

test('a tmpfs is memory, other file systems are volumes', () => {
  assert.deepEqual(locate('/run/x', 3), ['tmpfs', '/run/x', 'held', undefined]);
  assert.deepEqual(locate('/data/x', 4), ['volume', '/data/x', 'held', undefined]);
});

test('a file system that others serve is not read, and that is said', () => {
  assert.deepEqual(locate('/net/x', 5), ['volume', '/net/x', undefined, 'fileSystem:fuse.sshfs']);
  assert.equal(locate('/net/x (deleted)', 5)[0], 'volume');
});

test('on no mount of the container: a memfd by the device of the kernel alone, the host where it has the device', () => {
  assert.deepEqual(locate('/memfd:a (deleted)', 9, { device: '00:01' }), ['memfd', '/memfd:a', 'held', undefined]);
  assert.deepEqual(locate('/usr/bin/runc', 9, { device: '08:01' }), ['host', '/usr/bin/runc', 'held', undefined]);
  for (const device of ['00:5a', undefined]) {
    const expected = ['host', '/memfd:a', undefined, 'fileSystem:unknown'];
    assert.deepEqual(locate('/memfd:a (deleted)', 9, { device }), expected);
  }
});

test('a process that sees no mounts has its code looked up by device', () => {
  assert.equal(locate('/bin/sh', 1, { mounts: new Map(), device: '00:49' })[0], 'layer');
});

test('what cannot be read is a limit', () => {
  const reference = refer('/run/x', 3);
  const unreadable = { ...reference, file: { ...reference.file, hash: () => undefined } };
  assert.deepEqual([locator.locate(unreadable).sha256, locator.locate(unreadable).limit], [undefined, 'file']);
});

test('what was executed on the upper directory is there, or gone', () => {
  assert.equal(locator.locateExecuted('/bin/changed')?.sha256, '/u/bin/changed');
  assert.equal(locator.locateExecuted('/tmp/gone'), undefined);
});

const OTHER: FileIdentity = { ino: 1_000n, ctimeNs: 1n, size: 1n };

test('another file than the one that lies at the path is unknown, with its own bytes', () => {
  for (const mountId of [1, 9]) {
    for (const path of ['/bin/sh', '/bin/changed']) {
      const forged = locate(path, mountId, { identity: OTHER, device: '00:49' });
      assert.deepEqual(forged, ['unknown', path, 'held', undefined]);
      const resized = { ...OTHER, size: 2n };
      assert.equal(locate(path, mountId, { identity: resized, device: '00:49', hash: `/l1${path}` })[0], 'unknown');
    }
  }
  const { ino } = identify('/l1/bin/sh');
  assert.equal(locate('/bin/sh', 1, { identity: { ...OTHER, ino, ctimeNs: 2n } })[0], 'unknown');
});

test('a file that was copied up has another number, and is known by its bytes', () => {
  const copied = locate('/bin/changed', 1, { identity: OTHER, hash: '/u/bin/changed' });
  assert.deepEqual(copied, ['upper', '/bin/changed', '/u/bin/changed', undefined]);
});

test('of a shared mapping only the place on the upper directory is wanted', () => {
  const find = (path: string, mountId: number, change: Change = {}) =>
    locator.findOnUpper(refer(path, mountId, change));
  assert.deepEqual(find('/bin/changed', 1), { path: '/bin/changed' });
  assert.deepEqual(find('/bin/changed', 1, { identity: identify('/l1/bin/changed') }), { path: '/bin/changed' });
  assert.deepEqual([find('/run/x', 3), find('/bin/changed', 9), find('/tmp/x (deleted)', 1)], [{}, {}, {}]);
});

test('a shared mapping of a file to which no known path leads is a limit', () => {
  const find = (path: string, mountId: number, change: Change = {}) =>
    locator.findOnUpper(refer(path, mountId, change));
  assert.deepEqual(find('/bin/changed', 1, { identity: OTHER }), { limit: 'mapping:/bin/changed' });
  assert.deepEqual(find('/hidden', 9, { device: '00:49' }), { limit: 'mapping:/hidden' });
});
