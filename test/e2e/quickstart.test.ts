import assert from 'node:assert/strict';
import { spawn, spawnSync } from 'node:child_process';
import { generateKeyPairSync } from 'node:crypto';
import { once } from 'node:events';
import { mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { dirname, join } from 'node:path';
import { createInterface } from 'node:readline';
import { after, before, suite, test } from 'node:test';
import { setTimeout as delay } from 'node:timers/promises';
import { fileURLToPath } from 'node:url';
import { isDeepStrictEqual } from 'node:util';
import { assertCheckquoteAccepts, assertPythonVerifies } from '../support/token-interop.ts';

const CHECKOUT = fileURLToPath(new URL('../..', import.meta.url));

interface Moment {
  kubeNode: { name: string; status: string; findings: { code: string }[] };
  containers: {
    id: string;
    name: string;
    status: string;
    manifestDigest: string;
    packages: number | null;
    sbomDigest: string | null;
    findings: { code: string; path?: string; purl?: string; message: string }[];
  }[];
}

interface Report {
  before: Moment;
  after: Moment;
  timings: { changes: { container: string; seconds: number }[]; totalMs: number };
}

function run(command: string, args: readonly string[], cwd = CHECKOUT) {
  // Coverage and test-runner settings are for this process, not for what it starts.
  const { NODE_V8_COVERAGE: _, NODE_TEST_CONTEXT: __, NODE_OPTIONS: ___, ...env } = process.env;
  const result = spawnSync(command, args, { cwd, encoding: 'utf8', env, timeout: 400_000, maxBuffer: 64 << 20 });
  return { status: result.status, stdout: result.stdout, stderr: result.stderr };
}

const quickstart = (...args: string[]) => run(join(CHECKOUT, 'scripts/quickstart'), args);
const holdfast = (args: string[], cwd = CHECKOUT) => run(join(CHECKOUT, 'scripts/holdfast'), args, cwd);

/** What a run may leave behind: processes, mounts, control groups and files of its own kind. */
function findTraces(): string[] {
  const processes = run('sh', ['-c', 'pgrep -fa "/var/tmp/holdfast-" || true']).stdout.split('\n').filter(Boolean);
  const mounts = readFileSync('/proc/self/mountinfo', 'utf8')
    .split('\n')
    .filter((line) => line.includes('/var/tmp/holdfast-'));
  const groups = run('sh', ['-c', 'find /sys/fs/cgroup -maxdepth 2 -name "holdfast-??????" 2>/dev/null']).stdout;
  const files = run('sh', [
    '-c',
    'ls -d /var/tmp/holdfast-* /run/containerd/runc/holdfast-?????? 2>/dev/null || true',
  ]).stdout;
  const named = [...groups.split('\n'), ...files.split('\n')].filter(Boolean);
  return [...processes.filter((line) => !line.includes('pgrep')), ...mounts, ...named];
}

/** Traces that were not there before this suite: another run beside it is not ours to judge. */
function findLeftovers(): string[] {
  return findTraces().filter((trace) => !tracesBefore.has(trace));
}

let tracesBefore: ReadonlySet<string> = new Set();

suite('quickstart, end to end on a real runtime and a TPM simulator', () => {
  let directory = '';
  before(() => {
    directory = mkdtempSync(join(tmpdir(), 'holdfast-e2e-'));
    tracesBefore = new Set(findTraces());
  });
  after(() => {
    quickstart('--stop');
    rmSync(directory, { recursive: true, force: true });
  });

  test('containers are affirming before, and contraindicated after they were changed', () => {
    const { status, stdout, stderr } = quickstart('--json');
    assert.equal(status, 0, stderr);
    const report: Report = JSON.parse(stdout);
    checkBefore(report.before);
    checkAfter(report.before, report.after);
    assert.equal(report.timings.changes.length, 2);
    assert.ok(report.timings.changes.every((change) => change.seconds >= 0 && change.seconds < 60));
    assert.deepEqual(findLeftovers(), []);
  });

  test('Ctrl-C in the middle takes everything down', async () => {
    const { NODE_V8_COVERAGE: _, NODE_TEST_CONTEXT: __, NODE_OPTIONS: ___, ...env } = process.env;
    const stdio: ['ignore', 'ignore', 'pipe'] = ['ignore', 'ignore', 'pipe'];
    const child = spawn(join(CHECKOUT, 'scripts/quickstart'), ['--json'], { stdio, env, detached: true });
    const lines = createInterface({ input: child.stderr });
    for await (const line of lines) if (line.includes('waiting for the first verdicts')) break;
    assert.ok(child.pid !== undefined);
    process.kill(-child.pid, 'SIGINT');
    const [code] = await once(child, 'exit', { signal: AbortSignal.timeout(60_000) });
    assert.equal(code, 130);
    assert.deepEqual(findLeftovers(), []);
  });

  test('a run that is kept can be looked at, and its snapshot verifies elsewhere', async () => {
    const kept = quickstart('--keep', ...bringImage(directory));
    assert.equal(kept.status, 0, kept.stderr);
    assert.match(kept.stdout, /BEFORE[\s\S]*AFTER/);
    const again = quickstart();
    assert.equal(again.status, 3, 'a second run beside a kept one is refused');
    checkCommands(directory);
    checkSnapshot(directory);
    await checkSubscriber();
    const stopped = quickstart('--stop');
    assert.equal(stopped.status, 0, stopped.stderr);
    assert.deepEqual(findLeftovers(), []);
    assert.equal(quickstart('--stop').status, 0, 'stopping twice is harmless');
  });
});

function find(moment: Moment, name: string) {
  const found = moment.containers.find((container) => container.id.startsWith(name));
  assert.ok(found, `there is a container ${name}`);
  return found;
}

function checkBefore(moment: Moment): void {
  assert.equal(moment.containers.length, 3);
  for (const container of moment.containers) {
    assert.equal(container.status, 'affirming', JSON.stringify(container));
    assert.match(container.manifestDigest, /^sha256:[0-9a-f]{64}$/);
    assert.match(container.sbomDigest ?? '', /^sha256:[0-9a-f]{64}$/);
  }
  assert.ok((find(moment, 'debian-installed').packages ?? 0) >= 90);
  assert.equal(find(moment, 'busybox').packages, 1);
  assert.equal(moment.kubeNode.status, 'warning');
  const codes = moment.kubeNode.findings.map((finding) => finding.code);
  assert.ok(codes.includes('BOOT_LOG_MISSING'), codes.join());
}

function checkAfter(before: Moment, moment: Moment): void {
  const installed = find(moment, 'debian-installed');
  assert.equal(installed.status, 'contraindicated');
  assert.ok(
    installed.findings.some(
      (finding) => finding.code === 'PACKAGE_ADDED' && finding.purl?.startsWith('pkg:deb/debian/hello@'),
    ),
    JSON.stringify(installed.findings),
  );
  const executables = installed.findings
    .filter((finding) => finding.code === 'EXECUTABLE_ADDED')
    .map((finding) => finding.path);
  assert.deepEqual(
    executables.filter((path) => path === '/usr/bin/hello'),
    ['/usr/bin/hello'],
  );
  const replaced = find(moment, 'debian-replaced');
  assert.equal(replaced.status, 'contraindicated');
  const library = replaced.findings.filter((finding) => finding.code === 'OWNED_FILE_MODIFIED');
  assert.equal(library.length, 1, JSON.stringify(replaced.findings));
  assert.match(library[0]?.path ?? '', /libz\.so\.1\.2\.13$/);
  assert.match(library[0]?.purl ?? library[0]?.message ?? '', /zlib1g/);
  assert.ok(
    !replaced.findings.some((finding) => finding.code.startsWith('PACKAGE_')),
    'the package database was not touched',
  );
  assert.equal(find(moment, 'busybox').status, 'affirming');
  assert.equal(find(moment, 'busybox').manifestDigest, find(before, 'busybox').manifestDigest);
}

/** An image of one's own with a plain SBOM and the private key to sign it with: the layout that the first run left. */
function bringImage(directory: string): string[] {
  const layout = join(CHECKOUT, '.cache/quickstart/busybox-recipe-3');
  const sbom = join(directory, 'sbom.cdx.json');
  const key = join(directory, 'sbom.key');
  const made = holdfast(['inventory', `${layout}:1`, '--format', 'cyclonedx']);
  assert.equal(made.status, 0, made.stderr);
  writeFileSync(sbom, made.stdout);
  const { privateKey } = generateKeyPairSync('ed25519');
  writeFileSync(key, privateKey.export({ type: 'pkcs8', format: 'pem' }));
  return ['--image', `${layout}:1`, '--sbom', sbom, '--key', key];
}

function checkCommands(directory: string): void {
  const nodes = JSON.parse(holdfast(['nodes', '--json']).stdout);
  assert.equal(nodes.length, 1);
  assert.equal(nodes[0].status, 'warning');
  const results = JSON.parse(holdfast(['results', '--json']).stdout);
  assert.equal(results[0].containers.length, 4);
  const yours = results[0].containers.find((container: { id: string }) => container.id.startsWith('yours-'));
  assert.equal(yours.status, 'affirming', JSON.stringify(yours));
  const settings = JSON.parse(readFileSync(join(CHECKOUT, '.holdfast/config.json'), 'utf8'));
  const noRole = { ...settings, tls: undefined };
  const file = join(directory, 'no-tls.json');
  writeFileSync(file, JSON.stringify(noRole));
  const refused = holdfast(['results', '--config', file]);
  assert.equal(refused.status, 2);
  assert.match(refused.stderr, /mutual TLS/);
}

function checkSnapshot(directory: string): void {
  const file = join(directory, 'node.snapshot');
  const pulled = holdfast(['snapshot', '--out', file, '--json'], directory);
  assert.equal(pulled.status, 0, pulled.stderr);
  const { nonce } = JSON.parse(pulled.stdout);
  const verified = holdfast(['verify', file, '--json', '--nonce', nonce], directory);
  assert.equal(verified.status, 0, verified.stderr);
  const appraised = holdfast(['verify', file, '--appraise'], directory);
  assert.equal(appraised.status, 1, 'two containers were changed, so the appraisal finds something');
  const report = JSON.parse(verified.stdout);
  assert.equal(report.valid, true);
  assert.equal(report.nonceMatches, true);
  assert.equal(report.result.containers.length, 4);
  const otherNonce = holdfast(['verify', file, '--json', '--nonce', 'A'.repeat(43)], directory);
  assert.equal(otherNonce.status, 1);
  assert.equal(JSON.parse(otherNonce.stdout).valid, false);
  checkFlippedBytes(directory, file);
  checkInterop(directory, file);
}

function checkFlippedBytes(directory: string, file: string): void {
  const bytes = readFileSync(file);
  const damaged = join(directory, 'damaged.snapshot');
  for (const at of [0, 9, 200, Math.floor(bytes.length / 2), bytes.length - 40, bytes.length - 1]) {
    const copy = Buffer.from(bytes);
    copy[at] = (copy[at] ?? 0) ^ 0x01;
    writeFileSync(damaged, copy);
    const { status } = holdfast(['verify', damaged], directory);
    assert.equal(status, 1, `byte ${at}`);
  }
  writeFileSync(damaged, bytes.subarray(0, bytes.length - 1));
  assert.equal(holdfast(['verify', damaged], directory).status, 3, 'a file that is cut off is not decided');
}

function checkInterop(directory: string, file: string): void {
  const token = holdfast(['inspect', 'snapshot', file, '--token'], directory).stdout.trim();
  const { akPublic } = JSON.parse(holdfast(['inspect', 'snapshot', file, '--json'], directory).stdout);
  assertPythonVerifies(token, directory);
  assertCheckquoteAccepts(token, Buffer.from(akPublic, 'hex'), directory);
}

/** A verifier service of somebody else dials the agent, and comes to the same verdicts on evidence of its own. */
async function checkSubscriber(): Promise<void> {
  const settings = JSON.parse(readFileSync(join(CHECKOUT, '.holdfast/config.json'), 'utf8'));
  const config = join(dirname(settings.trust), 'subscriber.json');
  const { NODE_V8_COVERAGE: _, NODE_TEST_CONTEXT: __, NODE_OPTIONS: ___, ...env } = process.env;
  const child = spawn(join(CHECKOUT, 'scripts/holdfast'), ['verifier', '--json', '--config', config], {
    stdio: ['ignore', 'pipe', 'ignore'],
    env,
  });
  try {
    const [line] = await once(createInterface({ input: child.stdout }), 'line', {
      signal: AbortSignal.timeout(30_000),
    });
    const { listenAddress } = JSON.parse(line);
    const first = JSON.parse(holdfast(['results', '--json']).stdout)[0];
    const second = await pollResult(listenAddress, summarise(first));
    assert.deepEqual(summarise(second), summarise(first));
    assert.equal(second.kubeNode.ueid, first.kubeNode.ueid);
  } finally {
    const ended = once(child, 'exit');
    child.kill('SIGTERM');
    await ended;
  }
}

/** The newest result of a verifier once it is the expected one, or when it had time enough to become so. */
async function pollResult(address: string, expected: object) {
  let found = [];
  for (let attempt = 0; attempt < 60; attempt += 1) {
    found = JSON.parse(holdfast(['results', '--json', '--verifier', address]).stdout || '[]');
    if (found.length === 1 && isDeepStrictEqual(summarise(found[0]), expected)) return found[0];
    await delay(500);
  }
  return found[0] ?? assert.fail('the second verifier got no evidence');
}

function summarise(result: { kubeNode: { name: string; status: string }; containers: Moment['containers'] }) {
  return {
    name: result.kubeNode.name,
    status: result.kubeNode.status,
    containers: result.containers.map(({ id, status, manifestDigest, packages, sbomDigest, findings }) => ({
      id,
      status,
      manifestDigest,
      packages,
      sbomDigest,
      findings: findings.map(({ code, path, purl }) => ({ code, path, purl })),
    })),
  };
}
