import assert from 'node:assert/strict';
import { spawnSync } from 'node:child_process';
import { mkdtempSync, readdirSync, readFileSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { test } from 'node:test';

const CHECKOUT = join(import.meta.dirname, '../..');
/** What makes Node, OpenSSL or the linker load code, trust certificates or write files. */
const UNSAFE = [
  'NODE_OPTIONS',
  'NODE_PATH',
  'NODE_EXTRA_CA_CERTS',
  'NODE_TLS_REJECT_UNAUTHORIZED',
  'NODE_V8_COVERAGE',
  'NODE_COMPILE_CACHE',
  'OPENSSL_CONF',
  'OPENSSL_MODULES',
  'OPENSSL_ENGINES',
  'SSL_CERT_FILE',
  'SSL_CERT_DIR',
  'LD_PRELOAD',
  'LD_LIBRARY_PATH',
  'LD_AUDIT',
].sort();

for (const name of ['scripts/holdfast', 'scripts/build']) {
  test(`${name} starts the command without what its environment could make it load`, () => {
    const text = readFileSync(join(CHECKOUT, name), 'utf8');
    const unset = [...text.matchAll(/^unset (.*)$/gm)].flatMap(([, names = '']) => names.split(' '));
    assert.deepEqual(unset.sort(), UNSAFE);
  });
}

test('a cache of compiled code that the environment names is not used', (t) => {
  const foreign = mkdtempSync(join(tmpdir(), 'hf-cache-'));
  t.after(() => rmSync(foreign, { recursive: true }));
  const env = { ...process.env, NODE_COMPILE_CACHE: foreign, OPENSSL_CONF: '/proc/self/mem' };
  const { status, stdout, stderr } = spawnSync(join(CHECKOUT, 'scripts/holdfast'), ['--version'], { env });
  assert.deepEqual([status, stderr.toString()], [0, '']);
  assert.match(stdout.toString(), /^holdfast /);
  assert.deepEqual(readdirSync(foreign), []);
});
