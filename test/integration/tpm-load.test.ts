import assert from 'node:assert/strict';
import { execFileSync } from 'node:child_process';
import { cp, mkdir, mkdtemp, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { dirname, join } from 'node:path';
import { afterEach, beforeEach, test } from 'node:test';
import { fileURLToPath } from 'node:url';

const PACKAGE = dirname(dirname(fileURLToPath(import.meta.resolve('tpm2-tss-node'))));
const MANIFEST = JSON.stringify({ name: 'tpm2-tss-node', type: 'module' });
const BUILT = join('build', 'Release', 'tpm2_tss.node');

let directory = '';

beforeEach(async () => {
  directory = await mkdtemp(join(tmpdir(), 'hf-load-'));
  await cp(join(PACKAGE, 'src'), join(directory, 'dist/native/tpm2-tss-node/src'), { recursive: true });
  await writeFile(join(directory, 'package.json'), '{"type":"module"}');
});
afterEach(() => rm(directory, { recursive: true }));

async function place(root: string, content?: string): Promise<void> {
  await mkdir(join(directory, root, 'build/Release'), { recursive: true });
  await writeFile(join(directory, root, 'package.json'), MANIFEST);
  if (content === undefined) await cp(join(PACKAGE, BUILT), join(directory, root, BUILT));
  else await writeFile(join(directory, root, BUILT), content);
}

/** Imports the copied sources in a process of their own and says how loading went. */
function load(): string {
  const entry = join(directory, 'dist/native/tpm2-tss-node/src/index.ts');
  const script = `
    const { openTpm, describeNative } = await import(${JSON.stringify(entry)});
    try { console.log('loaded', describeNative().esysPath); }
    catch (error) {
      console.log(error.code, error.message);
      console.log(await openTpm({ tcti: 'device:/dev/null' }).catch((same) => same.code));
    }`;
  return execFileSync(process.execPath, ['--input-type=module', '-e', script], { encoding: 'utf8' });
}

test('the addon is found beside the package.json above a compiled copy', async () => {
  await place('dist/native/tpm2-tss-node');
  assert.match(load(), /^loaded .*libtss2-esys/);
});

test('the addon is found in an installed package above a compiled copy', async () => {
  await place('node_modules/tpm2-tss-node');
  assert.match(load(), /^loaded .*libtss2-esys/);
});

test('a package of another name is passed over', async () => {
  await place('dist/native/tpm2-tss-node');
  await writeFile(join(directory, 'dist/native/tpm2-tss-node/package.json'), '{"name":"other","type":"module"}');
  assert.match(load(), /^ERR_TPM_NATIVE the native part of tpm2-tss-node is not built/);
});

test('without the addon the error says what to do', () => {
  assert.match(
    load(),
    /^ERR_TPM_NATIVE .* is not built: run its scripts\/build \(needs libtss2-dev and g\+\+\)\nERR_TPM_NATIVE/,
  );
});

test('a file that is no addon is named, with the libraries that are needed', async () => {
  await place('dist/native/tpm2-tss-node', 'no shared object');
  assert.match(load(), /^ERR_TPM_NATIVE .*tpm2_tss\.node does not load: .* It needs libtss2-esys/);
});

test('a build that is up to date is left alone', () => {
  const started = performance.now();
  execFileSync(join(PACKAGE, 'scripts/build'), { stdio: 'pipe' });
  assert.ok(performance.now() - started < 5000);
});

test('a missing header package is named before any compiling', async () => {
  const root = join(directory, 'copy');
  for (const part of ['cc', 'scripts', 'binding.gyp', 'package.json']) {
    await cp(join(PACKAGE, part), join(root, part), { recursive: true });
  }
  const { PATH } = process.env;
  const headers = dirname(dirname(process.execPath));
  const fake = join(directory, 'bin');
  await mkdir(fake);
  await writeFile(join(fake, 'pkg-config'), '#!/bin/sh\nexit 1\n', { mode: 0o755 });
  const env = { PATH: `${fake}:${join(headers, 'bin')}:${PATH ?? ''}` };
  assert.throws(() => execFileSync(join(root, 'scripts/build'), { env, stdio: 'pipe' }), {
    message: /libtss2 3\.2 or later with headers is missing: apt-get install libtss2-dev/,
  });
});
