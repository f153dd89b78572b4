import assert from 'node:assert/strict';
import { createHash } from 'node:crypto';
import { test } from 'node:test';
import { type BytePath, type DriftEntry, parseDrift, toBytePath } from '@holdfast/evidence';
import { type FileRange, RootfsError } from '@holdfast/rootfs';
import { type FakeEntry, FakeLayer } from '../overlay/fake-layer.ts';
import { createOverlayView } from '../overlay/overlay-view.ts';
import { collectDrift, createDriftMemory, type DriftMemory } from './collect-drift.ts';
import { collectMountPoints } from './runtime-stub.ts';
import type { UpperEntry, UpperSource } from './upper-source.ts';

interface FakeUpperEntry extends FakeEntry {
  readonly gid?: number;
  readonly size?: number;
  readonly problem?: UpperEntry['problem'];
  readonly fails?: RootfsError;
  readonly changed?: number;
}

const WHITEOUT: FakeUpperEntry = { type: 'char', rdev: [0, 0], mode: 0 };
const OPAQUE = { 'trusted.overlay.opaque': 'y' };
const DIRECTORY: FakeUpperEntry = { type: 'directory', mode: 0o755 };

/** An upper directory in memory that counts how often a file is opened. */
class FakeUpper implements UpperSource {
  readonly #entries: Map<string, FakeUpperEntry>;
  opened = 0;

  constructor(entries: Record<string, FakeUpperEntry | string>) {
    const full = Object.entries(entries).map(([path, entry]): [string, FakeUpperEntry] => [
      path,
      typeof entry === 'string' ? { content: entry } : entry,
    ]);
    this.#entries = new Map(full);
  }

