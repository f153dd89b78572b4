import assert from 'node:assert/strict';
import { mkdir, mkdtemp, rm, symlink, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { after, before, test } from 'node:test';
import { createHostFiles } from './host-files-source.ts';

const hostRoot = await mkdtemp(join(tmpdir(), 'hf-host-'));
const files = createHostFiles(hostRoot);
const long = Buffer.from(Array.from({ length: 200_000 }, (_, at) => at % 251));

before(async () => {
  await mkdir(join(hostRoot, 'etc'));
  await writeFile(join(hostRoot, 'etc/long'), long);
  await writeFile(join(hostRoot, 'etc/empty'), '');
  await symlink('long', join(hostRoot, 'etc/link'));
});

after(() => rm(hostRoot, { recursive: true }));

test('files are read whole or not at all, by themselves and many at once', () => {
  assert.deepEqual(files.read('/etc/long', long.length), long);
  assert.equal(files.read('/etc/long', long.length - 1), undefined);
  assert.deepEqual(files.read('/etc/empty', 0), Buffer.alloc(0));
  for (const path of ['/etc/none', '/etc']) assert.equal(files.read(path, 10), undefined);
  const contents = files.readMany(['/etc/none', '/etc/long', '/etc', '/etc/empty'], long.length);
  assert.deepEqual(contents, [undefined, long, undefined, Buffer.alloc(0)]);
});

test('a part ends where the file does, and takes no more memory than it has', () => {
  const part = files.readPart('/etc/long', 150_000, 2 ** 21);
  assert.deepEqual(part, long.subarray(150_000));
  assert.ok((part?.buffer.byteLength ?? 0) < 2 ** 20);
  assert.deepEqual(files.readPart('/etc/long', 300_000, 10), Buffer.alloc(0));
  assert.deepEqual(files.readEnd('/etc/long', 100_000), long.subarray(100_000));
  for (const path of ['/etc/none', '/etc']) assert.equal(files.readPart(path, 0, 10), undefined);
});

test('links and directories are told', () => {
  assert.equal(files.readLink('/etc/link'), 'long');
  assert.equal(files.readLink('/etc/long'), undefined);
  const names = files.list('/').concat(files.list('/etc'));
  assert.deepEqual(
    names.map(({ name, isDirectory }) => [name, isDirectory]),
    [
      ['etc', true],
      ['empty', false],
      ['link', false],
      ['long', false],
    ],
  );
  assert.deepEqual(files.list('/none'), []);
});

test('another reader is asked in the place of its own, for paths below the root', () => {
  const asked: string[] = [];
  const readFiles = (paths: readonly string[], maxBytes: number) => {
    asked.push(`${paths.join(' ')} ${maxBytes}`);
    return paths.map(() => undefined);
  };
  const other = createHostFiles('/host', readFiles);
  other.read('/proc/version', 10);
  other.readMany(['/a', '/b'], 20);
  createHostFiles('/', readFiles).read('/proc/version', 1);
  assert.deepEqual(asked, ['/host/proc/version 10', '/host/a /host/b 20', '/proc/version 1']);
});
