import assert from 'node:assert/strict';
import { spawn } from 'node:child_process';
import { after, afterEach, before, beforeEach, describe, test } from 'node:test';
import { openTpm } from 'tpm2-tss-node';
import { KEY_TEMPLATES } from '../support/key-templates.ts';
import { missingSwtpm, type Swtpm, startSwtpm } from '../support/swtpm.ts';

interface Ending {
  code: number | null;
  signal: NodeJS.Signals | null;
  stdout: string;
  stderr: string;
  elapsedMs: number;
}

const TEMPLATE = KEY_TEMPLATES.attestation.toString('hex');
const MAX_RUN_MS = 20_000;

/** Runs a script as a process of its own, with `tcti`, `template`, `openTpm` and `sleep` at hand. */
async function runScript(
  script: string,
  swtpm: Swtpm,
  options: { nodeArgs?: string[]; onReady?: () => void } = {},
): Promise<Ending> {
  const prelude = `
    import { setTimeout as sleep } from 'node:timers/promises';
    import { Worker } from 'node:worker_threads';
    import { openTpm } from 'tpm2-tss-node';
    const tcti = ${JSON.stringify(swtpm.tcti)};
    const template = Buffer.from('${TEMPLATE}', 'hex');
    const swtpmPid = ${swtpm.pid};
  `;
  const args = [...(options.nodeArgs ?? []), '--input-type=module', '-e', `${prelude}${script}`];
  const child = spawn(process.execPath, args, { cwd: import.meta.dirname, stdio: ['ignore', 'pipe', 'pipe'] });
  const started = performance.now();
  let stdout = '';
  let stderr = '';
  child.stdout.on('data', (chunk: Buffer) => {
    stdout += chunk.toString();
    if (stdout.includes('READY')) options.onReady?.();
  });
  child.stderr.on('data', (chunk: Buffer) => {
    stderr += chunk.toString();
  });
  const killer = setTimeout(() => child.kill('SIGKILL'), MAX_RUN_MS);
  return new Promise((resolve) => {
    child.on('close', (code, signal) => {
      clearTimeout(killer);
      resolve({ code, signal, stdout, stderr, elapsedMs: performance.now() - started });
    });
  });
}

function assertClean({ code, signal, stderr }: Ending, expected = 0): void {
  assert.deepEqual({ code, signal, stderr }, { code: expected, signal: null, stderr: '' });
}

/** A worker thread that opens the TPM, says so, and then works without end. */
const BUSY_WORKER = `
  import { parentPort, workerData } from 'node:worker_threads';
  import { openTpm } from 'tpm2-tss-node';
  const tpm = await openTpm({ tcti: workerData });
  parentPort.postMessage('open');
  for (;;) await Promise.all([tpm.getRandom(32), tpm.readClock(), tpm.nvIndexes()]);
`;

