import assert from 'node:assert/strict';
import { spawnSync } from 'node:child_process';
import { describe, it } from 'node:test';
import { fileURLToPath } from 'node:url';
import { startContainerd, whyNoContainerd } from '@holdfast/scripts';
import { missingSwtpm, startSwtpm } from '../support/swtpm.ts';

const HOLDFAST = fileURLToPath(new URL('../../scripts/holdfast', import.meta.url));
const skip = (await whyNoContainerd()) ?? missingSwtpm() ?? false;

/** Another user, who can read the checkout wherever it lies, and has no other right. */
const AS_NOBODY = ['--reuid=65534', '--regid=65534', '--clear-groups', '--inh-caps=-all,+dac_read_search'];
const KEEPING = ['--ambient-caps=-all,+dac_read_search', '--bounding-set=-all,+dac_read_search'];

function doctor(args: readonly string[], isNobody = false) {
  const { NODE_V8_COVERAGE: _, NODE_TEST_CONTEXT: __, HOLDFAST_CONFIG: ___, ...env } = process.env;
  const [program = HOLDFAST, ...before] = isNobody ? ['setpriv', ...AS_NOBODY, ...KEEPING, HOLDFAST] : [];
  return spawnSync(program, [...before, 'doctor', ...args], { encoding: 'utf8', env, cwd: '/', timeout: 60_000 });
}

function readStatuses(stdout: string): Record<string, string> {
  const { checks } = JSON.parse(stdout);
  return Object.fromEntries(checks.map(({ id, status }: Record<string, string>) => [id, status]));
}

describe('holdfast doctor', { skip, timeout: 120_000 }, () => {
  it('finds that a TPM with certificates and a containerd work, and leaves nothing in the TPM', async (test) => {
    const swtpm = await startSwtpm();
    test.after(() => swtpm.close());
    const containerd = await startContainerd();
    test.after(() => containerd.close());
    const args = ['--tpm', swtpm.tcti, '--runtime', containerd.address];
    for (let run = 0; run < 5; run += 1) {
      const outcome = doctor([...args, '--json']);
      assert.equal(outcome.status, 0, outcome.stdout + outcome.stderr);
      const found = readStatuses(outcome.stdout);
      for (const id of ['tpm', 'tpm.sha256Bank', 'tpm.ekCertificate', 'runtime', 'permissions', 'fs.trustedXattrs']) {
        assert.equal(found[id], 'works', id);
      }
    }
    const text = doctor(args);
    assert.equal(text.status, 0);
    assert.match(text.stdout, /works +runtime +containerd 1\.\S+ answers at .* with 0 containers/);
  });

  it('exits 1 where the agent could not run, and says what to do', () => {
    const args = ['--tpm', 'swtpm:path=/nonexistent', '--runtime', '/nonexistent.sock'];
    const outcome = doctor(args);
    assert.equal(outcome.status, 1);
    assert.match(outcome.stdout, /fails +tpm +.*swtpm:path=\/nonexistent/);
    assert.match(outcome.stdout, /fails +runtime +.*\/nonexistent\.sock/);
    assert.match(outcome.stdout, /fix: start the TPM/);
    assert.equal(outcome.stderr.includes('    at '), false);
    const found = readStatuses(doctor(['--tpm', 'none', '--runtime', 'none', '--json'], true).stdout);
    assert.equal(found['permissions'], 'fails');
    assert.equal(found['fs.trustedXattrs'], 'fails');
    assert.equal(found['tpm'], 'skipped');
  });

  it('refuses what it does not know', () => {
    for (const args of [['--bogus'], ['extra'], ['--host-root', 'relative'], ['--runtime', 'relative']]) {
      const outcome = doctor(args);
      assert.equal(outcome.status, 2, outcome.stderr);
      assert.equal(outcome.stdout, '');
    }
  });
});
