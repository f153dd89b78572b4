import assert from 'node:assert/strict';
import { test } from 'node:test';
import type { WalkEntry } from '@holdfast/rootfs';
import { createImplicitDirectory, type LayerNode } from '../tree/layer-node.ts';
import { compareAttributes } from './compare-attributes.ts';
import { type ImpliedAttributes, PLAIN_DIRECTORIES } from './implied-directory.ts';
import { DifferenceList } from './layer-difference.ts';

const STAT: WalkEntry['stat'] = {
  type: 'directory',
  mode: 0o755,
  uid: 0,
  gid: 0,
  size: 4096,
  nlink: 2,
  ino: 1n,
  devMajor: 0,
  devMinor: 0,
  rdevMajor: 0,
  rdevMinor: 0,
  mtimeNs: 0n,
  ctimeNs: 0n,
  blocks: 0n,
  birthNs: 0n,
};

function compare(stat: Partial<WalkEntry['stat']>, xattrs: WalkEntry['xattrs'] = {}, below?: ImpliedAttributes) {
  const differences = new DifferenceList(10);
  const implied = below === undefined ? PLAIN_DIRECTORIES : { attributesOf: () => below, close: () => undefined };
  const node: LayerNode = createImplicitDirectory();
  const entry = { path: Buffer.from('etc'), stat: { ...STAT, ...stat }, xattrs: xattrs ?? {} };
  assert.equal(compareAttributes('etc', node, entry, { implied, differences }), true);
  return differences.items.map(({ field, expected, actual }) => [field, expected, actual]);
}

test('a directory that no tar names is plain, and any other mode, owner or attribute of it is a difference', () => {
  assert.deepEqual(compare({}), []);
  assert.deepEqual(compare({ mode: 0o777 }), [['mode', '0755', '0777']]);
  assert.deepEqual(compare({ uid: 5, gid: 6 }), [
    ['uid', '0', '5'],
    ['gid', '0', '6'],
  ]);
  assert.deepEqual(compare({}, { 'user.a': Buffer.from('A') }), [['xattr', 'user.a=', 'user.a=41']]);
});

test('one that a layer below has is like that one', () => {
  const below = { mode: 0o1777, uid: 5, gid: 6, xattrs: new Map([['user.a', Buffer.from('A')]]) };
  assert.deepEqual(compare(below, { 'user.a': Buffer.from('A') }, below), []);
  assert.deepEqual(compare({ ...below, mode: 0o755 }, {}, below), [
    ['xattr', 'user.a=41', 'user.a='],
    ['mode', '1777', '0755'],
  ]);
});
