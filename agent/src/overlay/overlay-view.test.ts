import assert from 'node:assert/strict';
import { createHash } from 'node:crypto';
import { test } from 'node:test';
import { toBytePath } from '@holdfast/evidence';
import { ViewLimitError } from '../root-view/root-view.ts';
import { type FakeEntry, FakeLayer } from './fake-layer.ts';
import { createOverlayView } from './overlay-view.ts';

const WHITEOUT: FakeEntry = { type: 'char', rdev: [0, 0] };
const OPAQUE: FakeEntry = { type: 'directory', xattrs: { 'trusted.overlay.opaque': 'y' } };

function openView(...layers: Record<string, FakeEntry | string>[]) {
  const fakes = layers.map((entries) => new FakeLayer(entries));
  const view = createOverlayView(
    fakes,
    fakes.map((_layer, number) => ({ diffId: `sha256:${number}` })),
  );
  return { view, fakes };
}

const at = (path: string) => toBytePath(path);
const read = (view: ReturnType<typeof openView>['view'], path: string) => view.readFile(at(path), 100)?.toString();

test('the topmost layer that has a file supplies it', () => {
  const { view } = openView({ '/a': 'low', '/b': 'low' }, { '/a': 'high' });
  assert.equal(read(view, '/a'), 'high');
  assert.equal(read(view, '/b'), 'low');
  assert.equal(view.lstat(at('/a'))?.layer, 1);
  assert.equal(view.lstat(at('/b'))?.layer, 0);
  assert.equal(view.hashFile(at('/b')), createHash('sha256').update('low').digest('hex'));
});

test('directories of all layers are merged and listed in byte order', () => {
  const { view } = openView({ '/d/b': '', '/d/\xe9': '' }, { '/d/a': '' }, { '/d/B': '' });
  assert.deepEqual(view.list(at('/d')), ['B', 'a', 'b', '\xe9']);
});

test('a whiteout hides what lies below it, and only that', () => {
  const { view } = openView({ '/d/a': 'x', '/d/b': 'y' }, { '/d/a': WHITEOUT });
  assert.equal(view.lstat(at('/d/a')), undefined);
  assert.deepEqual(view.list(at('/d')), ['b']);
  assert.equal(read(view, '/d/a'), undefined);
});

test('a file made anew above a whiteout shows', () => {
  const { view } = openView({ '/a': 'old' }, { '/a': WHITEOUT }, { '/a': 'new' });
  assert.equal(read(view, '/a'), 'new');
});

test('a whiteout of a directory hides its whole tree', () => {
  const { view } = openView({ '/d/e/f': 'x' }, { '/d': WHITEOUT });
  assert.equal(view.lstat(at('/d/e/f')), undefined);
  assert.deepEqual(view.list(at('/d')), []);
});

test('an opaque directory shows only what lies in it and above it', () => {
  const { view } = openView({ '/d/low': '' }, { '/d': OPAQUE, '/d/mid': '' }, { '/d/top': '' });
  assert.deepEqual(view.list(at('/d')), ['mid', 'top']);
  assert.equal(view.lstat(at('/d/low')), undefined);
});

test('a whiteout device is no whiteout with another number', () => {
  const { view } = openView({ '/dev/null': { type: 'char', rdev: [1, 3] } });
  assert.equal(view.lstat(at('/dev/null'))?.type, 'char');
});

test('a file in a middle layer ends the merge of a directory', () => {
  const { view } = openView({ '/d/low': '' }, { '/d': 'file' }, { '/d/top': '' });
  assert.deepEqual(view.list(at('/d')), ['top']);
});

test('a file over a directory hides the directory', () => {
  const { view } = openView({ '/d/low': '' }, { '/d': 'file' });
  assert.equal(read(view, '/d'), 'file');
  assert.equal(view.lstat(at('/d/low')), undefined);
  assert.deepEqual(view.list(at('/d')), []);
});

test('an attribute makes a whiteout only in a directory that says so', () => {
  const whiteout: FakeEntry = { content: '', xattrs: { 'trusted.overlay.whiteout': '' } };
  const marked: FakeEntry = { type: 'directory', xattrs: { 'trusted.overlay.opaque': 'x' } };
  const { view } = openView({ '/d/a': 'x', '/e/a': 'x' }, { '/d': marked, '/d/a': whiteout, '/e/a': whiteout });
  assert.deepEqual(view.list(at('/d')), []);
  assert.equal(view.lstat(at('/d/a')), undefined);
  assert.deepEqual(view.list(at('/e')), ['a']);
});

test('an attribute whiteout that has content is a file', () => {
  const marked: FakeEntry = { type: 'directory', xattrs: { 'trusted.overlay.opaque': 'x' } };
  const file: FakeEntry = { content: 'y', xattrs: { 'trusted.overlay.whiteout': '' } };
  const { view } = openView({ '/d/a': 'x' }, { '/d': marked, '/d/a': file });
  assert.equal(read(view, '/d/a'), 'y');
});

test('a redirected directory and a copy of attributes alone are refused, not guessed', () => {
  const redirected: FakeEntry = { type: 'directory', xattrs: { 'trusted.overlay.redirect': '/old' } };
  const metacopy: FakeEntry = { content: 'zeros', xattrs: { 'trusted.overlay.metacopy': '' } };
  const { view } = openView({ '/old/a': '' }, { '/new': redirected, '/f': metacopy });
  assert.throws(() => view.list(at('/new')), ViewLimitError);
  assert.throws(() => view.readFile(at('/f'), 100), ViewLimitError);
  assert.throws(() => view.hashFile(at('/f')), ViewLimitError);
});

test('a link among the parents leads nowhere; resolve follows it inside the root', () => {
  const { view } = openView({ '/usr/lib/x': 'x' }, { '/lib': { type: 'symlink', target: '../usr/lib' } });
  assert.equal(view.lstat(at('/lib/x')), undefined);
  assert.equal(view.resolve(at('/lib/x')), '/usr/lib/x');
  assert.equal(view.lstat(at('/lib'))?.target, '../usr/lib');
});

test('a directory of a higher layer hides a link of a lower one', () => {
  const { view } = openView({ '/lib': { type: 'symlink', target: 'usr/lib' }, '/usr/lib/x': 'x' }, { '/lib/y': 'y' });
  assert.equal(view.lstat(at('/lib'))?.type, 'directory');
  assert.deepEqual(view.list(at('/lib')), ['y']);
});

test('directories and special files have no content', () => {
  const { view } = openView({ '/d/a': 'x', '/p': { type: 'fifo' } });
  assert.equal(view.readFile(at('/d'), 10), undefined);
  assert.equal(view.readHead(at('/p'), 10), undefined);
  assert.equal(view.hashFile(at('/')), undefined);
});

test('seventy layers merge like two', () => {
  const layers = Array.from({ length: 70 }, (_layer, number) => ({
    [`/d/f${number}`]: `${number}`,
    '/same': `${number}`,
  }));
  const { view } = openView(...layers);
  assert.equal(view.list(at('/d')).length, 70);
  assert.equal(read(view, '/same'), '69');
});

test('closing the view closes every layer', () => {
  const { view, fakes } = openView({}, {});
  view.close();
  assert.deepEqual(
    fakes.map((layer) => layer.closed),
    [1, 1],
  );
});

test('after its deadline every call is the limit time', () => {
  const view = createOverlayView([new FakeLayer({ '/a': '' })], [{ diffId: null }], 0);
  assert.throws(() => view.lstat(at('/a')), ViewLimitError);
  assert.throws(() => view.list(at('/')), ViewLimitError);
});
