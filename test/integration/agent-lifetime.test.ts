import assert from 'node:assert/strict';
import { type ChildProcess, execFile, spawn } from 'node:child_process';
import { once } from 'node:events';
import { chmod, mkdir, stat, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { after, before, beforeEach, test } from 'node:test';
import { promisify } from 'node:util';
import { AgentError, startAgent } from '@holdfast/agent';
import { missingSwtpm, type Swtpm, startSwtpm } from '../support/swtpm.ts';
import { type AgentWorld, createAgentWorld } from './agent-world.ts';

const run = promisify(execFile);
const skip = missingSwtpm() ?? false;
const options = { skip, timeout: 60_000 };
let swtpm: Swtpm;
let world: AgentWorld;
let child: ChildProcess | undefined;

before(async () => {
  if (skip === false) swtpm = await startSwtpm({ ekCertificates: false });
});

beforeEach(async () => {
  await world?.close();
  if (skip === false) world = await createAgentWorld();
});

after(async () => {
  child?.kill('SIGKILL');
  await world?.close();
  await swtpm?.close();
});

async function spawnAgent(): Promise<ChildProcess> {
  const file = join(world.directory, 'agent.json');
  const { image: _, ...config } = world.configure({ tpm: { tcti: swtpm.tcti }, heartbeatMs: 300 });
  await writeFile(file, JSON.stringify(config));
  const script = new URL('./agent-process.ts', import.meta.url).pathname;
  child = spawn(process.execPath, ['--disable-sigusr1', script, file], { stdio: ['ignore', 'pipe', 'inherit'] });
  const ended = once(child, 'exit').then(() => Promise.reject(new Error('the agent ended')));
  await Promise.race([once(child.stdout ?? child, 'data'), ended]);
  ended.catch(() => undefined);
  return child;
}

async function kill(victim: ChildProcess): Promise<void> {
  const gone = once(victim, 'exit');
  victim.kill('SIGKILL');
  await gone;
}

test('an agent that was killed goes on with its keys and its chain, without enrolling again', options, async () => {
  const first = await spawnAgent();
  await world.peer.waitForRounds(2);
  await kill(first);
  const before = world.peer.rounds.at(-1);
  const count = world.peer.rounds.length;
  const second = await spawnAgent();
  const rounds = await world.peer.waitForRounds(count + 2);
  await kill(second);
  assert.equal(world.peer.enrolments, 1);
  const next = rounds[count];
  assert.equal(next?.token.claims.holdfast.chain, before?.token.claims.holdfast.chain);
  // The last round before the kill may have been made and not received; it is then sent first.
  const seqs = rounds.map(({ token }) => token.claims.holdfast.seq ?? -1);
  assert.deepEqual(
    [...new Set(seqs)],
    Array.from({ length: new Set(seqs).size }, (_, index) => index),
  );
  assert.deepEqual(world.peer.failures, []);
});

test('a cleared TPM means new keys and another enrolment under the same EK', options, async () => {
  const config = world.configure({ tpm: { tcti: swtpm.tcti }, heartbeatMs: 300 });
  const first = await startAgent(config);
  await world.peer.waitForRounds(1);
  await first.close();
  const before = world.peer.keys;
  await run('tpm2_clear', ['-T', swtpm.tcti, '-c', 'p']);
  const count = world.peer.rounds.length;
  const second = await startAgent(config);
  try {
    const rounds = await world.peer.waitForRounds(count + 1);
    assert.equal(world.peer.enrolments, 2);
    assert.deepEqual(world.peer.keys?.ekName, before?.ekName);
    assert.notDeepEqual(world.peer.keys?.akPublic, before?.akPublic);
    const [head, next] = [rounds[count - 1], rounds[count]];
    assert.equal(next?.token.claims.holdfast.chain, head?.token.claims.holdfast.chain);
    assert.equal(next?.token.claims.holdfast.prev, head?.token.evidenceId);
    await stat(join(config.stateDir, 'keys.previous.json'));
  } finally {
    await second.close();
  }
});

test('a TPM that goes away and comes back is found again, in a new boot session', options, async () => {
  const agent = await startAgent(world.configure({ tpm: { tcti: swtpm.tcti }, heartbeatMs: 300 }));
  try {
    await world.peer.waitForRounds(1);
    await swtpm.kill();
    await new Promise((resolve) => setTimeout(resolve, 1_000));
    const count = world.peer.rounds.length;
    await swtpm.restart();
    const rounds = await world.peer.waitForRounds(count + 2);
    const [before, next] = [rounds[count - 1], rounds.at(-1)];
    assert.equal(next?.token.claims.bootcount, (before?.token.claims.bootcount ?? 0) + 1);
    assert.equal(next?.token.claims.holdfast.chain, before?.token.claims.holdfast.chain);
    assert.equal(world.peer.enrolments, 1);
    assert.deepEqual(world.peer.failures, []);
  } finally {
    await agent.close();
  }
});

test(
  'an agent that the verifier no longer knows enrols again and sends the refused evidence anew',
  options,
  async () => {
    world.peer.refuseNext = ['ERR_VERIFIER_UNKNOWN_KEY'];
    const agent = await startAgent(world.configure({ tpm: { tcti: swtpm.tcti }, heartbeatMs: 60_000 }));
    try {
      const rounds = await world.peer.waitForRounds(1);
      assert.equal(world.peer.enrolments, 2);
      assert.equal(rounds[0]?.token.claims.holdfast.seq, 0);
    } finally {
      await agent.close();
    }
  },
);

test('evidence that the verifier refuses is declared lost in what it takes', options, async () => {
  world.peer.refuseNext = ['ERR_VERIFIER_TLS_BINDING', 'ERR_VERIFIER_IDENTITY'];
  const agent = await startAgent(world.configure({ tpm: { tcti: swtpm.tcti }, heartbeatMs: 300 }));
  try {
    const rounds = await world.peer.waitForRounds(3);
    const taken = rounds.map(({ token }) => token.claims.holdfast);
    assert.deepEqual(world.peer.refuseNext, []);
    const isTold = (seq: number) =>
      taken.some((claims) => claims.seq === seq || claims.lost.some(({ from, to }) => from <= seq && seq <= to));
    assert.ok((taken[0]?.seq ?? 0) > 0, 'the first token is refused');
    for (let seq = 0; seq <= (taken.at(-1)?.seq ?? -1); seq += 1) assert.ok(isTold(seq), `number ${seq} is told`);
    assert.deepEqual(taken.at(-1)?.lost, [], 'a loss is declared until it was heard');
  } finally {
    await agent.close();
  }
});

test('what happened while the verifier was away is sent when it is back', options, async () => {
  const agent = await startAgent(world.configure({ tpm: { tcti: swtpm.tcti }, heartbeatMs: 300 }));
  try {
    await world.peer.waitForRounds(2);
    await world.restartPeer();
    const count = world.peer.rounds.length;
    const rounds = await world.peer.waitForRounds(count + 2);
    const seqs = rounds.map(({ token }) => token.claims.holdfast.seq ?? -1);
    assert.deepEqual(
      [...new Set(seqs)],
      Array.from({ length: new Set(seqs).size }, (_, index) => index),
    );
    assert.equal(world.peer.enrolments, 1);
  } finally {
    await agent.close();
  }
});

test('a challenge that was changed on its way is never answered, and a right one is', options, async () => {
  const flip = (bytes: Buffer, at: number) => Buffer.from(bytes.map((byte, index) => (index === at ? byte ^ 1 : byte)));
  world.peer.bendNext = [
    (challenge) => ({ ...challenge, idObject: flip(challenge.idObject, challenge.idObject.length - 1) }),
    (challenge) => ({ ...challenge, encryptedSecret: flip(challenge.encryptedSecret, 40) }),
  ];
  const agent = await startAgent(world.configure({ tpm: { tcti: swtpm.tcti }, heartbeatMs: 300 }));
  try {
    await world.peer.waitForRounds(1);
    assert.deepEqual(world.peer.bendNext, []);
    assert.deepEqual(world.peer.failures.map(String), ['Error: no proof', 'Error: no proof']);
    assert.equal(world.peer.enrolments, 1);
  } finally {
    await agent.close();
  }
});

test('an agent that is closed while the verifier leaves its enrolment unanswered ends at once', options, async () => {
  const { promise: hanging, resolve } = Promise.withResolvers<void>();
  world.peer.onHanging = resolve;
  const agent = await startAgent(world.configure({ tpm: { tcti: swtpm.tcti } }));
  await hanging;
  const startMs = performance.now();
  await agent.close();
  assert.ok(performance.now() - startMs < 10_000);
});

test('two agents cannot share a state directory', options, async () => {
  const config = world.configure({ tpm: { tcti: swtpm.tcti } });
  const agent = await startAgent(config);
  try {
    await assert.rejects(
      startAgent(config),
      (error) => error instanceof AgentError && error.code === 'ERR_AGENT_STATE',
    );
  } finally {
    await agent.close();
  }
  const again = await startAgent(config);
  await again.close();
});

test('without a TPM tokens carry no quotes, and never under the state of an agent that had one', options, async () => {
  const software = world.configure({
    tpm: 'none',
    stateDir: join(world.directory, 'software'),
    verifier: undefined,
    listen: '127.0.0.1:0',
  });
  const agent = await startAgent(software);
  await agent.close();
  await agent.close();
  const hardware = await startAgent(world.configure({ tpm: { tcti: swtpm.tcti } }));
  await hardware.close();
  await assert.rejects(startAgent(world.configure({ tpm: 'none' })), /belongs to an agent with a TPM/);
});

test('a start that cannot succeed is refused with a sentence that names the cause', options, async () => {
  const open = join(world.directory, 'open');
  await mkdir(open);
  await chmod(open, 0o777);
  const tpm = { tcti: swtpm.tcti };
  const refused = (settings: Record<string, unknown>, code: string, sentence: RegExp) =>
    assert.rejects(
      startAgent(world.configure({ tpm, ...settings })),
      (error) => error instanceof AgentError && error.code === code && sentence.test(error.message),
    );
  await refused({ stateDir: open }, 'ERR_AGENT_STATE', /writable by nobody else/);
  await refused({ hostRoot: open }, 'ERR_AGENT_CONFIG', /has no \/proc/);
  await refused({ tpm: { tcti: 'swtpm:path=/nowhere/tpm.sock' } }, 'ERR_AGENT_TPM', /cannot be opened/);
  await refused({ tls: { ...world.agentTls, key: '/nowhere/key' } }, 'ERR_AGENT_TLS', /nowhere\/key/);
  await refused({ tls: { ...world.agentTls, cert: world.agentTls.ca } }, 'ERR_AGENT_TLS', /is not the key of/);
  const { port } = new URL(`tcp://${world.peer.address}`);
  await refused({ listen: `127.0.0.1:${port}` }, 'ERR_AGENT_LISTEN', /another program uses it/);
  await refused(
    { runtime: { containerd: '/nowhere/containerd.sock' } },
    'ERR_AGENT_RUNTIME_ADDRESS',
    /no containerd at/,
  );
});