  walk(onEntry: (entry: UpperEntry) => void): void {
    for (const path of [...this.#entries.keys()].sort()) onEntry(this.#toEntry(path));
  }

  look(path: BytePath): UpperEntry | undefined {
    return this.#entries.has(path) ? this.#toEntry(path) : undefined;
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
    const entry = this.#entries.get(path);
    if (entry?.fails !== undefined) throw entry.fails;
    this.opened += 1;
    return Buffer.from(entry?.content ?? '', 'latin1');
  }

  #toEntry(path: string): UpperEntry {
    const entry = this.#entries.get(path) ?? {};
    const [rdevMajor, rdevMinor] = entry.rdev ?? [0, 0];
    const stat = {
      type: entry.type ?? ('file' as const),
      mode: entry.mode ?? 0o644,
      uid: entry.uid ?? 0,
      gid: entry.gid ?? 0,
      size: entry.size ?? entry.content?.length ?? 0,
      rdevMajor,
      rdevMinor,
      ino: 1n,
      birthNs: 0n,
      nlink: 1,
      ctimeNs: BigInt(entry.changed ?? 0),
    };
    const xattrs = Object.entries(entry.xattrs ?? {}).map(([name, value]) => [name, Buffer.from(value, 'latin1')]);
    return {
      path: toBytePath(Buffer.from(path, 'latin1')),
      stat,
      target: entry.target,
      xattrs: Object.fromEntries(xattrs),
      problem: entry.problem,
    };
  }
}

const IMAGE: Record<string, FakeEntry | string> = {
  '/bin': { type: 'directory', mode: 0o755 },
  '/bin/tool': { content: 'old tool', mode: 0o755 },
  '/etc': { type: 'directory', mode: 0o755 },
  '/etc/conf': 'a=1',
  '/usr': { type: 'directory', mode: 0o755 },
  '/usr/doc': { type: 'directory', mode: 0o755 },
  '/usr/doc/a': 'a',
  '/usr/doc/sub': { type: 'directory', mode: 0o755 },
  '/usr/doc/sub/b': 'b',
  '/lib': { type: 'symlink', target: 'usr/lib' },
};

interface ScanOptions {
  readonly mounts?: string[];
  readonly memory?: DriftMemory;
  readonly owners?: Record<string, string>;
  readonly deadlineMs?: number;
}

function scan(upper: FakeUpper | Record<string, FakeUpperEntry | string>, options: ScanOptions = {}) {
  const source = upper instanceof FakeUpper ? upper : new FakeUpper(upper);
  const outcome = collectDrift({
    source,
    image: createOverlayView([new FakeLayer(IMAGE)], [{ diffId: null }]),
    mountPoints: collectMountPoints(options.mounts ?? []),
    owners: () => ({
      ownerOf: (path) => {
        const purl = options.owners?.[path];
        return purl === undefined ? undefined : { purl };
      },
    }),
    deadlineMs: options.deadlineMs ?? Number.POSITIVE_INFINITY,
    memory: options.memory ?? createDriftMemory(),
  });
  return { ...outcome, drift: parseDrift(outcome.document) };
}

const list = (entries: DriftEntry[]) => entries.map(({ kind, path }) => `${kind} ${path}`);
const sha256 = (text: string) => createHash('sha256').update(text).digest('hex');

test('an empty upper directory is no drift', () => {
  const { drift, counts } = scan({});
  assert.deepEqual(drift.relevant, []);
  assert.equal(drift.complete, true);
  assert.deepEqual(counts, { relevant: 0, other: 0 });
});

test('a changed file tells both contents and its owner', () => {
  const { drift } = scan(
    { '/bin': DIRECTORY, '/bin/tool': { content: 'new tool', mode: 0o755 } },
    { owners: { '/bin/tool': 'pkg:deb/debian/tool@1' } },
  );
  assert.deepEqual(list(drift.relevant), ['modified /bin/tool']);
  const [entry] = drift.relevant;
  assert.equal(entry?.before?.sha256, sha256('old tool'));
  assert.equal(entry?.after?.sha256, sha256('new tool'));
  assert.equal(entry?.ownedBy, 'pkg:deb/debian/tool@1');
  assert.deepEqual(entry?.reasons, ['executable', 'imageContent']);
});

test('a change of content that keeps the size is seen', () => {
  assert.deepEqual(list(scan({ '/etc/conf': 'a=2' }).drift.relevant), ['modified /etc/conf']);
});

test('a copy whose content and attributes stay is no drift', () => {
  const { drift, counts } = scan({
    '/etc': DIRECTORY,
    '/etc/conf': 'a=1',
    '/lib': { type: 'symlink', target: 'usr/lib', mode: 0o777 },
  });
  assert.deepEqual(drift.relevant, []);
  assert.equal(counts.other, 0);
});

test('chmod alone is a change of attributes and says that the content stayed', () => {
  const [entry] = scan({ '/etc/conf': { content: 'a=1', mode: 0o666 } }).drift.relevant;
  assert.equal(entry?.kind, 'attributes');
  assert.equal(entry?.before?.mode, '644');
  assert.equal(entry?.after?.mode, '666');
  assert.equal(entry?.before?.sha256, entry?.after?.sha256);
  assert.ok(entry?.reasons.includes('mode'));
});

test('a set-id bit, an owner and a capability are each named', () => {
  const setuid = scan({ '/bin/tool': { content: 'old tool', mode: 0o4755 } }).drift.relevant[0];
  assert.ok(setuid?.reasons.includes('setuid'));
  const owner = scan({ '/bin/tool': { content: 'old tool', mode: 0o755, uid: 33 } }).drift.relevant[0];
  assert.deepEqual([owner?.kind, owner?.reasons.includes('owner')], ['attributes', true]);
  const xattrs = { 'security.capability': '\x01' };
  const capability = scan({ '/bin/tool': { content: 'old tool', mode: 0o755, xattrs } }).drift.relevant[0];
  assert.deepEqual([capability?.kind, capability?.after?.capability], ['attributes', '01']);
});

test('the mode of a directory of the image is a change of attributes', () => {
  assert.deepEqual(list(scan({ '/etc': { type: 'directory', mode: 0o777 } }).drift.relevant), ['attributes /etc']);
});

test('a whiteout removes a file, and one that hides nothing is nothing', () => {
  const { drift } = scan({ '/etc': DIRECTORY, '/etc/conf': WHITEOUT, '/etc/none': WHITEOUT });
  assert.deepEqual(list(drift.relevant), ['removed /etc/conf']);
  assert.equal(drift.relevant[0]?.before?.sha256, sha256('a=1'));
  assert.equal(drift.relevant[0]?.entryType, 'none');
});

test('a whiteout of a directory names everything that was below it', () => {
  const { drift } = scan({ '/usr': DIRECTORY, '/usr/doc': WHITEOUT });
  const expected = ['removed /usr/doc', 'removed /usr/doc/a', 'removed /usr/doc/sub', 'removed /usr/doc/sub/b'];
  assert.deepEqual(list(drift.relevant), expected);
});

test('an opaque directory over one of the image names what it hides and not what it holds again', () => {
  const { drift } = scan({
    '/usr': DIRECTORY,
    '/usr/doc': { ...DIRECTORY, xattrs: OPAQUE },
    '/usr/doc/a': 'a',
    '/usr/doc/new': 'n',
  });
  const expected = ['opaque /usr/doc', 'added /usr/doc/new', 'removed /usr/doc/sub', 'removed /usr/doc/sub/b'];
  assert.deepEqual(list(drift.relevant), expected);
});

test('an opaque directory that holds all of the image again is no drift, with other attributes no more than that', () => {
  const whole = { '/usr/doc/a': 'a', '/usr/doc/sub': DIRECTORY, '/usr/doc/sub/b': 'b' };
  const opaque = { ...DIRECTORY, xattrs: OPAQUE };
  assert.deepEqual(scan({ '/usr': DIRECTORY, '/usr/doc': opaque, ...whole }).drift.relevant, []);
  const open = scan({ '/usr': DIRECTORY, '/usr/doc': { ...opaque, mode: 0o777 }, ...whole }).drift;
  assert.deepEqual(list(open.relevant), ['attributes /usr/doc']);
  assert.deepEqual(open.relevant[0]?.reasons, ['imageContent', 'mode']);
});

test('extended attributes that differ from the image are a change of attributes', () => {
  const acl = { 'system.posix_acl_access': 'acl' };
  const { drift } = scan({ '/etc/conf': { content: 'a=1', xattrs: { ...acl, 'trusted.overlay.origin': 'o' } } });
  assert.deepEqual(list(drift.relevant), ['attributes /etc/conf']);
  assert.deepEqual(drift.relevant[0]?.reasons, ['configuration', 'imageContent', 'xattrs']);
  assert.match(drift.relevant[0]?.after?.xattrs ?? '', /^[0-9a-f]{64}$/);
  assert.equal(drift.relevant[0]?.before?.xattrs, undefined);
});

test('a root whose mode or owner was changed is drift, one that the runtime made is none', () => {
  const root = (changes: Partial<FakeUpperEntry>) => list(scan({ '/': { ...DIRECTORY, ...changes } }).drift.relevant);
  assert.deepEqual(root({}), []);
  assert.deepEqual(root({ mode: 0o777 }), ['attributes /']);
  assert.deepEqual(root({ uid: 5 }), ['attributes /']);
  assert.deepEqual(root({ xattrs: { 'user.x': 'y' } }), ['attributes /']);
});

test('the end of a long file is looked at too, but for logs', () => {
  const long = `${'x'.repeat(20_000)}<?php system(1);`;
  const { drift } = scan({ '/var/lib/a.jpg': long, '/var/log/a.jpg': long });
  assert.deepEqual(list(drift.relevant), ['added /var/lib/a.jpg']);
  assert.deepEqual(drift.relevant[0]?.reasons, ['script']);
});

test('code that lies across the border of first and last bytes is seen', () => {
  const across = (before: number) => `${'x'.repeat(before)}<?php system(1);${'y'.repeat(4_000)}`;
  for (const before of [8_180, 8_189, 8_191, 8_192]) {
    assert.deepEqual(list(scan({ '/tmp/x': across(before) }).drift.relevant), ['added /tmp/x'], `${before}`);
  }
});

test('a file that changed a moment ago is read again, whatever its attributes say', () => {
  const changed = Date.now() * 1e6;
  const memory = createDriftMemory();
  const first = scan({ '/etc/conf': { content: 'a=1', changed } }, { memory });
  const second = scan({ '/etc/conf': { content: 'a=2', changed } }, { memory });
  assert.deepEqual([list(first.drift.relevant), list(second.drift.relevant)], [[], ['modified /etc/conf']]);
});

test('a device is told by its numbers', () => {
  const { drift } = scan({ '/opt/d': { type: 'block', rdev: [8, 1] } });
  assert.equal(drift.relevant.at(-1)?.after?.rdev, '8:1');
});

test('a new directory that overlayfs marks opaque hides nothing', () => {
  const { drift } = scan({ '/opt': { ...DIRECTORY, xattrs: OPAQUE }, '/opt/x': 'x' });
  assert.deepEqual(list(drift.relevant), ['added /opt', 'added /opt/x']);
});

test('a file in the place of a directory is a change that hides what was below', () => {
  const { drift } = scan({ '/usr': DIRECTORY, '/usr/doc': 'now a file' });
  assert.equal(drift.relevant[0]?.kind, 'modified');
  assert.ok(drift.relevant[0]?.reasons.includes('typeChanged'));
  assert.equal(drift.relevant.length, 4);
});

test('logs and caches are counted by place and not listed', () => {
  const { drift, counts } = scan({
    '/var': DIRECTORY,
    '/var/log': DIRECTORY,
    '/var/log/a': 'line\n',
    '/tmp': DIRECTORY,
    '/tmp/b': 'x',
  });
  assert.deepEqual(list(drift.relevant), ['added /var']);
  assert.deepEqual(drift.other.byDirectory, { '/tmp': { entries: 2, bytes: 1 }, '/var/log': { entries: 2, bytes: 5 } });
  assert.equal(counts.other, 4);
});

test('the digest of what is not listed moves with each of its entries', () => {
  const digest = (changed: number) => scan({ '/tmp/a': { content: 'x', changed } }).drift.other.digest;
  assert.equal(digest(1), digest(1));
  assert.notEqual(digest(1), digest(2));
});

test('what is not listed does not move the digest that makes a round', () => {
  const first = scan({ '/tmp/a': 'x', '/etc/conf': 'a=2' });
  const second = scan({ '/tmp/a': 'xy', '/tmp/b': '', '/etc/conf': 'a=2' });
  assert.equal(first.relevantDigest, second.relevantDigest);
  assert.notEqual(first.relevantDigest, scan({ '/etc/conf': 'a=3' }).relevantDigest);
});

test('stubs of the runtime are allowed only when exact', () => {
  const mounts = ['/etc/hosts', '/run/secrets/kubernetes.io'];
  const stubs = {
    '/etc/hosts': '',
    '/run': DIRECTORY,
    '/run/secrets': DIRECTORY,
    '/run/secrets/kubernetes.io': DIRECTORY,
  };
  assert.deepEqual(scan(stubs, { mounts }).drift.relevant, []);
  assert.equal(scan(stubs, { mounts }).counts.other, 0);
  assert.deepEqual(list(scan({ '/etc/hosts': 'x' }, { mounts }).drift.relevant), ['added /etc/hosts']);
  assert.deepEqual(list(scan({ '/etc/hosts': { mode: 0o4644 } }, { mounts }).drift.relevant), ['added /etc/hosts']);
  assert.deepEqual(list(scan({ '/etc/hosts': { uid: 5 } }, { mounts }).drift.relevant), ['added /etc/hosts']);
  assert.deepEqual(list(scan({ '/etc/other': '' }, { mounts }).drift.relevant), ['added /etc/other']);
});

test('a stub over a path of the image is no stub', () => {
  assert.deepEqual(list(scan({ '/etc/conf': '' }, { mounts: ['/etc/conf'] }).drift.relevant), ['modified /etc/conf']);
});

test('what cannot be read is relevant and makes the document incomplete', () => {
  const changed = new RootfsError('ERR_ROOTFS_CHANGED', 'moved');
  const { drift } = scan({ '/tmp/a': { content: 'x', fails: changed } });
  assert.deepEqual(drift.relevant[0]?.reasons, ['unreadable']);
  assert.deepEqual(drift.limits, ['changedWhileRead:/tmp/a']);
  assert.equal(drift.complete, false);
});

test('a file that is there and never found when it is opened is a limit', () => {
  const fails = new RootfsError('ERR_ROOTFS_NOT_FOUND', 'gone');
  assert.deepEqual(scan({ '/tmp/a': { content: 'x', fails } }).drift.limits, ['changedWhileRead:/tmp/a']);
});

test('a file that is too large to hash is named', () => {
  const fails = new RootfsError('ERR_ROOTFS_LIMIT', 'large');
  assert.deepEqual(scan({ '/opt/big': { content: 'x', fails } }).drift.limits, ['fileBytes:/opt/big']);
});

test('redirects, metadata-only copies, foreign mounts and unreadable entries are never clean', () => {
  const named = (entry: FakeUpperEntry) => scan({ '/tmp/a': entry }).drift.limits;
  assert.deepEqual(named({ ...DIRECTORY, xattrs: { 'trusted.overlay.redirect': 'x' } }), ['unsupported:/tmp/a']);
  assert.deepEqual(named({ content: '', xattrs: { 'trusted.overlay.metacopy': '' } }), ['unsupported:/tmp/a']);
  assert.deepEqual(named({ ...DIRECTORY, problem: 'mount' }), ['unsupported:/tmp/a']);
  assert.deepEqual(named({ content: '', problem: 'unreadable' }), ['unreadable:/tmp/a']);
});

test('the end of the time is a limit, not an end without a word', () => {
  const { drift } = scan({ '/etc/conf': 'a=2' }, { deadlineMs: 0 });
  assert.deepEqual(drift.limits, ['time']);
  assert.equal(drift.complete, false);
});

test('entries that did not move are not opened again', () => {
  const memory = createDriftMemory();
  const entries = { '/etc/conf': 'a=2', '/tmp/log': 'x', '/usr': DIRECTORY, '/usr/doc': WHITEOUT };
  const first = scan(entries, { memory });
  const again = new FakeUpper(entries);
  assert.equal(scan(again, { memory }).document.equals(first.document), true);
  assert.equal(again.opened, 0);
  const moved = new FakeUpper({ ...entries, '/etc/conf': { content: 'a=3', changed: 1 } });
  assert.notEqual(scan(moved, { memory }).relevantDigest, first.relevantDigest);
  assert.ok(moved.opened > 0);
});

test('what vanished is forgotten although no entry has to be compared anew', () => {
  const memory = createDriftMemory();
  assert.equal(scan({ '/tmp/a.sh': 'x', '/tmp/b.sh': 'x' }, { memory }).counts.relevant, 2);
  assert.deepEqual(list(scan({ '/tmp/b.sh': 'x' }, { memory }).drift.relevant), ['added /tmp/b.sh']);
  assert.deepEqual(list(scan({}, { memory }).drift.relevant), []);
});

test('a limit that was hit before is not forgotten, nor is its end', () => {
  const memory = createDriftMemory();
  const entries = { '/etc/conf': 'a=2' };
  assert.equal(scan(entries, { memory, deadlineMs: 0 }).drift.complete, false);
  assert.equal(scan(entries, { memory }).drift.complete, true);
  assert.equal(scan(entries, { memory, deadlineMs: 0 }).drift.complete, false);
});

test('an entry that could not be read is tried again', () => {
  const memory = createDriftMemory();
  const fails = new RootfsError('ERR_ROOTFS_CHANGED', 'moved');
  assert.equal(scan({ '/tmp/a': { content: 'x', fails } }, { memory }).drift.complete, false);
  assert.equal(scan({ '/tmp/a': 'x' }, { memory }).drift.complete, true);
});

test('names that are not UTF-8 are kept and sorted by their bytes', () => {
  const { drift } = scan({
    '/opt/\xff': 'x',
    '/opt/a': 'x',
    '/opt/l': { type: 'symlink', target: '../\xfe', mode: 0o777 },
  });
  assert.deepEqual(list(drift.relevant), ['added /opt/a', 'added /opt/l', 'added /opt/%FF']);
  assert.equal(drift.relevant[1]?.after?.target, '../%FE');
});
