import assert from 'node:assert/strict';
import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { join } from 'node:path';
import { test } from 'node:test';
import { fileURLToPath } from 'node:url';
import { missingSwtpm } from '../support/swtpm.ts';

const CHECKOUT = fileURLToPath(new URL('../..', import.meta.url));
const QUOTES = 10_000;
const skip = missingSwtpm() ?? false;

async function run(script: string, ...args: string[]): Promise<{ status: unknown; stdout: string; stderr: string }> {
  // Coverage and test-runner settings are for this process, not for what it starts.
  const { NODE_V8_COVERAGE: _, NODE_TEST_CONTEXT: __, NODE_OPTIONS: ___, ...env } = process.env;
  const child = spawn(join(CHECKOUT, script), args, { env, stdio: ['ignore', 'pipe', 'pipe'] });
  const output = { stdout: '', stderr: '' };
  child.stdout.on('data', (chunk: Buffer) => (output.stdout += chunk.toString()));
  child.stderr.on('data', (chunk: Buffer) => (output.stderr += chunk.toString()));
  const [status] = await once(child, 'close');
  return { status, ...output };
}

test('thousands of quotes leave nothing behind, in the process or in the TPM', { skip, timeout: 300_000 }, async () => {
  const { status, stdout, stderr } = await run('scripts/soak', 'tpm', '--quotes', String(QUOTES), '--json');
  assert.equal(status, 0, `${stdout}\n${stderr}`);
  const { name, results, samples } = JSON.parse(stdout);
  assert.equal(name, 'soak-tpm');
  assert.equal(samples.at(-1).count, QUOTES);
  const barred = results.filter(({ bar }: { bar: number | null }) => bar !== null);
  assert.ok(barred.length >= 5 && barred.every(({ pass }: { pass: boolean }) => pass));
});

test('the soak refuses what it does not know', { timeout: 60_000 }, async () => {
  for (const args of [[], ['disk'], ['tpm', '--quotes', '10'], ['tpm', '--fast']]) {
    assert.equal((await run('scripts/soak', ...args)).status, 2, args.join(' '));
  }
});

test('the native code is clean under the sanitizers, which catch a planted bug', {
  skip,
  timeout: 600_000,
}, async () => {
  const { status, stderr } = await run('native/tpm2-tss-node/scripts/asan');
  assert.equal(status, 0, stderr);
  assert.match(stderr, /caught: AddressSanitizer: heap-buffer-overflow/);
  assert.match(stderr, /tpm2-tss-node: green/);
});
