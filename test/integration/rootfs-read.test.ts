import assert from 'node:assert/strict';
import { execFileSync } from 'node:child_process';
import { createHash, randomBytes } from 'node:crypto';
import { mkdirSync, readFileSync, symlinkSync, truncateSync, writeFileSync } from 'node:fs';
import { createServer } from 'node:net';
import { join } from 'node:path';
import { test } from 'node:test';
import { capabilities, type HashOutcome, openRoot, RootfsError } from '@holdfast/rootfs';
import { makeTree } from '../support/hostile-tree.ts';

const needsRoot = process.getuid?.() === 0 ? false : 'needs root';
const path = (text: string): Buffer => Buffer.from(text);
const failsWith = (code: string) => (error: unknown) => error instanceof RootfsError && error.code === code;

test('FIFOs, sockets and devices are named and never opened', { skip: needsRoot }, async (t) => {
  const base = makeTree(t);
  execFileSync('mkfifo', [join(base, 'fifo')]);
  execFileSync('mknod', [join(base, 'zero'), 'c', '1', '5']);
  execFileSync('mknod', [join(base, 'whiteout'), 'c', '0', '0']);
  execFileSync('mknod', [join(base, 'disk'), 'b', '7', '200']);
  const server = createServer().listen(join(base, 'socket'));
  t.after(() => server.close());
  await new Promise((resolve) => server.once('listening', resolve));
  using root = openRoot(base);
  const types = { fifo: 'fifo', zero: 'char', whiteout: 'char', disk: 'block', socket: 'socket' };
  for (const [name, type] of Object.entries(types)) {
    assert.equal(root.lstat(path(name))?.type, type);
    assert.throws(() => root.readFile(path(name), { maxBytes: 10 }), failsWith('ERR_ROOTFS_TYPE'));
    assert.throws(() => root.hashFile(path(name), { maxBytes: 10 }), failsWith('ERR_ROOTFS_TYPE'));
    assert.throws(() => root.measureVerity(path(name)), failsWith('ERR_ROOTFS_TYPE'));
    assert.deepEqual(root.listXattrs(path(name)), []);
  }
  const { rdevMajor, rdevMinor } = root.lstat(path('disk')) ?? {};
  assert.deepEqual([rdevMajor, rdevMinor], [7, 200]);
  assert.equal(root.lstat(path('whiteout'))?.rdevMajor, 0);
});

test('stat tells owner, mode with setuid, size, links and times as stat(1) does', { skip: needsRoot }, (t) => {
  const base = makeTree(t);
  writeFileSync(join(base, 'file'), 'x'.repeat(5000));
  execFileSync('chown', ['70000:123', join(base, 'file')]);
  execFileSync('chmod', ['6751', join(base, 'file')]);
  execFileSync('ln', [join(base, 'file'), join(base, 'second')]);
  execFileSync('touch', ['-h', '-d', '1901-12-14T00:00:00.000000007Z', join(base, 'file')]);
  const format = '%u %g %a %s %h %i %b %.9Y';
  const [uid, gid, mode, size, nlink, ino, blocks, mtime] = execFileSync('stat', ['-c', format, join(base, 'file')], {
    encoding: 'utf8',
  }).split(/\s/);
  using root = openRoot(base);
  const stat = root.lstat(path('file'));
  assert.ok(stat !== undefined);
  assert.deepEqual(
    [stat.uid, stat.gid, stat.mode.toString(8), stat.size, stat.nlink, stat.ino, stat.blocks],
    [Number(uid), Number(gid), mode, Number(size), Number(nlink), BigInt(ino ?? ''), BigInt(blocks ?? '')],
  );
  assert.equal(mtime?.startsWith('-2147'), true);
  assert.equal(stat.mtimeNs, BigInt(Date.UTC(1901, 11, 14)) * 1_000_000n + 7n);
  assert.ok(Math.abs(Number(stat.ctimeNs / 1_000_000n) - Date.now()) < 60_000);
});

