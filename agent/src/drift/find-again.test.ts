import assert from 'node:assert/strict';
import { createHash } from 'node:crypto';
import { test } from 'node:test';
import { type BytePath, parseDrift, toBytePath } from '@holdfast/evidence';
import { type FileRange, RootfsError } from '@holdfast/rootfs';
import { FakeLayer } from '../overlay/fake-layer.ts';
import { createOverlayView } from '../overlay/overlay-view.ts';
import { collectDrift, createDriftMemory } from './collect-drift.ts';
import { isSameObject } from './find-again.ts';
import { collectMountPoints } from './runtime-stub.ts';
import { updateDrift } from './update-drift.ts';
import type { UpperEntry, UpperSource } from './upper-source.ts';

const ELF = '\x7fELF evil';

/** An upper directory in memory whose entries are objects with numbers, and that moves while it is read. */
class MovingUpper implements UpperSource {
  readonly #objects = new Map<string, { ino: bigint; content: string | undefined }>();
  readonly memory = createDriftMemory();
  #nextIno = 1n;
  /** Called between the walk's own look at everything and the first comparison. */
  onWalked: () => void = () => undefined;
  onOpen: () => void = () => undefined;

  /** Makes a file, or a directory where there is no content. */
  make(path: string, content?: string): void {
    this.#objects.set(path, { ino: this.#nextIno, content });
    this.#nextIno += 1n;
  }

