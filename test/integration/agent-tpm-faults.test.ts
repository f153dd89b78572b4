import assert from 'node:assert/strict';
import { type ChildProcess, execFile, spawn } from 'node:child_process';
import { once } from 'node:events';
import { writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { createInterface } from 'node:readline';
import { after, before, test } from 'node:test';
import { setTimeout as sleep } from 'node:timers/promises';
import { promisify } from 'node:util';
import { openTpm, type Tpm } from 'tpm2-tss-node';
import { KEY_TEMPLATES } from '../support/key-templates.ts';
import { missingSwtpm, type Swtpm, startSwtpm } from '../support/swtpm.ts';
import { responseOf, startTpmProxy, type TpmProxy } from '../support/tpm-proxy.ts';
import type { ProbeReport } from './agent-probe-process.ts';
import { type AgentWorld, createAgentWorld } from './agent-world.ts';

const run = promisify(execFile);
const skip = missingSwtpm() ?? false;
const options = { skip, timeout: 60_000 };
const CC_QUOTE = 0x158;
/** Loaded or saved, in a TPM of the reference implementation (MAX_ACTIVE_SESSIONS). */
const MAX_SESSIONS = 64;
/** No stall may be longer, with two cores for everything that a test run does. */
const MAX_STALL_MS = 500;
/** Longer than the agent waits for one command of a TPM. */
const LONG_STOP_MS = 16_000;
let swtpm: Swtpm;
let proxy: TpmProxy;
let world: AgentWorld;
let child: ChildProcess;
let lines: AsyncIterator<string>;

before(async () => {
  if (skip !== false) return;
  swtpm = await startSwtpm({ ekCertificates: false });
  proxy = await startTpmProxy(swtpm.socketPath);
  world = await createAgentWorld();
  const { image: _, ...config } = world.configure({ tpm: { tcti: proxy.tcti }, heartbeatMs: 250 });
  const file = join(world.directory, 'agent.json');
  await writeFile(file, JSON.stringify(config));
  const script = new URL('./agent-probe-process.ts', import.meta.url).pathname;
  child = spawn(process.execPath, ['--disable-sigusr1', script, file], { stdio: ['pipe', 'pipe', 'inherit'] });
  if (child.stdout === null) throw new Error('the agent has no output');
  lines = createInterface({ input: child.stdout })[Symbol.asyncIterator]();
  await lines.next();
  await world.peer.waitForRounds(2);
});

after(async () => {
  child?.kill('SIGKILL');
  await proxy?.close();
  await world?.close();
  await swtpm?.close();
});

async function askProbe(): Promise<ProbeReport> {
  child.stdin?.write('report\n');
  const { value } = await lines.next();
  return JSON.parse(value ?? 'null');
}

/** Rounds go on with the same keys after what a fault did, and nothing else of the agent waited for the TPM meanwhile. */
async function assertRecovers(fault: () => Promise<void>, enrolments = 0): Promise<void> {
  const enrolled = world.peer.enrolments + enrolments;
  world.peer.failures.length = 0;
  await askProbe();
  await fault();
  await world.peer.waitForRounds(world.peer.rounds.length + 3, 40_000);
  const { worstStallMs, worstReadMs, reads } = await askProbe();
  assert.ok(worstStallMs < MAX_STALL_MS, `the event loop stood still for ${worstStallMs} ms`);
  assert.ok(reads > 0 && worstReadMs < MAX_STALL_MS, `a file was read in ${worstReadMs} ms`);
  assert.equal(world.peer.enrolments, enrolled);
  // An enrolment that a fault breaks off is one failure, and is made again.
  if (enrolments === 0) assert.deepEqual(world.peer.failures, []);
  assert.equal(new Set(world.peer.rounds.map(({ token }) => token.claims.holdfast.chain)).size, 1);
}

test('a TPM that is killed in mid-command and comes back', options, async () => {
  await assertRecovers(async () => {
    const killed = new Promise<void>((resolve) => {
      proxy.setRules({
        onCommand: (code) => {
          if (code !== CC_QUOTE) return 'forward';
          // Stopped first, so that the command surely is under way when it dies.
          swtpm.signal('SIGSTOP');
          setTimeout(resolve, 50);
          return 'forward';
        },
      });
    });
    await killed;
    proxy.setRules({});
    await swtpm.kill();
    await sleep(700);
    await swtpm.restart();
  });
});

test('a TPM that stands still for less than a command may take', options, async () => {
  await assertRecovers(async () => {
    swtpm.signal('SIGSTOP');
    await sleep(2_000);
    swtpm.signal('SIGCONT');
  });
});

test('a TPM that stands still for longer than a command may take', options, async () => {
  await assertRecovers(async () => {
    swtpm.signal('SIGSTOP');
    await sleep(LONG_STOP_MS);
    swtpm.signal('SIGCONT');
  });
});

/** Fills the TPM by another client's hand, and makes the agent need room by enrolling again. */
async function fillTpm(fill: (tpm: Tpm) => Promise<unknown>): Promise<void> {
  const tpm = await openTpm({ tcti: swtpm.tcti, exclusive: false });
  try {
    for (let isFull = false; !isFull; ) {
      isFull = await fill(tpm).then(
        () => false,
        () => true,
      );
    }
    await makeEnrol();
  } finally {
    await tpm.close();
  }
}

/** Has the agent enrol again, for which it needs a session and room for the EK. */
async function makeEnrol(): Promise<void> {
  const { enrolments } = world.peer;
  world.peer.refuseNext = ['ERR_VERIFIER_UNKNOWN_KEY'];
  for (const end = Date.now() + 20_000; world.peer.enrolments === enrolments; await sleep(50)) {
    assert.ok(Date.now() < end, 'the agent does not enrol');
  }
}

test('a TPM without room for one more session', options, async () => {
  await assertRecovers(async () => await fillTpm((tpm) => tpm.startAuthSession({ kind: 'hmac' })), 1);
});

test('a TPM without room for one more object', options, async () => {
  const primary = { hierarchy: 'owner', template: KEY_TEMPLATES.attestation } as const;
  await assertRecovers(async () => await fillTpm((tpm) => tpm.createPrimary(primary)), 1);
});

test('a TPM full of sessions that others saved and left', options, async () => {
  await assertRecovers(async () => {
    const session = join(world.directory, 'session.ctx');
    let count = 0;
    const save = () =>
      run('tpm2_startauthsession', ['--tcti', swtpm.tcti, '--session', session]).catch(() => undefined);
    while (count < MAX_SESSIONS && (await save()) !== undefined) count += 1;
    // The agent has sessions of its own now and then.
    assert.ok(count > MAX_SESSIONS / 2, `${count} sessions`);
    await makeEnrol();
  }, 1);
});

for (const [name, rc] of [
  ['RETRY', 0x922],
  ['YIELDED', 0x908],
  ['TESTING', 0x90a],
] as const) {
  test(`a TPM that answers TPM_RC_${name} to one command in two`, options, async () => {
    let count = 0;
    let answered = 0;
    await assertRecovers(async () => {
      proxy.setRules({
        onCommand: () => {
          count += 1;
          if (count % 2 === 0) return 'forward';
          answered += 1;
          return responseOf(rc);
        },
      });
      await world.peer.waitForRounds(world.peer.rounds.length + 2);
      proxy.setRules({});
    });
    assert.ok(answered >= 6, `${answered} commands`);
  });
}

test('a TPM that answers RETRY to everything for a while', options, async () => {
  await assertRecovers(async () => {
    proxy.setRules({ onCommand: () => responseOf(0x922) });
    await sleep(1_500);
    proxy.setRules({});
  });
});

test('process.exit works while a command hangs', options, async () => {
  const commands = proxy.commands().length;
  proxy.setRules({ onCommand: () => 'hang' });
  while (proxy.commands().length === commands) await sleep(20);
  const exited = once(child, 'exit');
  child.stdin?.write('exit\n');
  const begin = performance.now();
  const [code] = await exited;
  assert.equal(code, 7);
  assert.ok(performance.now() - begin < 5_000, 'the end waited for the TPM');
});