test('content and digests are those of the file, for one call, many at once and a walk', async (t) => {
  const base = makeTree(t);
  const sizes = [0, 1, 55, 56, 63, 64, 65, 4096, 262_143, 262_144, 262_145, 3_000_001];
  for (const size of sizes) writeFileSync(join(base, `f${size}`), randomBytes(size));
  using root = openRoot(base);
  const expected = new Map(
    execFileSync('sh', ['-c', 'sha256sum *'], { cwd: base, encoding: 'utf8' })
      .trim()
      .split('\n')
      .map((line): [string, string] => [line.slice(66), line.slice(0, 64)]),
  );
  assert.equal(expected.size, sizes.length);
  const paths = [...expected.keys()].map(path);
  const many: HashOutcome[] = await root.hashFilesAsync([...paths, path('nothing')], { maxBytes: 3_000_001 });
  const walked = new Map<string, string | undefined>();
  const options = { maxEntries: 100, maxDepth: 1, hashFiles: true, maxFileBytes: 3_000_001 };
  for await (const entries of root.walkAsync(path(''), options)) {
    for (const entry of entries) walked.set(entry.path.toString(), entry.sha256?.toString('hex'));
  }
  for (const [index, [name, digest]] of [...expected].entries()) {
    const bytes = readFileSync(join(base, name));
    assert.deepEqual(root.readFile(path(name), { maxBytes: bytes.length }).content, bytes);
    assert.equal(root.hashFile(path(name), { maxBytes: bytes.length }).sha256.toString('hex'), digest);
    const outcome = many[index];
    assert.ok(outcome !== undefined && 'sha256' in outcome);
    assert.equal(outcome.sha256.toString('hex'), digest);
    assert.equal(outcome.stat.size, bytes.length);
    assert.equal(walked.get(name), digest);
  }
  const last = many.at(-1);
  assert.ok(last !== undefined && 'error' in last);
  assert.equal(last.error.code, 'ERR_ROOTFS_NOT_FOUND');
  assert.deepEqual(await root.hashFilesAsync([], { maxBytes: 1 }), []);
});

test('a part of a file is read by offset and length', (t) => {
  const base = makeTree(t);
  writeFileSync(join(base, 'file'), '0123456789');
  using root = openRoot(base);
  const part = (offset: number, length: number, maxBytes = 10): string =>
    root.readFile(path('file'), { maxBytes, offset, length }).content.toString();
  assert.equal(part(0, 4, 4), '0123');
  assert.equal(part(8, 4), '89');
  assert.equal(part(10, 4), '');
  assert.equal(part(Number.MAX_SAFE_INTEGER, 4), '');
  assert.equal(part(3, Number.MAX_SAFE_INTEGER), '3456789');
  assert.equal(root.readFile(path('file'), { maxBytes: 10, offset: 9 }).content.toString(), '9');
  assert.throws(() => part(0, 5, 4), failsWith('ERR_ROOTFS_LIMIT'));
  assert.throws(() => root.readFile(path('file'), { maxBytes: 9 }), failsWith('ERR_ROOTFS_LIMIT'));
});

test('several parts are read of one state of a file, and in all no more than is asked for', (t) => {
  const base = makeTree(t);
  writeFileSync(join(base, 'file'), 'abcdefghij');
  using root = openRoot(base);
  const read = (ranges: { offset: number; length: number }[], maxBytes = 100) =>
    root.readRanges(path('file'), ranges, maxBytes).contents.map(String);
  const [head, tail] = [
    { offset: 0, length: 3 },
    { offset: 8, length: 3 },
  ];
  assert.deepEqual(read([head, tail]), ['abc', 'ij']);
  assert.deepEqual(read([{ offset: 10, length: 3 }, { offset: 99, length: 1 }, head], 3), ['', '', 'abc']);
  assert.deepEqual(read([]), []);
  assert.throws(() => read([head, tail], 4), failsWith('ERR_ROOTFS_LIMIT'));
  assert.throws(() => root.readRanges(path(''), [head], 9), failsWith('ERR_ROOTFS_TYPE'));
  assert.throws(() => root.readRanges(path('none'), [head], 9), failsWith('ERR_ROOTFS_NOT_FOUND'));
  assert.throws(() => read([{ offset: -1, length: 1 }]), TypeError);
  assert.equal(root.readRanges(path('file'), [head], 9).stat.size, 10);
});

