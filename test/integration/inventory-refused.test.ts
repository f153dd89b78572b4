import assert from 'node:assert/strict';
import { spawnSync } from 'node:child_process';
import { chmodSync, chownSync, cpSync, mkdirSync, mkdtempSync, rmSync, symlinkSync, writeFileSync } from 'node:fs';
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

function file(path: string, content = '', mode = 0o644, uid = 0): void {
  writeFileSync(at(path), content);
  chmodSync(at(path), mode);
  chownSync(at(path), uid, uid);
}

function run(command: string, ...args: string[]) {
  const { NODE_V8_COVERAGE: _, NODE_TEST_CONTEXT: __, HOLDFAST_CONFIG: ___, ...env } = process.env;
  return spawnSync(command, args, { encoding: 'utf8', env, timeout: 60_000 });
}

/** What `holdfast inventory --json` says of the root; it ends with 0 whatever could not be read. */
function readLimits(...wrapper: string[]): string[] {
  const [command, ...args] = [...wrapper, HOLDFAST, 'inventory', root, '--json'];
  const result = run(command, ...args);
  assert.equal(result.status, 0, result.stderr);
  const { complete, limits } = JSON.parse(result.stdout);
  assert.equal(complete, limits.length === 0);
  return limits;
}

// Root without the capabilities to read everything: the checkout may lie where nobody else can reach it.
const DROPPED = '-dac_override,-dac_read_search';
const UNPRIVILEGED = ['setpriv', `--bounding-set=${DROPPED}`, `--inh-caps=${DROPPED}`];

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

suite('files that the kernel refuses to read', { skip: process.getuid?.() === 0 ? false : 'needs root' }, () => {
  test('are limits with their path, and the rest is read', () => {
    file(STATUS, 'x', 0o000, 65534);
    file('app/package.json', '{"name":"a","version":"1"}', 0o000, 65534);
    file('app/lib.jar', 'PK', 0o000, 65534);
    file('app/seen/package.json', '{"name":"b","version":"1"}');
    cpSync('/bin/true', at('bin/tool'));
    chownSync(at('bin/tool'), 65534, 65534);
    chmodSync(at('bin/tool'), 0o111);
    mkdirSync(at('secret'), { mode: 0o700 });
    chownSync(at('secret'), 65534, 65534);
    const paths = ['/app/lib.jar', '/app/package.json', '/bin/tool', '/secret', `/${STATUS}`];
    assert.deepEqual(
      readLimits(...UNPRIVILEGED),
      paths.map((path) => `unreadable ${path}`),
    );
    const [command, ...args] = [...UNPRIVILEGED, HOLDFAST, 'inventory', root];
    assert.match(run(command, ...args).stdout, /npm +b +1 [\s\S]*\nNOT COMPLETE: unreadable \/app\/lib\.jar; /);
  });

  test('end the command with what to do where it is the root directory itself', () => {
    file('app/package.json', '{"name":"a","version":"1"}');
    chownSync(root, 65534, 65534);
    for (const mode of [0o700, 0o744, 0o711]) {
      chmodSync(root, mode);
      const [command, ...args] = [...UNPRIVILEGED, HOLDFAST, 'inventory', root];
      const { status, stdout, stderr } = run(command, ...args);
      assert.deepEqual([status, stdout], [3, ''], stderr);
      assert.match(stderr, /^holdfast: no permission to read .*; run as root or change its mode\n$/);
    }
  });

  test('because another file system lies there are limits of their own', () => {
    file('app/package.json', '{"name":"a","version":"1"}');
    file('app/lib.jar', 'PK');
    file('etc/os-release', 'ID=debian\n');
    file('other/lib/dpkg/status', 'Package: aa\nStatus: install ok installed\nVersion: 1\n');
    mkdirSync(join(root, 'var'));
    const binds = ['app/package.json', 'app/lib.jar', 'etc/os-release'].map(
      (path) => `mount --bind /etc/hostname $0/${path}`,
    );
    const script = [...binds, 'mount --bind $0/other $0/var', 'exec "$@"'].join(' && ');
    assert.deepEqual(readLimits('unshare', '--mount', 'sh', '-c', script, root), [
      'mount /app/lib.jar',
      'mount /app/package.json',
      'mount /etc/os-release',
      'mount /var',
    ]);
  });
});
