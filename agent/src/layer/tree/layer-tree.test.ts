import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import type { TarEntry } from '../tar/tar-entry.ts';
import { isWhiteout, type LayerNode } from './layer-node.ts';
import { LayerTree } from './layer-tree.ts';

const MALFORMED = { name: 'EvidenceError', code: 'ERR_EVIDENCE_MALFORMED' };

function entry(path: string, fields: Partial<TarEntry> = {}): TarEntry {
  return {
    path,
    type: 'file',
    mode: 0o644,
    uid: 0,
    gid: 0,
    size: 0,
    target: '',
    rdevMajor: 0,
    rdevMinor: 0,
    xattrs: undefined,
    dataOffset: 0,
    segments: undefined,
    ...fields,
  };
}

const directory = (path: string, fields: Partial<TarEntry> = {}): TarEntry =>
  entry(path, { type: 'directory', mode: 0o755, ...fields });
const link = (path: string, target: string, fields: Partial<TarEntry> = {}): TarEntry =>
  entry(path, { type: 'hardlink', target, ...fields });
const symlink = (path: string, target: string): TarEntry => entry(path, { type: 'symlink', target });

function build(...entries: TarEntry[]): LayerTree {
  const tree = new LayerTree();
  for (const each of entries) tree.apply(each);
  return tree;
}

function at(tree: LayerTree, path: string): LayerNode | undefined {
  let node: LayerNode | undefined = tree.root;
  for (const name of path.split('/')) node = node?.children?.get(name);
  return node;
}

describe('layer tree', () => {
  it('passes over the root entry', () => {
    const tree = new LayerTree();
    for (const path of ['.', './', '/', 'a/..', ''])
      assert.equal(tree.apply(directory(path, { mode: 0o700 })), undefined);
    assert.equal(tree.root.mode, 0o755);
  });

  it('makes parents that nobody described and says so', () => {
    const tree = build(entry('usr/lib/x'));
    assert.equal(at(tree, 'usr/lib')?.isImplicit, true);
    tree.apply(directory('usr/lib', { mode: 0o700, uid: 3 }));
    assert.equal(at(tree, 'usr/lib')?.isImplicit, false);
    assert.equal(at(tree, 'usr/lib')?.mode, 0o700);
    assert.ok(at(tree, 'usr/lib/x'), 'describing a directory keeps what is in it');
  });

  it('normalises paths and keeps them inside the root', () => {
    const tree = build(entry('/a/./b//c'), entry('../../d'), entry('x/../e'));
    for (const path of ['a/b/c', 'd', 'e']) assert.ok(at(tree, path), path);
    assert.equal(at(tree, 'x'), undefined);
  });

  it('lets the last of several entries win', () => {
    const tree = build(
      entry('f', { mode: 0o600 }),
      entry('f', { mode: 0o640 }),
      directory('d'),
      entry('d/x'),
      entry('d'),
    );
    assert.equal(at(tree, 'f')?.mode, 0o640);
    assert.equal(at(tree, 'd')?.type, 'file');
  });

  it('follows links of the same layer among the parents, absolute and relative, never out of the root', () => {
    const tree = build(
      directory('usr/lib'),
      symlink('lib', 'usr/lib'),
      symlink('abs', '/usr/../usr/lib'),
      symlink('out', '../../../usr'),
      entry('lib/a'),
      entry('abs/b'),
      entry('out/lib/c'),
    );
    for (const name of ['a', 'b', 'c']) assert.ok(at(tree, `usr/lib/${name}`), name);
    assert.equal(at(tree, 'lib')?.type, 'symlink');
  });

  it('refuses link loops and parents that are no directory', () => {
    assert.throws(() => build(symlink('a', 'b'), symlink('b', 'a'), entry('a/x')), MALFORMED);
    assert.throws(() => build(entry('f'), entry('f/x')), MALFORMED);
  });

  it('turns whiteouts into deletions and the opaque marker into an attribute', () => {
    const tree = build(entry('d/.wh.gone', { uid: 4 }), entry('d/.wh..wh..opq'), entry('e/x', { type: 'char' }));
    const gone = at(tree, 'd/gone');
    assert.ok(gone && isWhiteout(gone));
    assert.equal(at(tree, 'd')?.isOpaque, true);
    const literal = at(tree, 'e/x');
    assert.ok(literal && isWhiteout(literal));
    assert.equal(at(tree, 'd/.wh.gone'), undefined);
  });

  it('lets an entry replace a whiteout but not the other way round', () => {
    assert.equal(at(build(entry('.wh.f'), entry('f')), 'f')?.type, 'file');
    assert.throws(() => build(entry('f'), entry('.wh.f')), MALFORMED);
  });

  it('refuses whiteouts of nothing', () => {
    for (const path of ['.wh.', 'd/.wh..', 'd/.wh...']) assert.throws(() => build(entry(path)), MALFORMED, path);
  });

  it('gives hard links one node and the owner of the last header', () => {
    const tree = build(entry('a', { uid: 1, mode: 0o4755 }), link('b', './a', { uid: 2, mode: 0o600 }));
    assert.equal(at(tree, 'a'), at(tree, 'b'));
    assert.equal(at(tree, 'a')?.uid, 2);
    assert.equal(at(tree, 'a')?.mode, 0o4755);
  });

  it('takes the capability from a file that is linked again', () => {
    const capability = Buffer.from('01', 'hex');
    const xattrs = new Map([
      ['security.capability', capability],
      ['user.a', capability],
    ]);
    const node = at(build(entry('a', { xattrs }), link('b', 'a')), 'a');
    assert.deepEqual([...(node?.xattrs?.keys() ?? [])], ['user.a']);
    assert.equal(node?.lostCapability, capability);
    const kept = at(build(entry('a', { xattrs }), link('b', 'a', { xattrs })), 'a');
    assert.equal(kept?.xattrs?.get('security.capability'), capability);
  });

  it('links through a link of the same layer, and to a link itself', () => {
    const tree = build(entry('d/f'), symlink('s', 'd'), link('x', 's/f'), link('y', 's'));
    assert.equal(at(tree, 'x'), at(tree, 'd/f'));
    assert.equal(at(tree, 'y')?.type, 'symlink');
  });

  it('refuses hard links to lower layers, to directories and to themselves', () => {
    assert.throws(() => build(link('a', 'not-here')), MALFORMED);
    assert.throws(() => build(directory('d'), link('a', 'd')), MALFORMED);
    assert.throws(() => build(entry('a'), link('a', 'a')), MALFORMED);
  });

  it('refuses paths that no file system can hold', () => {
    for (const path of ['a'.repeat(256), 'a/'.repeat(2100), 'a\0b']) assert.throws(() => build(entry(path)), MALFORMED);
  });
});