test('a look tells of one entry what a walk tells of it', { skip: needsRoot }, (t) => {
  const base = makeTree(t);
  writeFileSync(join(base, 'file'), 'x');
  mkdirSync(join(base, 'directory'));
  symlinkSync('../else/where', join(base, 'link'));
  execFileSync('mknod', [join(base, 'whiteout'), 'c', '0', '0']);
  execFileSync('setfattr', ['-n', 'trusted.overlay.opaque', '-v', 'y', join(base, 'directory')]);
  execFileSync('setfattr', ['-n', 'user.a', '-v', 'b', join(base, 'file')]);
  using root = openRoot(base);
  const xattrs = ['trusted.overlay.*', 'user.a'];
  const walked = new Map<string, object>();
  root.walk(path(''), { maxEntries: 10, maxDepth: 2, xattrs }, (entries) => {
    for (const { path: name, ...rest } of entries) walked.set(String(name), rest);
  });
  assert.equal(walked.size, 4);
  for (const [name, told] of walked) {
    const { path: none, ...looked } = root.look(path(name), xattrs) ?? assert.fail(name);
    assert.deepEqual([String(none), looked], ['', told]);
  }
  assert.equal(root.look(path('file'), [])?.xattrs, undefined);
  assert.equal(root.look(path('none'), xattrs), undefined);
  assert.throws(() => root.look(path('file'), ['a*b']), TypeError);
});

test('a look inside tells what a look tells, and both ends of a file', { skip: needsRoot }, (t) => {
  const base = makeTree(t);
  mkdirSync(join(base, 'dir'));
  symlinkSync('dir', join(base, 'link'));
  execFileSync('mkfifo', [join(base, 'fifo')]);
  const xattrs = ['security.capability', 'trusted.*', 'user.*'];
  using root = openRoot(base);
  const bytes = 100;
  const overlap = 10;
  for (const size of [0, 1, 99, 100, 101, 189, 190, 191, 250, 5_000]) {
    const content = randomBytes(size);
    writeFileSync(join(base, 'file'), content);
    execFileSync('setfattr', ['-n', 'trusted.x', '-v', `${size}`, join(base, 'file')]);
    const { head, tail, ...entry } = root.lookInside(path('file'), xattrs, { bytes, overlap, wantsTail: true }) ?? {};
    assert.deepEqual(entry, root.look(path('file'), xattrs));
    assert.deepEqual(head, content.subarray(0, bytes), `${size}`);
    const from = Math.max(size - bytes, bytes - overlap);
    assert.deepEqual(tail, size > bytes ? content.subarray(from) : undefined, `${size}`);
    const headAlone = root.lookInside(path('file'), xattrs, { bytes, overlap, wantsTail: false });
    assert.deepEqual([headAlone?.head, headAlone?.tail], [head, undefined]);
  }
  for (const name of ['dir', 'link', 'fifo']) {
    const { head, tail, ...entry } = root.lookInside(path(name), xattrs, { bytes, overlap, wantsTail: true }) ?? {};
    assert.deepEqual([entry, head, tail], [root.look(path(name), xattrs), undefined, undefined], name);
  }
  assert.equal(root.lookInside(path('none'), xattrs, { bytes, overlap, wantsTail: true }), undefined);
  assert.throws(() => root.lookInside(path('file'), [], { bytes: -1, overlap, wantsTail: true }), TypeError);
});

