import assert from 'node:assert/strict';
import { rm } from 'node:fs/promises';
import { join } from 'node:path';
import { after, afterEach, before, beforeEach, suite, test } from 'node:test';
import { AttestationStatus, type Result } from '@holdfast/proto';
import { missingSwtpm, startSwtpm } from '../support/swtpm.ts';
import { type BootSessionWorld, codesOf, createBootSessionWorld } from './boot-session-world.ts';

const skip = missingSwtpm() ?? false;
const options = { skip, timeout: 40_000 };
/** What says that trust in a kube node's keys, TPM or chain did not survive. */
const TRUST_LOST = ['CHAIN_GAP', 'CHAIN_FORK', 'AK_REPLACED', 'TPM_ROLLBACK'];
let world: BootSessionWorld;

const has = (code: string) => (result: Result) => codesOf(result).includes(code);
const hasNot = (code: string) => (result: Result) => !codesOf(result).includes(code);

function assertTrusted(from: number): void {
  const lost = world.results.slice(from).flatMap(codesOf);
  assert.deepEqual(
    lost.filter((code) => TRUST_LOST.includes(code)),
    [],
  );
}

async function begin(settings: Record<string, unknown> = {}): Promise<number> {
  await world.startAgent(settings);
  await world.waitFor('of the first round', 0, () => true);
  return world.results.length;
}

suite('boot sessions of one agent that runs on', { skip }, () => {
  before(async () => {
    world = await createBootSessionWorld();
    await begin();
  });
  after(async () => await world.close());

  test('a reboot is a new session, and a second one straight after it is another', options, async () => {
    const start = world.results.length;
    for (const _ of ['first', 'second']) {
      const mark = world.results.length;
      await world.powerOff('clear');
      await world.swtpm.restart();
      const result = await world.waitFor('with a new session', mark, has('BOOT_SESSION_NEW'));
      assert.ok(hasNot('TPM_CLOCK_UNSAFE')(result));
      assert.notEqual(result.status, AttestationStatus.CONTRAINDICATED);
    }
    await world.waitFor('after it', world.results.length - 1, hasNot('BOOT_SESSION_NEW'));
    assertTrusted(start);
  });

  test('a dirty power-off is a new session with a warning about the clock, and no more', options, async () => {
    const mark = world.results.length;
    const usual = world.results.at(-1)?.status;
    await world.powerOff('dirty');
    await world.swtpm.restart();
    const result = await world.waitFor('with a new session', mark, has('BOOT_SESSION_NEW'));
    assert.ok(has('TPM_CLOCK_UNSAFE')(result), codesOf(result).join());
    assert.equal(result.status, usual);
    await world.waitFor('with a safe clock', mark, hasNot('TPM_CLOCK_UNSAFE'));
    assertTrusted(mark);
  });

  test('a suspended TPM resumes in the same session', options, async () => {
    const mark = world.results.length;
    await world.powerOff('state');
    await world.swtpm.restart('state');
    await world.waitFor('with a resume', mark, has('BOOT_SESSION_RESUMED'));
    await world.waitForRound();
    assert.ok(world.results.slice(mark).every(hasNot('BOOT_SESSION_NEW')));
    assertTrusted(mark);
  });

  test('keys survive every session', options, async () => {
    await world.waitForRound();
    assert.equal(new Set(world.results.map(({ chain }) => chain)).size, 1);
  });

  test('a cleared TPM is a new AK under the known EK, until an operator acknowledges it', options, async () => {
    const mark = world.results.length;
    await world.clearTpm();
    const usual = world.results.at(-1)?.status;
    const result = await world.waitFor('with a replaced AK', mark, has('AK_REPLACED'));
    assert.equal(result.status, usual);
    assert.ok(hasNot('TPM_ROLLBACK')(result));
    await world.acknowledge('AK_REPLACED');
    const later = await world.waitFor('without it', world.results.length - 1, hasNot('AK_REPLACED'));
    assert.equal(later.chain, result.chain);
    await world.waitForRound();
  });
});

suite('a suspended machine that boots anew', { skip }, () => {
  test('is a new session although its reset counter stands still', options, async () => {
    world = await createBootSessionWorld();
    try {
      const agent = await world.startAgent();
      await world.waitFor('of the first round', 0, () => true);
      await world.waitForRound();
      const mark = world.results.length;
      await world.powerOff('state');
      await agent.close();
      await world.swtpm.restart('clear');
      await world.writeBootId();
      await world.startAgent();
      await world.waitFor('with a new session', mark, has('BOOT_SESSION_NEW'));
      assertTrusted(mark);
    } finally {
      await world.close();
    }
  });
});