  remove(path: string): void {
    for (const each of this.#below(path)) this.#objects.delete(each);
  }

  rename(from: string, to: string): void {
    const moved = this.#below(from).map((path) => [to + path.slice(from.length), this.#objects.get(path)] as const);
    this.remove(from);
    for (const [path, object] of moved) if (object !== undefined) this.#objects.set(path, object);
  }

  scan() {
    const { document, limits } = collectDrift(this.#request());
    return { paths: parseDrift(document).relevant.map(({ path }) => path), limits };
  }

  update(...paths: string[]) {
    const request = this.#request();
    const outcome = updateDrift({ ...request, paths, since: request.memory.last?.outcome.sha256 ?? null });
    return outcome && parseDrift(outcome.document).relevant.map(({ path }) => path);
  }

  walk(onEntry: (entry: UpperEntry) => void): void {
    const told = this.#lookAll([...this.#objects.keys()]);
    this.onWalked();
    told.forEach(onEntry);
  }

  walkBelow(directory: BytePath, onEntry: (entry: UpperEntry) => void): void {
    if (this.look(directory) === undefined) throw new RootfsError('ERR_ROOTFS_NOT_FOUND', 'gone');
    this.#lookAll(this.#below(directory).filter((path) => path !== directory)).forEach(onEntry);
  }

  look(path: BytePath): UpperEntry | undefined {
    const object = this.#objects.get(path);
    if (object === undefined) return undefined;
    const { ino, content } = object;
    const place = { uid: 0, gid: 0, rdevMajor: 0, rdevMinor: 0, nlink: 1, ctimeNs: 0n, birthNs: 7n };
    const kind =
      content === undefined ? { type: 'directory' as const, mode: 0o755 } : { type: 'file' as const, mode: 0o644 };
    const stat = { ...kind, ...place, ino, size: content?.length ?? 0 };
    return { path, stat, target: undefined, xattrs: {}, problem: undefined };
  }

  findNames(directory: BytePath, inodes: readonly bigint[]): string[] {
    const isWanted = (path: string) => inodes.includes(this.#objects.get(path)?.ino ?? 0n);
    const children = [...this.#objects.keys()].filter((path) => path !== '/' && path.lastIndexOf('/') > 0);
    const inside = children.filter((path) => path.slice(0, path.lastIndexOf('/')) === directory);
    return inside.filter(isWanted).map((path) => path.slice(directory.length + 1));
  }

  hashFile(entry: UpperEntry): string {
    return createHash('sha256').update(this.#open(entry)).digest('hex');
  }

  readParts(entry: UpperEntry, ranges: readonly FileRange[]): Buffer[] {
    const content = this.#open(entry);
    return ranges.map(({ offset, length }) => content.subarray(offset, offset + length));
  }

  lookInside = (path: BytePath) => this.look(path);
  close(): void {}

  #open({ path, stat }: UpperEntry): Buffer {
    this.onOpen();
    const now = this.look(path);
    if (now === undefined || !isSameObject(now.stat, stat)) throw new RootfsError('ERR_ROOTFS_NOT_FOUND', 'gone');
    return Buffer.from(this.#objects.get(path)?.content ?? '', 'latin1');
  }

  #lookAll(paths: string[]): UpperEntry[] {
    return paths.sort().flatMap((path) => this.look(toBytePath(path)) ?? []);
  }

  #below(path: string): string[] {
    return [...this.#objects.keys()].filter((each) => each === path || each.startsWith(`${path}/`));
  }

  #request() {
    return {
      source: this,
      image: createOverlayView([new FakeLayer({})], [{ diffId: null }]),
      mountPoints: collectMountPoints([]),
      owners: () => ({ ownerOf: () => undefined }),
      deadlineMs: Number.POSITIVE_INFINITY,
      memory: this.memory,
    };
  }
}

function createUpper(): MovingUpper {
  const upper = new MovingUpper();
  for (const directory of ['/', '/tmp', '/tmp/d']) upper.make(directory);
  upper.make('/tmp/d/evil', ELF);
  return upper;
}

test('a directory that is renamed between walk and comparison and back does not make its content the same for ever', () => {
  const upper = createUpper();
  upper.onWalked = () => upper.rename('/tmp/d', '/tmp/e');
  assert.deepEqual(upper.scan(), { paths: ['/tmp/e/evil'], limits: [] });
  upper.onWalked = () => undefined;
  upper.rename('/tmp/e', '/tmp/d');
  assert.deepEqual(upper.scan(), { paths: ['/tmp/d/evil'], limits: [] });
});

test('what moves to another directory is told by the next walk, and until then nothing is said of it', () => {
  const upper = createUpper();
  upper.make('/tmp/other');
  upper.onWalked = () => upper.rename('/tmp/d', '/tmp/other/d');
  assert.deepEqual(upper.scan().paths, []);
  upper.onWalked = () => upper.rename('/tmp/other/d', '/tmp/d');
  upper.scan();
  upper.onWalked = () => undefined;
  assert.deepEqual(upper.scan(), { paths: ['/tmp/d/evil'], limits: [] });
});

test('what has another name each time it is opened is a limit, and is found once it stands still', () => {
  const upper = createUpper();
  let name = '/tmp/d';
  let moves = 0;
  upper.onOpen = () => {
    upper.rename(name, `/tmp/d${moves}`);
    name = `/tmp/d${moves}`;
    moves += 1;
  };
  const { paths, limits } = upper.scan();
  assert.deepEqual(paths, []);
  assert.match(limits.join(), /^changedWhileRead:\/tmp\/d\d\/evil$/);
  assert.ok(moves <= 6, `${moves} tries`);
  upper.onOpen = () => undefined;
  assert.deepEqual(upper.scan(), { paths: [`${name}/evil`], limits: [] });
});

test('a file that takes the place of another for the time of the comparison does not decide for it', () => {
  const upper = createUpper();
  upper.make('/tmp/e');
  upper.make('/tmp/e/evil', 'harmless');
  const swap = () => {
    upper.rename('/tmp/d', '/tmp/x');
    upper.rename('/tmp/e', '/tmp/d');
    upper.rename('/tmp/x', '/tmp/e');
  };
  upper.onWalked = swap;
  assert.deepEqual(upper.scan(), { paths: ['/tmp/e/evil'], limits: [] });
  upper.onWalked = () => undefined;
  swap();
  assert.deepEqual(upper.scan(), { paths: ['/tmp/d/evil'], limits: [] });
});

test('temporary files that are removed meanwhile are nothing, and those that come again are compared', () => {
  const upper = createUpper();
  upper.remove('/tmp/d');
  for (const name of ['lock', 'gone', 'state.tmp']) upper.make(`/tmp/${name}`, 'x');
  upper.onWalked = () => {
    upper.remove('/tmp/gone');
    upper.make('/tmp/lock', ELF);
    upper.rename('/tmp/state.tmp', '/tmp/state');
  };
  assert.deepEqual(upper.scan(), { paths: ['/tmp/lock'], limits: [] });
});

test('a change at one path that is not found again calls for a walk and is not remembered', () => {
  const upper = createUpper();
  upper.remove('/tmp/d/evil');
  upper.scan();
  upper.make('/tmp/d/evil', ELF);
  upper.onOpen = () => upper.rename('/tmp/d', '/tmp/e');
  assert.equal(upper.update('tmp/d/evil'), undefined);
  upper.onOpen = () => undefined;
  upper.rename('/tmp/e', '/tmp/d');
  assert.deepEqual(upper.scan().paths, ['/tmp/d/evil']);
});
