import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import { toBytePath } from '@holdfast/evidence';
import { archive, member } from '../tar/tar-bytes.test-support.ts';
import { TarParser } from '../tar/tar-parser.ts';
import { LayerTree } from '../tree/layer-tree.ts';
import { MergedTree } from './merged-tree.ts';

type MergedNode = NonNullable<ReturnType<MergedTree['find']>>;

type Member = Parameters<typeof member>[0];

function merge(...layers: Member[][]): MergedNode {
  const merged = new MergedTree();
  for (const [index, members] of layers.entries()) {
    const tree = new LayerTree();
    const parser = new TarParser({
      onEntry: (entry) => {
        tree.apply(entry);
      },
      onData: () => undefined,
      onEnd: () => undefined,
    });
    parser.push(archive(...members.map(member)));
    parser.end();
    merged.merge(tree.root, index);
  }
  const root = merged.find(toBytePath('/'));
  assert.ok(root);
  return root;
}

function list(node: MergedNode, prefix = ''): string[] {
  return [...(node.children ?? [])]
    .flatMap(([name, child]) => [`${prefix}${name}@${child.layer}`, ...list(child, `${prefix}${name}/`)])
    .sort();
}

const directory = (name: string, mode = 0o755): Member => ({ name, flag: '5', mode });

describe('merged tree', () => {
  it('names the layer that supplied each entry', () => {
    const root = merge([directory('d'), { name: 'd/a' }, { name: 'd/b' }], [{ name: 'd/b' }, { name: 'd/c' }]);
    assert.deepEqual(list(root), ['d/a@0', 'd/b@1', 'd/c@1', 'd@0']);
  });

  it('removes what a whiteout or a character device 0:0 covers', () => {
    const root = merge([{ name: 'a' }, { name: 'd/x' }], [{ name: '.wh.a' }, { name: 'd', flag: '3' }]);
    assert.deepEqual(list(root), []);
  });

  it('hides what is below an opaque directory, and keeps what comes with it', () => {
    const root = merge([directory('d', 0o700), { name: 'd/x' }], [{ name: 'd/.wh..wh..opq' }, { name: 'd/y' }]);
    assert.deepEqual(list(root), ['d/y@1', 'd@0']);
    assert.equal(root.children?.get('d')?.source.mode, 0o700, 'an implied directory keeps its attributes');
  });

  it('does not honour an opaque root, as the kernel does not', () => {
    assert.deepEqual(list(merge([{ name: 'a' }], [{ name: '.wh..wh..opq' }, { name: 'b' }])), ['a@0', 'b@1']);
  });

  it('puts a real directory over a link instead of following it', () => {
    const root = merge(
      [directory('usr/lib', 0o751), { name: 'usr/lib/a' }, { name: 'lib', flag: '2', link: 'usr/lib' }],
      [{ name: 'lib/b' }],
    );
    assert.deepEqual(list(root), ['lib/b@1', 'lib@1', 'usr/lib/a@0', 'usr/lib@0', 'usr@0']);
    assert.equal(root.children?.get('lib')?.source.mode, 0o751, "with the attributes of the link's target");
  });

  it('takes the attributes of a directory that is described again', () => {
    const root = merge([directory('d', 0o755), { name: 'd/x' }], [directory('d', 0o700)]);
    assert.equal(root.children?.get('d')?.source.mode, 0o700);
    assert.deepEqual(list(root), ['d/x@0', 'd@1']);
  });

  it('merges trees as deep as a path can be', () => {
    const longName = (name: string): Member => ({ name: '././@LongLink', flag: 'L', content: `${name}\0` });
    const deep = 'a/'.repeat(2040);
    let node = merge([longName(`${deep}x`), {}], [longName(`${deep}y`), {}]);
    for (let depth = 0; depth < 2040; depth += 1) {
      const child = node.children?.get('a');
      assert.ok(child, `depth ${depth}`);
      node = child;
    }
    assert.deepEqual(list(node), ['x@0', 'y@1']);
  });

  it('replaces a directory by a file and a file by a directory', () => {
    const root = merge([{ name: 'd/x' }, { name: 'f' }], [{ name: 'd' }, { name: 'f/y' }]);
    assert.deepEqual(list(root), ['d@1', 'f/y@1', 'f@1']);
  });
});
