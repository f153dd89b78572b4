import assert from 'node:assert/strict';
import { mkdtemp, readFile, rename, rm, symlink, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { after, beforeEach, suite, test } from 'node:test';
import { AppendedFile } from './appended-file-source.ts';

const directory = await mkdtemp(join(tmpdir(), 'hf-appended-'));
const path = join(directory, 'journal');
let appended = new AppendedFile();

suite('a file that is appended to', () => {
  beforeEach(async () => {
    await appended.close();
    appended = new AppendedFile();
    await rm(path, { force: true });
    await writeFile(path, 'first\n');
  });

  after(async () => {
    await appended.close();
    await rm(directory, { recursive: true });
  });

  const append = (line: string) => appended.append(path, Buffer.from(`${line}\n`));
  const read = (file = path) => readFile(file, 'utf8');

  test('adds to what is there, write after write', async () => {
    await append('second');
    await append('third');
    assert.equal(await read(), 'first\nsecond\nthird\n');
  });

  test('what took the place of the file is written to, and the old file no more', async () => {
    await append('second');
    const old = join(directory, 'old');
    await rename(path, old);
    await writeFile(path, 'new\n');
    await append('third');
    assert.equal(await read(), 'new\nthird\n');
    assert.equal(await read(old), 'first\nsecond\n');
  });

  test('a file that was removed is missed, not written to unseen', async () => {
    await append('second');
    await rm(path);
    await assert.rejects(append('third'), { code: 'ENOENT' });
    await assert.rejects(read(), { code: 'ENOENT' });
  });

  test('a link is not followed, also where one took the place of the file', async () => {
    await append('second');
    const outside = join(directory, 'outside');
    await writeFile(outside, '');
    await rm(path);
    await symlink(outside, path);
    await assert.rejects(append('third'), { code: 'ELOOP' });
    assert.equal(await read(outside), '');
  });

  test('goes on after a failure and after its end', async () => {
    await append('second');
    await rm(path);
    await assert.rejects(append('lost'));
    await writeFile(path, 'again\n');
    await append('third');
    await appended.close();
    await append('fourth');
    assert.equal(await read(), 'again\nthird\nfourth\n');
  });
});