test('a sparse file of 1 TiB is refused by its size before a byte is read', (t) => {
  const base = makeTree(t);
  writeFileSync(join(base, 'sparse'), '');
  truncateSync(join(base, 'sparse'), 2 ** 40);
  using root = openRoot(base);
  const start = performance.now();
  assert.equal(root.lstat(path('sparse'))?.size, 2 ** 40);
  assert.throws(() => root.readFile(path('sparse'), { maxBytes: 2 ** 30 }), failsWith('ERR_ROOTFS_LIMIT'));
  assert.throws(() => root.hashFile(path('sparse'), { maxBytes: 2 ** 40 - 1 }), failsWith('ERR_ROOTFS_LIMIT'));
  assert.equal(root.readFile(path('sparse'), { maxBytes: 8, offset: 2 ** 40 - 4, length: 8 }).content.length, 4);
  const options = { maxEntries: 10, maxDepth: 1, hashFiles: true, maxFileBytes: 2 ** 30 };
  root.walk(path(''), options, ([entry]) => {
    assert.equal(entry?.problem, 'limit');
    assert.equal(entry?.sha256, undefined);
  });
  assert.ok(performance.now() - start < 1000);
});

test('trusted, security and user attributes are read from every kind of entry', { skip: needsRoot }, (t) => {
  const base = makeTree(t);
  assert.equal(capabilities(base).trustedXattrs.works, true);
  mkdirSync(join(base, 'dir'));
  writeFileSync(join(base, 'file'), '');
  writeFileSync(join(base, 'plain'), '');
  symlinkSync('file', join(base, 'link'));
  execFileSync('mkfifo', [join(base, 'fifo')]);
  const set = (name: string, value: string, file: string): unknown =>
    execFileSync('setfattr', ['-h', '-n', name, '-v', value, join(base, file)]);
  set('trusted.overlay.opaque', 'y', 'dir');
  set('trusted.overlay.origin', '0x00ff0a', 'link');
  set('trusted.overlay.redirect', '/elsewhere', 'fifo');
  set('user.big', `0x${'ab'.repeat(3000)}`, 'file');
  execFileSync('setcap', ['cap_net_raw+ep', join(base, 'file')]);
  using root = openRoot(base);
  assert.equal(root.getXattr(path('dir'), 'trusted.overlay.opaque')?.toString(), 'y');
  assert.equal(root.getXattr(path('link'), 'trusted.overlay.origin')?.toString('hex'), '00ff0a');
  assert.equal(root.getXattr(path('fifo'), 'trusted.overlay.redirect')?.toString(), '/elsewhere');
  assert.equal(root.getXattr(path('file'), 'user.big')?.length, 3000);
  assert.equal(root.getXattr(path('file'), 'security.capability')?.length, 20);
  assert.equal(root.getXattr(path('plain'), 'security.capability'), undefined);
  assert.throws(() => root.getXattr(path('nothing'), 'user.big'), failsWith('ERR_ROOTFS_NOT_FOUND'));
  assert.deepEqual(root.listXattrs(path('file')).toSorted(), ['security.capability', 'user.big']);
  const found: Record<string, string[]> = {};
  for (const hashFiles of [true, false]) {
    const options = {
      maxEntries: 10,
      maxDepth: 1,
      xattrs: ['trusted.overlay.*', 'security.capability'],
      hashFiles,
      maxFileBytes: 9,
    };
    root.walk(path(''), options, (entries) => {
      for (const { path: name, xattrs } of entries) found[name.toString()] = Object.keys(xattrs ?? { none: 0 });
    });
    assert.deepEqual(found, {
      dir: ['trusted.overlay.opaque'],
      fifo: ['trusted.overlay.redirect'],
      file: ['security.capability'],
      link: ['trusted.overlay.origin'],
      plain: [],
    });
  }
});

