import assert from 'node:assert/strict';
import { createHash } from 'node:crypto';
import { test } from 'node:test';
import { type BytePath, type Drift, parseDrift, toBytePath } from '@holdfast/evidence';
import { type FileRange, RootfsError } from '@holdfast/rootfs';
import { FakeLayer } from '../overlay/fake-layer.ts';
import { createOverlayView } from '../overlay/overlay-view.ts';
import { collectDrift, createDriftMemory, type DriftMemory, formatRemembered } from './collect-drift.ts';
import { collectMountPoints } from './runtime-stub.ts';
import { updateDrift } from './update-drift.ts';
import type { UpperEntry, UpperSource } from './upper-source.ts';

interface Fake {
  type?: UpperEntry['stat']['type'];
  content?: string;
  mode?: number;
  /** Stands for its ctime. */
  moved?: number;
  fails?: boolean;
  nlink?: number;
  target?: string;
}

/** A container with an upper directory in memory that was walked once; counts the files opened since. */
class Walked implements UpperSource {
  readonly files: Map<string, Fake>;
  readonly memory = createDriftMemory();
  readonly #image = createOverlayView(
    [new FakeLayer({ '/etc/conf': 'a=1', '/var/log/kept': 'x' })],
    [{ diffId: null }],
  );
  opened = 0;

  constructor(files: Record<string, Fake>) {
    this.files = new Map(Object.entries(files));
    this.walkAll();
    this.opened = 0;
  }

  /** What a walk finds; `memory` is that of the container where none is given. */
  walkAll(memory = this.memory) {
    return parseDrift(collectDrift({ ...this.context(memory) }).document);
  }

  /** What is listed after changes at these paths; undefined where a walk is called for. */
  update(...paths: string[]): string[] | undefined {
    return this.updateSince(this.memory.last?.outcome.sha256 ?? null, ...paths);
  }

  updateSince(since: string | null, ...paths: string[]): string[] | undefined {
    const outcome = updateDrift({ ...this.context(this.memory), paths, since });
    return outcome && list(parseDrift(outcome.document));
  }

  context(memory: DriftMemory) {
    const owners = () => ({ ownerOf: () => undefined });
    const place = { source: this, image: this.#image, mountPoints: collectMountPoints([]) };
    return { ...place, owners, memory, deadlineMs: Number.POSITIVE_INFINITY };
  }

  walk(onEntry: (entry: UpperEntry) => void): void {
    for (const path of [...this.files.keys()].sort()) {
      const entry = this.look(toBytePath(Buffer.from(path)));
      if (entry !== undefined) onEntry(entry);
    }
  }

  look(path: BytePath): UpperEntry | undefined {
    const file = this.files.get(path);
    if (file === undefined) return undefined;
    const { type = 'file', mode = type === 'char' ? 0 : 0o644, content = '', moved = 0 } = file;
    const place = {
      uid: 0,
      gid: 0,
      rdevMajor: 0,
      rdevMinor: 0,
      ino: 1n,
      birthNs: 0n,
      nlink: file.nlink ?? 1,
      ctimeNs: BigInt(moved),
    };
    return {
      path,
      stat: { type, mode, size: content.length, ...place },
      target: file.target,
      xattrs: {},
      problem: undefined,
    };
  }

  hashFile({ path }: UpperEntry): string {
    return createHash('sha256').update(this.#open(path)).digest('hex');
  }

  readParts({ path }: UpperEntry, ranges: readonly FileRange[]): Buffer[] {
    const content = this.#open(path);
    return ranges.map(({ offset, length }) => content.subarray(offset, offset + length));
  }

  findNames = (): string[] => [];
  walkBelow(): void {}
  lookInside = (path: BytePath) => this.look(path);
  close(): void {}

  #open(path: BytePath): Buffer {
    const file = this.files.get(path);
    if (file?.fails === true) throw new RootfsError('ERR_ROOTFS_CHANGED', 'moved');
    this.opened += 1;
    return Buffer.from(file?.content ?? '', 'latin1');
  }
}

const list = ({ relevant }: Drift) => relevant.map(({ kind, path, reasons }) => `${kind} ${path} ${reasons.join(' ')}`);
const LOGS = { '/var/log/a': { content: 'line' }, '/var/log/dir': { type: 'directory', mode: 0o755 } } as const;

test('a log that grows, comes or goes changes nothing that is listed', () => {
  const walked = new Walked(LOGS);
  const before = walked.memory.last?.outcome;
  walked.files.set('/var/log/a', { content: 'line line', moved: 1 });
  walked.files.set('/var/cache/new', { content: 'data' });
  assert.deepEqual(walked.update('var/log/a', 'var/cache/new'), []);
  walked.files.delete('/var/cache/new');
  assert.deepEqual(walked.update('var/cache/new', 'var/cache/never-seen'), []);
  assert.equal(walked.memory.last?.outcome, before);
});