describe('the end of a process', { skip: missingSwtpm() ?? false }, () => {
  let swtpm: Swtpm;

  before(async () => {
    swtpm = await startSwtpm({ ekCertificates: false });
  });
  after(() => swtpm?.close());
  beforeEach(async () => {
    const tpm = await openTpm({ tcti: swtpm.tcti, exclusive: true });
    await tpm.close();
  });
  afterEach(() => swtpm.signal('SIGCONT'));

  async function expectNothingLoaded(): Promise<void> {
    const tpm = await openTpm({ tcti: swtpm.tcti });
    assert.deepEqual(await tpm.handles('transient'), []);
    assert.deepEqual(await tpm.handles('loadedSession'), []);
    await tpm.close();
  }

  test('process.exit works while a command hangs', async () => {
    const ending = await runScript(
      `const tpm = await openTpm({ tcti });
       process.kill(swtpmPid, 'SIGSTOP');
       await sleep(50);
       tpm.getRandom(8).catch(() => {});
       await sleep(50);
       process.exit(7);`,
      swtpm,
    );
    assertClean(ending, 7);
    assert.ok(ending.elapsedMs < 5000, `${ending.elapsedMs} ms`);
  });

  test('a process whose command timed out ends by itself', async () => {
    const ending = await runScript(
      `const tpm = await openTpm({ tcti, deadlineMs: 200 });
       process.kill(swtpmPid, 'SIGSTOP');
       await sleep(50);
       await tpm.getRandom(8).catch((error) => process.stdout.write(error.code));
       await tpm.close();`,
      swtpm,
    );
    assertClean(ending);
    assert.equal(ending.stdout, 'ERR_TPM_TIMEOUT');
  });

  test('process.exit with commands in flight is clean, ten times', async () => {
    for (let round = 0; round < 10; round++) {
      const ending = await runScript(
        `const tpm = await openTpm({ tcti });
         const { object } = await tpm.createPrimary({ hierarchy: 'owner', template });
         for (let i = 0; i < 50; i++) tpm.getRandom(32).catch(() => {});
         setTimeout(() => process.exit(0), ${round * 3});`,
        swtpm,
      );
      assertClean(ending);
    }
    await expectNothingLoaded();
  });

  test('an open but idle context keeps no process alive, and what it loaded is flushed', async () => {
    const ending = await runScript(
      `const tpm = await openTpm({ tcti });
       await tpm.createPrimary({ hierarchy: 'owner', template });
       await tpm.startAuthSession({ kind: 'hmac' });`,
      swtpm,
    );
    assertClean(ending);
    await expectNothingLoaded();
  });

  test('a pending command keeps the process alive until it is answered', async () => {
    const ending = await runScript(
      `const tpm = await openTpm({ tcti });
       tpm.getRandom(8).then((bytes) => process.stdout.write(String(bytes.length)));`,
      swtpm,
    );
    assertClean(ending);
    assert.equal(ending.stdout, '8');
  });

  test('a context that nobody holds any more is flushed and closed', async () => {
    const ending = await runScript(
      `async function forget() {
         const tpm = await openTpm({ tcti });
         await tpm.createPrimary({ hierarchy: 'owner', template });
       }
       await forget();
       const observer = await openTpm({ tcti });
       for (let i = 0; i < 50 && (await observer.handles('transient')).length > 0; i++) { gc(); await sleep(20); }
       process.stdout.write(String((await observer.handles('transient')).length));`,
      swtpm,
      { nodeArgs: ['--expose-gc'] },
    );
    assertClean(ending);
    assert.equal(ending.stdout, '0');
  });

  test('an exception in a handler of ours ends the process as any other would', async () => {
    const ending = await runScript(
      `const tpm = await openTpm({ tcti });
       tpm.getRandom(8).then(() => { throw new Error('from the handler'); });
       tpm.getRandom(8);`,
      swtpm,
    );
    assert.equal(ending.code, 1);
    assert.match(ending.stderr, /from the handler/);
  });

  test('worker threads are terminated in mid-command, twenty times', async () => {
    const ending = await runScript(
      `for (let i = 0; i < 20; i++) {
         const worker = new Worker(${JSON.stringify(BUSY_WORKER)}, { eval: true, workerData: tcti });
         await new Promise((resolve) => worker.once('message', resolve));
         await sleep(i % 5);
         await worker.terminate();
       }`,
      swtpm,
    );
    assertClean(ending);
    await expectNothingLoaded();
  });

  test('a worker thread is terminated while its command hangs, and the process lives on', async () => {
    const ending = await runScript(
      `const worker = new Worker(${JSON.stringify(BUSY_WORKER)}, { eval: true, workerData: tcti });
       await new Promise((resolve) => worker.once('message', resolve));
       process.kill(swtpmPid, 'SIGSTOP');
       await sleep(100);
       const before = performance.now();
       await worker.terminate();
       process.stdout.write(performance.now() - before < 1000 ? 'soon' : 'late');
       process.kill(swtpmPid, 'SIGCONT');
       await sleep(100);
       const tpm = await openTpm({ tcti, exclusive: true });
       await tpm.getRandom(8);
       await tpm.close();`,
      swtpm,
    );
    assertClean(ending);
    assert.equal(ending.stdout, 'soon');
  });

  test('a main thread and two workers use contexts of their own at once', async () => {
    const ending = await runScript(
      `const workers = [0, 1].map(() => new Worker(${JSON.stringify(BUSY_WORKER)}, { eval: true, workerData: tcti }));
       await Promise.all(workers.map((worker) => new Promise((resolve) => worker.once('message', resolve))));
       const tpm = await openTpm({ tcti });
       for (let i = 0; i < 30; i++) await tpm.getRandom(32);
       await Promise.all(workers.map((worker) => worker.terminate()));
       await tpm.getRandom(1);
       await tpm.close();
       await tpm.close();`,
      swtpm,
    );
    assertClean(ending);
  });

  test('a killed process leaves its objects behind, and the next owner removes them', async () => {
    const ending = await runScript(
      `const tpm = await openTpm({ tcti });
       await tpm.createPrimary({ hierarchy: 'owner', template });
       process.kill(process.pid, 'SIGKILL');`,
      swtpm,
    );
    assert.equal(ending.signal, 'SIGKILL');
    const polite = await openTpm({ tcti: swtpm.tcti });
    assert.equal((await polite.handles('transient')).length, 1);
    await polite.close();
    await (await openTpm({ tcti: swtpm.tcti, exclusive: true })).close();
    await expectNothingLoaded();
  });

  test('nothing native is loaded before a TPM is opened', async () => {
    const ending = await runScript(
      `const { readFileSync } = await import('node:fs');
       const loaded = () => readFileSync('/proc/self/maps', 'utf8').includes('tpm2_tss.node');
       const before = loaded();
       await (await openTpm({ tcti })).close();
       process.stdout.write(before + ' ' + loaded());`,
      swtpm,
    );
    assertClean(ending);
    assert.equal(ending.stdout, 'false true');
  });
});