test('without CAP_SYS_ADMIN a trusted attribute is refused and not said to be unset', { skip: needsRoot }, (t) => {
  const base = makeTree(t);
  writeFileSync(join(base, 'file'), '');
  execFileSync('chmod', ['755', base]);
  const program = `
    import { capabilities, openRoot } from '@holdfast/rootfs';
    const root = openRoot(${JSON.stringify(base)});
    const code = (call) => { try { return String(call()); } catch (error) { return error.code; } };
    const walk = (xattrs) => code(() => root.walk(Buffer.alloc(0), { maxEntries: 9, maxDepth: 9, xattrs }, () => {}));
    console.log(JSON.stringify([
      capabilities().trustedXattrs.works, capabilities().fanotify.works,
      code(() => root.getXattr(Buffer.from('file'), 'trusted.overlay.opaque')),
      code(() => root.getXattr(Buffer.from('file'), 'user.none')),
      walk(['trusted.overlay.*']), walk(['user.*'])]));`;
  const arguments_ = ['--drop=cap_sys_admin,cap_dac_read_search', '--', '-c', 'exec "$0" "$@"'];
  const node = [process.execPath, '--input-type=module', '-e', program];
  const said = execFileSync('/usr/sbin/capsh', [...arguments_, ...node], {
    encoding: 'utf8',
    cwd: import.meta.dirname,
  });
  assert.deepEqual(JSON.parse(said), [
    false,
    false,
    'ERR_ROOTFS_UNSUPPORTED',
    'undefined',
    'ERR_ROOTFS_UNSUPPORTED',
    'undefined',
  ]);
});

test('fs-verity is measured where it protects a file and undefined elsewhere', (t) => {
  const base = makeTree(t);
  writeFileSync(join(base, 'file'), 'x');
  using root = openRoot(base);
  assert.equal(root.measureVerity(path('file')), undefined);
  assert.equal(typeof capabilities(base).verity.works, 'boolean');
});

test('a closed root refuses every call, and closing twice is fine', async (t) => {
  const root = openRoot(makeTree(t));
  root.close();
  root.close();
  assert.throws(() => root.lstat(path('')), failsWith('ERR_ROOTFS_CLOSED'));
  assert.throws(() => root.walk(path(''), { maxEntries: 1, maxDepth: 1 }, () => {}), failsWith('ERR_ROOTFS_CLOSED'));
  await assert.rejects(root.hashFilesAsync([path('x')], { maxBytes: 1 }), failsWith('ERR_ROOTFS_CLOSED'));
  assert.throws(() => openRoot('/nonexistent/root'), failsWith('ERR_ROOTFS_NOT_FOUND'));
  assert.throws(() => openRoot('/etc/passwd'), failsWith('ERR_ROOTFS_NOT_FOUND'));
});

test('hashing runs at the speed of node:crypto', (t) => {
  const base = makeTree(t);
  const bytes = randomBytes(64 * 1024 * 1024);
  writeFileSync(join(base, 'file'), bytes);
  using root = openRoot(base);
  const best = (step: () => string): [number, string] => {
    let digest = '';
    const times = Array.from({ length: 5 }, () => {
      const start = performance.now();
      digest = step();
      return performance.now() - start;
    });
    return [Math.min(...times), digest];
  };
  const [ours, ourDigest] = best(() => root.hashFile(path('file'), { maxBytes: bytes.length }).sha256.toString('hex'));
  const [theirs, theirDigest] = best(() =>
    createHash('sha256')
      .update(readFileSync(join(base, 'file')))
      .digest('hex'),
  );
  assert.equal(ourDigest, theirDigest);
  const rate = (ms: number): string => `${(bytes.length / 1000 / ms).toFixed(0)} MB/s`;
  t.diagnostic(`hashFile ${rate(ours)}, node:crypto with readFileSync ${rate(theirs)}`);
  assert.ok(ours < theirs * 1.5, `${ours} ms against ${theirs} ms`);
});
