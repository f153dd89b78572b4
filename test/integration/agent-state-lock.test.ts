import assert from 'node:assert/strict';
import { type ChildProcess, spawn } from 'node:child_process';
import { once } from 'node:events';
import { stat } from 'node:fs/promises';
import { join } from 'node:path';
import { createInterface } from 'node:readline';
import { after, before, test } from 'node:test';
import { type AgentWorld, createAgentWorld } from './agent-world.ts';
import type { LockAttempt } from './lock-process.ts';

const ROUNDS = 8;
/** Time for both processes to read their line. */
const LEAD_MS = 60;
let world: AgentWorld;

before(async () => {
  world = await createAgentWorld();
});
after(async () => await world.close());

/** A process that starts agents when it is told to. */
class Contender {
  readonly #child: ChildProcess;
  readonly #lines: AsyncIterator<string>;

  constructor(command: readonly string[] = []) {
    const script = new URL('./lock-process.ts', import.meta.url).pathname;
    const [program, ...rest] = [...command, process.execPath, '--disable-warning=ExperimentalWarning', script];
    this.#child = spawn(program, rest, { stdio: ['pipe', 'pipe', 'inherit'] });
    if (this.#child.stdout === null) throw new Error('the process has no output');
    this.#lines = createInterface({ input: this.#child.stdout })[Symbol.asyncIterator]();
  }

  async start(name: string, atMs = 0): Promise<string> {
    // Nobody listens there: the agent needs no more than its state directory to come up.
    const verifier = { address: '127.0.0.1:1' };
    const { image: _, ...config } = world.configure({ tpm: 'none', stateDir: join(world.directory, name), verifier });
    const attempt: LockAttempt = { config, atMs };
    this.#child.stdin?.write(`${JSON.stringify(attempt)}\n`);
    return (await this.#lines.next()).value ?? 'ended';
  }

  async kill(): Promise<void> {
    if (this.#child.exitCode !== null || this.#child.signalCode !== null) return;
    const gone = once(this.#child, 'exit');
    this.#child.kill('SIGKILL');
    await gone;
  }
}

/** Runs a test with two processes, the second one by this command. */
async function contend(command: readonly string[], work: (a: Contender, b: Contender) => Promise<void>): Promise<void> {
  const [a, b] = [new Contender(), new Contender(command)];
  try {
    // Loads all modules, so that the moment of the start is that of the lock.
    assert.deepEqual(await Promise.all([a.start('first of a'), b.start('first of b')]), ['held', 'held']);
    await work(a, b);
  } finally {
    await Promise.all([a.kill(), b.kill()]);
  }
}

function assertOneHolds(outcomes: readonly string[]): void {
  const [held, refused] = outcomes.toSorted();
  const expected = /^another agent uses the state directory/;
  assert.ok(
    [held, refused].includes('held') && outcomes.some((outcome) => expected.test(outcome)),
    outcomes.join(' and '),
  );
}

for (const [where, command] of [
  ['', []],
  [' in two network namespaces', ['unshare', '--net']],
] as const) {
  test(`of two agents that start at one moment${where} exactly one gets the state directory`, async () => {
    await contend(command, async (a, b) => {
      for (let round = 0; round < ROUNDS; round += 1) {
        const atMs = Date.now() + LEAD_MS;
        const name = `state ${round}${where}`;
        assertOneHolds(await Promise.all([a.start(name, atMs), b.start(name, atMs)]));
      }
    });
  });
}

test('a state directory of an agent that was killed is taken by one of two that start at one moment', async () => {
  const dead = new Contender();
  for (let round = 0; round < ROUNDS; round += 1) assert.equal(await dead.start(`left ${round}`), 'held');
  await dead.kill();
  await contend([], async (a, b) => {
    for (let round = 0; round < ROUNDS; round += 1) {
      const atMs = Date.now() + LEAD_MS;
      assertOneHolds(await Promise.all([a.start(`left ${round}`, atMs), b.start(`left ${round}`, atMs)]));
    }
    const { mode, size } = await stat(join(world.directory, 'left 0', 'lock.sqlite'));
    assert.deepEqual([mode & 0o777, size], [0o600, 0]);
  });
});
