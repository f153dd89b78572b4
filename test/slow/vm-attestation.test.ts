import assert from 'node:assert/strict';
import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { readdirSync } from 'node:fs';
import { arch } from 'node:os';
import { join } from 'node:path';
import { before, suite, test } from 'node:test';
import { fileURLToPath } from 'node:url';

const CHECKOUT = fileURLToPath(new URL('../..', import.meta.url));
const SUITES = ['secure-boot', 'reboot', 'power-cut', 'command-line', 'unsigned', 'tpm-rollback', 'tpm-clear'];
/** What all suites may take on two cores. */
const MAX_SECONDS = 600;

interface Report {
  passed: boolean;
  suites: { name: string; passed: boolean; checks: { text: string; pass: boolean; seen?: string }[]; error?: string }[];
  timings: { totalSeconds: number };
}

async function runTestVm(...args: string[]): Promise<{ status: unknown; stdout: string }> {
  // Coverage and test-runner settings are for this process, not for what it starts.
  const { NODE_V8_COVERAGE: _, NODE_TEST_CONTEXT: __, NODE_OPTIONS: ___, ...env } = process.env;
  const stdio = ['ignore', 'pipe', 'inherit'] as const;
  const child = spawn(join(CHECKOUT, 'scripts/test-vm'), args, { env, stdio: [...stdio] });
  const chunks: Buffer[] = [];
  child.stdout?.on('data', (chunk: Buffer) => chunks.push(chunk));
  const [status] = await once(child, 'close');
  return { status, stdout: Buffer.concat(chunks).toString() };
}

function listLeftovers(): string[] {
  return readdirSync('/var/tmp').filter((name) => name.startsWith('hfvm-'));
}

suite('a virtual machine with Secure Boot, TPM and IMA', {
  skip: arch() === 'x64' ? false : 'the guest is an x86_64 machine',
}, () => {
  let report: Report | undefined;
  let status: unknown;
  let leftovers: string[] = [];

  before(async () => {
    const known = new Set(listLeftovers());
    const run = await runTestVm('--json');
    status = run.status;
    report = JSON.parse(run.stdout);
    leftovers = listLeftovers().filter((name) => !known.has(name));
  });

  for (const name of SUITES) {
    test(`suite ${name}`, () => {
      const found = report?.suites.find((one) => one.name === name);
      assert.ok(found, `suite ${name} ran`);
      assert.equal(found.error, undefined);
      assert.ok(found.checks.length > 0);
      assert.deepEqual(
        found.checks.filter((check) => !check.pass),
        [],
      );
    });
  }

  test('the run says that it passed, in time, and leaves nothing behind', () => {
    assert.equal(status, 0);
    assert.equal(report?.passed, true);
    assert.equal(report.suites.length, SUITES.length);
    assert.ok(report.timings.totalSeconds <= MAX_SECONDS, `${report.timings.totalSeconds} s`);
    assert.deepEqual(leftovers, []);
  });
});

test('a suite that does not exist is wrong use', async () => {
  const { status, stdout } = await runTestVm('no-such-suite');
  assert.equal(status, 2);
  assert.equal(stdout, '');
});