test('what was looked at is not opened again, and the walk that follows counts it', () => {
  const walked = new Walked(LOGS);
  walked.files.set('/var/log/a', { content: 'line line', moved: 1 });
  walked.update('var/log/a');
  assert.equal(walked.opened, 1);
  walked.update('var/log/a');
  assert.equal(walked.opened, 1);
  const { other } = walked.walkAll();
  assert.equal(other.entries, 2);
  assert.equal(other.bytes, 9);
});

for (const [name, path, file, entry] of [
  ['a log that became a program', 'var/log/a', { content: '\x7fELF', moved: 1 }, 'added /var/log/a elf'],
  ['a log that became a script', 'var/log/a', { content: '#!/bin/sh', moved: 1 }, 'added /var/log/a script'],
  ['a log that may be executed', 'var/log/a', { content: 'x', mode: 0o755, moved: 1 }, 'added /var/log/a executable'],
  ['a new file outside data places', 'opt/x', { content: 'x' }, 'added /opt/x newEntry'],
  ['a file of the image', 'etc/conf', { content: 'a=2' }, 'modified /etc/conf configuration imageContent'],
  ['a removed file of the image', 'etc/conf', { type: 'char' }, 'removed /etc/conf configuration imageContent removed'],
] as const) {
  test(`${name} is listed without a walk, and no more once it is undone`, () => {
    const walked = new Walked(LOGS);
    const before = walked.files.get(`/${path}`);
    walked.files.set(`/${path}`, file);
    assert.deepEqual(walked.update(path), [entry]);
    if (before === undefined) walked.files.delete(`/${path}`);
    else walked.files.set(`/${path}`, before);
    assert.deepEqual(walked.update(path), []);
    assert.deepEqual(list(walked.walkAll()), []);
  });
}

for (const [name, path, file] of [
  ['a new directory', 'var/log/new', { type: 'directory', mode: 0o755 }],
  ['a directory that was replaced', 'var/log/dir', { type: 'directory', mode: 0o755, moved: 1 }],
  ['a file that took the place of a directory', 'var/log/dir', { content: 'x', moved: 1 }],
  ['a file that took the place of a directory of the image', 'etc', { content: 'x' }],
  ['a removed directory of the image', 'etc', { type: 'char' }],
  ['a file that cannot be read', 'var/log/a', { content: 'line', moved: 1, fails: true }],
] as const) {
  test(`${name} calls for a walk`, () => {
    const walked = new Walked(LOGS);
    walked.files.set(`/${path}`, file);
    assert.equal(walked.update('var/log/none', path), undefined);
  });
}

test('a directory that went calls for a walk', () => {
  const walked = new Walked(LOGS);
  walked.files.delete('/var/log/dir');
  assert.equal(walked.update('var/log/dir'), undefined);
});

test('without a whole walk before, and after the time is over, a walk is called for', () => {
  const walked = new Walked({ ...LOGS, '/opt/x': { content: 'x', fails: true } });
  assert.equal(walked.update(), undefined);
  const image = createOverlayView([], []);
  const owners = () => ({ ownerOf: () => undefined });
  const context = { source: walked, image, mountPoints: collectMountPoints([]), owners };
  const never = { ...context, memory: createDriftMemory(), paths: [], deadlineMs: Number.POSITIVE_INFINITY };
  assert.equal(updateDrift({ ...never, since: null }), undefined);
  const { memory } = new Walked(LOGS);
  const late = { ...context, memory, since: memory.last?.outcome.sha256 ?? null, deadlineMs: 0 };
  assert.notEqual(updateDrift({ ...late, paths: [] }), undefined);
  assert.equal(updateDrift({ ...late, paths: ['var/log/a'] }), undefined);
});

test('changes since a drift that another worker made call for a walk', () => {
  const walked = new Walked(LOGS);
  const first = walked.memory.last?.outcome.sha256 ?? null;
  walked.files.set('/opt/seen-by-another', { content: 'x' });
  const { document } = collectDrift({ ...walked.context(createDriftMemory()) });
  const others = createHash('sha256').update(document).digest('hex');
  walked.files.set('/opt/new', { content: 'x' });
  assert.equal(walked.updateSince(others, 'opt/new'), undefined);
  assert.equal(walked.updateSince(null, 'opt/new'), undefined);
  assert.deepEqual(list(walked.walkAll()), ['added /opt/new newEntry', 'added /opt/seen-by-another newEntry']);
  assert.notEqual(first, others);
});

test('a name that is no path below the upper directory calls for a walk', () => {
  assert.equal(new Walked(LOGS).update('../x'), undefined);
});

