import assert from 'node:assert/strict';
import { spawnSync } from 'node:child_process';
import { mkdirSync, mkdtempSync, rmSync, symlinkSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { dirname, join } from 'node:path';
import { afterEach, beforeEach, suite, test } from 'node:test';
import { fileURLToPath } from 'node:url';

const HOLDFAST = fileURLToPath(new URL('../../scripts/holdfast', import.meta.url));
const STATUS = 'var/lib/dpkg/status';

let root = '';
beforeEach(() => {
  root = mkdtempSync(join(tmpdir(), 'holdfast-refused-'));
});
afterEach(() => rmSync(root, { recursive: true, force: true }));

function at(path: string): string {
  const full = join(root, path);
  mkdirSync(dirname(full), { recursive: true });
  return full;
}

/** What `holdfast inventory --json` says of the root; it ends with 0 whatever could not be read. */
function readLimits(): string[] {
  const { NODE_V8_COVERAGE: _, NODE_TEST_CONTEXT: __, HOLDFAST_CONFIG: ___, ...env } = process.env;
  const result = spawnSync(HOLDFAST, ['inventory', root, '--json'], { encoding: 'utf8', env, timeout: 60_000 });
  assert.equal(result.status, 0, result.stderr);
  const { complete, limits } = JSON.parse(result.stdout);
  assert.equal(complete, limits.length === 0);
  return limits;
}

suite('a database that is there and cannot be one', () => {
  test('as a FIFO, a directory, a link to the outside or nothing is malformed', () => {
    for (const make of [
      (path: string) => spawnSync('mkfifo', [path]),
      (path: string) => mkdirSync(path),
      (path: string) => symlinkSync(HOLDFAST, path),
      (path: string) => symlinkSync('status', path),
      (path: string) => writeFileSync(path, ''),
    ]) {
      make(at(STATUS));
      assert.deepEqual(readLimits(), [`malformed /${STATUS}`], make.toString());
      rmSync(join(root, STATUS), { recursive: true });
    }
    assert.deepEqual(readLimits(), []);
  });
});
