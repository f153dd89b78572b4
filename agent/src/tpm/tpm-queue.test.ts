import assert from 'node:assert/strict';
import { test } from 'node:test';
import { FakeClock, settle } from '../fake-clock.test-support.ts';
import { FakeTpm, type FakeTpmDevice, FakeTpmError } from './fake-tpm-device.test-support.ts';
import { TpmQueue } from './tpm-queue.ts';

function createQueue(open?: () => Promise<FakeTpmDevice>) {
  const clock = new FakeClock();
  const tpm = new FakeTpm();
  const lost: unknown[] = [];
  let attempts = 0;
  const devices: FakeTpmDevice[] = [];
  const queue = new TpmQueue({
    clock,
    open: async () => {
      attempts += 1;
      const device = open === undefined ? tpm.open() : await open();
      devices.push(device);
      return device;
    },
    onLost: (error) => lost.push(error),
  });
  return { clock, queue, lost, devices, opened: () => attempts };
}

test('jobs run one after another in their order', async () => {
  const { queue, opened } = createQueue();
  const steps: string[] = [];
  const job = (name: string) => async () => {
    steps.push(`${name} begins`);
    await settle();
    steps.push(`${name} ends`);
    return name;
  };
  assert.deepEqual(await Promise.all([queue.run(job('a')), queue.run(job('b'))]), ['a', 'b']);
  assert.deepEqual(steps, ['a begins', 'a ends', 'b begins', 'b ends']);
  assert.equal(opened(), 1);
});

test('a failed job leaves the context to the next one', async () => {
  const { queue, lost, opened } = createQueue();
  await assert.rejects(
    queue.run(() => Promise.reject(new FakeTpmError('ERR_TPM', 0x98e))),
    { rc: 0x98e },
  );
  assert.equal(await queue.run(async ({ generation }) => generation), 1);
  assert.equal(opened(), 1);
  assert.deepEqual(lost, []);
});

test('after a dead context jobs fail at once until the pause is over, then a new context opens', async () => {
  const { queue, clock, lost, devices, opened } = createQueue();
  await assert.rejects(queue.run(() => Promise.reject(new FakeTpmError('ERR_TPM_TIMEOUT'))));
  assert.equal(lost.length, 1);
  assert.equal(devices[0]?.isClosed, true);
  await assert.rejects(
    queue.run(async () => 1),
    { code: 'ERR_AGENT_TPM' },
  );
  assert.equal(opened(), 1);
  await clock.advance(100);
  assert.equal(await queue.run(async ({ generation }) => generation), 2);
});

test('pauses grow while the TPM cannot be opened and end with the first job that succeeds', async () => {
  let broken = true;
  const tpm = new FakeTpm();
  const { queue, clock, opened } = createQueue(async () => {
    if (broken) throw new FakeTpmError('ERR_TPM_TCTI');
    return tpm.open();
  });
  for (const pauseMs of [100, 200, 400]) {
    await assert.rejects(
      queue.run(async () => 1),
      /cannot be opened/,
    );
    await clock.advance(pauseMs - 1);
    await assert.rejects(
      queue.run(async () => 1),
      /tried again shortly/,
    );
    await clock.advance(1);
  }
  broken = false;
  assert.equal(await queue.run(async () => 1), 1);
  assert.equal(opened(), 4);
});

test('a job that never ends is given up at its deadline', async () => {
  const { queue, clock, lost } = createQueue();
  const stuck = queue.run(() => new Promise<never>(() => undefined));
  const outcome = assert.rejects(stuck, /did not finish within its deadline/);
  await settle();
  await clock.advance(180_000);
  await outcome;
  assert.equal(lost.length, 1);
  await clock.advance(1_000);
  assert.equal(await queue.run(async () => 'next'), 'next');
});

test('a queue that is full refuses more', async () => {
  const { queue } = createQueue();
  const { promise, resolve } = Promise.withResolvers<void>();
  const jobs = Array.from({ length: 32 }, () => queue.run(() => promise));
  await assert.rejects(
    queue.run(async () => 1),
    /too many requests/,
  );
  resolve();
  await Promise.all(jobs);
  assert.equal(await queue.run(async () => 1), 1);
});

test('closing lets the running job end and refuses those behind it', async () => {
  const { queue } = createQueue();
  const { promise, resolve } = Promise.withResolvers<string>();
  const running = queue.run(() => promise);
  await settle();
  const waiting = assert.rejects(
    queue.run(async () => 1),
    /closed/,
  );
  const closed = queue.close();
  resolve('done');
  assert.equal(await running, 'done');
  await waiting;
  await closed;
  await assert.rejects(
    queue.run(async () => 1),
    /closed/,
  );
});