test('after any changes, what is listed without a walk is what a walk lists', () => {
  const random = createRandom(7);
  const pick = <T>(from: readonly T[]): T => from[random(from.length)] ?? assert.fail();
  const paths = [
    '/etc/conf',
    '/etc/new',
    '/etc',
    '/var/log/a',
    '/var/log/b',
    '/var/log/dir',
    '/opt/x',
    '/var/log/kept',
  ];
  const contents = ['', 'line', '#!/bin/sh', 'a=1', 'x', '\x7fELF'];
  let updated = 0;
  for (let run = 0; run < 60; run += 1) {
    const walked = new Walked(LOGS);
    for (let step = 1; step < 30; step += 1) {
      const path = pick(paths);
      const file: Fake = { moved: run * 100 + step, content: pick(contents), mode: pick([0o644, 0o755]) };
      const type = pick(['file', 'file', 'file', 'char', 'directory'] as const);
      if (random(4) === 0) walked.files.delete(path);
      else walked.files.set(path, type === 'file' ? file : { type, mode: type === 'char' ? 0 : 0o755, moved: step });
      const listed = walked.update(path.slice(1));
      if (listed === undefined) walked.walkAll();
      else updated += 1;
      const expected = list(walked.walkAll(createDriftMemory()));
      assert.deepEqual(listed ?? list(walked.walkAll()), expected, `run ${run}, step ${step}, ${path}`);
    }
  }
  assert.ok(updated > 500, `${updated} without a walk`);
});

/** Numbers below a bound, the same in each run (a linear congruential generator). */
function createRandom(seed: number): (bound: number) => number {
  let state = seed;
  return (bound) => {
    state = (state * 1_103_515_245 + 12_345) % 2_147_483_648;
    return Math.floor(state / 65_536) % bound;
  };
}

test('a file with other names calls for a walk: no event need tell of them', () => {
  const container = new Walked({ '/tmp/notes': { content: 'a', nlink: 2 }, '/opt/tool': { content: 'a', nlink: 2 } });
  container.files.set('/tmp/notes', { content: 'ab', nlink: 2, moved: 1 });
  assert.equal(container.update('tmp/notes'), undefined);
});

test('a file that changed a moment ago is read again, whatever its attributes say', () => {
  const moved = Date.now() * 1e6;
  const container = new Walked({});
  container.files.set('/etc/conf', { content: 'a=1', moved });
  assert.deepEqual(container.update('etc/conf'), []);
  container.files.set('/etc/conf', { content: 'a=2', moved });
  assert.deepEqual(container.update('etc/conf'), ['modified /etc/conf configuration imageContent']);
});

test('what changed a moment before it was read is read again, by how finely its file system tells the time', () => {
  const at = (ctimeNs: bigint, readMs: number, type: 'file' | 'directory' = 'file') => {
    const stat = {
      type,
      mode: 0o644,
      uid: 0,
      gid: 0,
      size: 1,
      rdevMajor: 0,
      rdevMinor: 0,
      ino: 1n,
      birthNs: 0n,
      nlink: 1,
    };
    const entry = { path: toBytePath('/x'), target: undefined, xattrs: {}, problem: undefined };
    return formatRemembered({ ...entry, stat: { ...stat, ctimeNs } }, 's', readMs);
  };
  const second = 1_000_000_000n;
  assert.equal(at(5n * second + 4_000_000n, 5_104), 's unsettled');
  assert.equal(at(5n * second + 4_000_000n, 5_105), 's');
  assert.equal(at(5n * second, 6_000), 's unsettled');
  assert.equal(at(5n * second, 6_001), 's');
  assert.equal(at(5n * second, 4_000), 's unsettled');
  assert.equal(at(5n * second, 5_000, 'directory'), 's');
});

test('paths and targets of relevant entries take so many bytes and no more, with and without a walk', () => {
  const pathOf = (at: number) => `/opt/${at}/${'d'.repeat(3_000)}`;
  const files = Object.fromEntries(Array.from({ length: 1_390 }, (_, at) => [pathOf(at), { content: 'x' }]));
  const walked = new Walked(files);
  assert.deepEqual(walked.walkAll().limits, []);
  walked.files.set('/opt/link', { type: 'symlink', target: `/${'t'.repeat(2_000)}` });
  assert.equal(walked.update('opt/link')?.length, 1_391);
  for (const at of [1_390, 1_391, 1_392, 1_393, 1_394, 1_395, 1_396]) walked.files.set(pathOf(at), { content: 'x' });
  assert.equal(walked.update(...Array.from({ length: 7 }, (_, at) => pathOf(1_390 + at).slice(1))), undefined);
  const { relevant, limits, complete } = walked.walkAll();
  assert.deepEqual([limits, complete], [['relevantBytes'], false]);
  const texts = relevant.flatMap(({ path, after }) => [path, after?.target ?? '']);
  const bytes = texts.reduce((sum, text) => sum + Buffer.byteLength(text), 0);
  assert.ok(bytes <= 4 * 1024 ** 2 && bytes > 4 * 1024 ** 2 - 4_000, `${bytes}`);
});
