import assert from 'node:assert/strict';
import { mkdirSync, mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { type TestContext, test } from 'node:test';
import { pathToFileURL } from 'node:url';
import { bundleCommand } from './bundle-command.ts';

function createTree(t: TestContext, files: Record<string, string>): string {
  const directory = mkdtempSync(join(tmpdir(), 'holdfast-bundle-'));
  t.after(() => rmSync(directory, { recursive: true, force: true }));
  for (const [path, text] of Object.entries(files)) {
    mkdirSync(join(directory, path, '..'), { recursive: true });
    writeFileSync(join(directory, path), text);
  }
  return directory;
}

test('one file holds each module once, knows where each would lie, and leaves to import() what it names', async (t) => {
  const sources = createTree(t, {
    'a/main.ts': `import { counter, directory } from './sub/b.ts'; import { counter as again } from './sub/b.ts';
      export const told: unknown[] = [counter === again, directory];
      export const late = async () => (await import('./sub/late.ts')).place;`,
    'a/sub/b.ts': 'export const counter = {}; export const directory: string = import.meta.dirname;',
    'a/sub/late.ts': "throw new Error('it is in no file but its own');",
  });
  const directory = createTree(t, { 'a/sub/late.js': 'export const place = import.meta.filename;' });
  writeFileSync(join(directory, 'package.json'), '{"type": "module"}');
  await bundleCommand({ sources, entry: 'a/main.ts', directory, out: 'a/one.cjs' });
  const { default: one } = await import(pathToFileURL(join(directory, 'a/one.cjs')).href);
  assert.deepEqual(one.told, [true, join(directory, 'a/sub')]);
  assert.equal(await one.late(), join(directory, 'a/sub/late.js'));
});

test('it is not made of a module that is missing', async (t) => {
  for (const text of ["import './none.ts';", "void import('./none.ts');"]) {
    const sources = createTree(t, { 'a/main.ts': text });
    const options = { sources, entry: 'a/main.ts', directory: sources, out: 'a/one.cjs' };
    await assert.rejects(bundleCommand(options), /none\.ts/);
  }
});