suite('a TPM whose state was copied', { skip }, () => {
  beforeEach(async () => {
    world = await createBootSessionWorld();
  });
  afterEach(async () => await world.close());

  async function assertRefusedUntilAcknowledged(mark: number): Promise<void> {
    const result = await world.waitFor('with a roll-back', mark, has('TPM_ROLLBACK'));
    assert.equal(result.status, AttestationStatus.CONTRAINDICATED);
    await assert.rejects(world.waitForRound(1_500), /no evidence was accepted/);
    await world.acknowledge('TPM_ROLLBACK');
    const later = await world.waitFor('without it', world.results.length - 1, hasNot('TPM_ROLLBACK'));
    assert.notEqual(later.status, AttestationStatus.CONTRAINDICATED);
    await world.waitForRound();
  }

  test('an older copy that was restored is contraindicated until an operator says otherwise', options, async () => {
    const mark = await begin();
    await world.powerOff('clear');
    const copy = await world.copyOf(world.swtpm.stateDirectory, 'older');
    for (const _ of ['first', 'second']) {
      await world.swtpm.restart();
      await world.waitForRound();
      await world.powerOff('clear');
    }
    await world.swtpm.restore(copy);
    await world.swtpm.restart();
    await assertRefusedUntilAcknowledged(mark);
  });

  test('one that was started as often as the original is told by its clock', options, async () => {
    const mark = await begin();
    await world.powerOff('clear');
    const copy = await world.copyOf(world.swtpm.stateDirectory, 'same-count');
    await world.swtpm.restart();
    await world.advanceTpmClock();
    await world.waitForRound();
    await world.powerOff('clear');
    await world.swtpm.restore(copy);
    await world.swtpm.restart();
    await assertRefusedUntilAcknowledged(mark);
  });

  test('a clone with the keys beside the original is a fork or a roll-back', options, async () => {
    const agent = await world.startAgent();
    await world.waitFor('of the first round', 0, () => true);
    await agent.close();
    await world.powerOff('clear');
    const copy = await world.copyOf(world.swtpm.stateDirectory, 'clone-tpm');
    const stateDir = await world.copyOf(join(world.agents.directory, 'agent'), 'clone-agent');
    await world.swtpm.restart();
    const mark = world.results.length;
    await world.startAgent();
    await world.waitForRound();
    const clone = await startSwtpm({ copyOf: copy });
    try {
      await world.startAgent({ stateDir, tpm: { tcti: clone.tcti } });
      const named = await world.waitFor('that names it', mark, (result) =>
        codesOf(result).some((code) => code === 'CHAIN_FORK' || code === 'TPM_ROLLBACK'),
      );
      assert.equal(named.status, AttestationStatus.CONTRAINDICATED);
    } finally {
      await clone.close();
    }
  });

  test('a clone with a chain of its own is told by gap and clock', options, async () => {
    const agent = await world.startAgent();
    await world.waitFor('of the first round', 0, () => true);
    await agent.close();
    await world.powerOff('clear');
    const copy = await world.copyOf(world.swtpm.stateDirectory, 'clone-tpm');
    const stateDir = await world.copyOf(join(world.agents.directory, 'agent'), 'clone-agent');
    await rm(join(stateDir, 'chain.journal'));
    await world.swtpm.restart();
    await world.startAgent();
    await world.advanceTpmClock();
    await world.waitForRound();
    const mark = world.results.length;
    const clone = await startSwtpm({ copyOf: copy });
    try {
      await world.startAgent({ stateDir, tpm: { tcti: clone.tcti } });
      const named = await world.waitFor('that names it', mark, has('TPM_ROLLBACK'));
      assert.equal(named.status, AttestationStatus.CONTRAINDICATED);
    } finally {
      await clone.close();
    }
  });
});

suite('a clock of the kube node', { skip }, () => {
  test('that goes back is told, and does not make evidence older or newer', options, async () => {
    world = await createBootSessionWorld();
    try {
      const mark = await begin();
      world.setClockBack(3_600_000);
      const result = await world.waitFor('with a skew', mark, has('CLOCK_SKEW'));
      assert.notEqual(result.status, AttestationStatus.CONTRAINDICATED);
      await world.waitForRound();
      assertTrusted(mark);
    } finally {
      await world.close();
    }
  });
});
