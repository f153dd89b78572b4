import assert from 'node:assert/strict';
import { type TestContext, test } from 'node:test';
import { setImmediate as turn } from 'node:timers/promises';
import { CommandQueue } from './command-queue.ts';
import type { NativeContext, NativeFailure } from './native-binding.ts';

const FAILURE: NativeFailure = { rc: 0x18b, command: 'TPM2_X', text: 'no', broken: false, selfTest: false };

/** A native context whose outcomes the test decides. */
function fakeNative() {
  const calls: string[] = [];
  let answer: ((failure?: NativeFailure) => void) | undefined;
  let busy = false;
  let accepts = true;
  const native: NativeContext = {
    submit(command, _args, onOutcome) {
      calls.push(command);
      if (!accepts) return false;
      busy = true;
      answer = (failure) => {
        busy = false;
        answer = undefined;
        // What the fake answers is never looked at: every command of these tests has no value.
        if (failure !== undefined) onOutcome({ failure });
        else Reflect.apply(onOutcome, undefined, [{ value: undefined }]);
      };
      return true;
    },
    isBusy: () => busy,
    abandon: () => void calls.push('<abandon>'),
    release: () => void calls.push('<release>'),
  };
  return {
    native,
    calls,
    finish: (failure?: NativeFailure) => answer?.(failure),
    finishUnseen: () => {
      busy = false;
    },
    refuse: () => {
      accepts = false;
    },
  };
}

const flush = (queue: CommandQueue, deadlineMs = 1000) => queue.run('flush', { handle: 1 }, deadlineMs);

function withTimers(context: TestContext) {
  context.mock.timers.enable({ apis: ['setTimeout'] });
  return context.mock.timers;
}

test('commands run one at a time, in order, and the event loop turns between them', async () => {
  const fake = fakeNative();
  const queue = new CommandQueue(fake.native);
  const first = flush(queue);
  const second = queue.run('policyDigest', { session: 2 }, 1000);
  assert.deepEqual(fake.calls, ['flush']);
  fake.finish();
  await first;
  assert.deepEqual(fake.calls, ['flush']);
  await turn();
  assert.deepEqual(fake.calls, ['flush', 'policyDigest']);
  fake.finish();
  await second;
});

test('a refusal rejects its command only', async () => {
  const fake = fakeNative();
  const queue = new CommandQueue(fake.native);
  const first = flush(queue);
  const second = flush(queue);
  fake.finish(FAILURE);
  await assert.rejects(first, { code: 'ERR_TPM', name: 'TPM_RC_HANDLE', command: 'TPM2_X', message: 'TPM2_X: no' });
  await turn();
  fake.finish();
  await second;
  assert.equal(queue.state, 'open');
});

test('a broken line rejects what runs, what waits and what comes later', async () => {
  const fake = fakeNative();
  const queue = new CommandQueue(fake.native);
  const first = flush(queue);
  const second = flush(queue);
  fake.finish({ ...FAILURE, rc: 0xa000a, broken: true });
  await assert.rejects(first, { code: 'ERR_TPM_TCTI', layer: 'tcti' });
  await assert.rejects(second, { code: 'ERR_TPM_DEAD' });
  await assert.rejects(flush(queue), { code: 'ERR_TPM_DEAD' });
  assert.equal(queue.state, 'dead');
  assert.deepEqual(fake.calls, ['flush', '<abandon>']);
});

test('a failed self-test is a fault of the native part', async () => {
  const fake = fakeNative();
  const queue = new CommandQueue(fake.native);
  const first = flush(queue);
  fake.finish({ ...FAILURE, selfTest: true });
  await assert.rejects(first, { code: 'ERR_TPM_NATIVE' });
});

test('a hang past the deadline rejects everything and gives the thread up', async (context) => {
  const timers = withTimers(context);
  const fake = fakeNative();
  const queue = new CommandQueue(fake.native);
  const first = flush(queue, 50);
  const second = flush(queue, 5000);
  timers.tick(49);
  assert.equal(queue.state, 'open');
  timers.tick(1);
  await assert.rejects(first, { code: 'ERR_TPM_TIMEOUT', message: 'flush: no answer from the TPM within 50 ms' });
  await assert.rejects(second, { code: 'ERR_TPM_TIMEOUT' });
  assert.deepEqual(fake.calls, ['flush', '<abandon>']);
  assert.equal(queue.state, 'dead');
});

test('the deadline starts when the thread gets the command, not while it waits', async (context) => {
  const timers = withTimers(context);
  const fake = fakeNative();
  const queue = new CommandQueue(fake.native);
  const first = flush(queue, 100);
  const second = flush(queue, 100);
  timers.tick(90);
  fake.finish();
  await first;
  await turn();
  timers.tick(90);
  assert.equal(queue.state, 'open');
  fake.finish();
  await second;
});

test('an outcome that waits behind a late timer is no hang', async (context) => {
  const timers = withTimers(context);
  const fake = fakeNative();
  const queue = new CommandQueue(fake.native);
  const first = flush(queue, 50);
  fake.finishUnseen();
  timers.tick(60);
  assert.equal(queue.state, 'open');
  fake.finish();
  await first;
});

test('closing lets the running command end, rejects waiting ones, and is harmless when repeated', async () => {
  const fake = fakeNative();
  const queue = new CommandQueue(fake.native);
  const first = flush(queue);
  const second = flush(queue);
  const closed = queue.close(1000);
  const again = queue.close(1000);
  assert.equal(queue.state, 'closed');
  await assert.rejects(second, { code: 'ERR_TPM_CLOSED' });
  await assert.rejects(flush(queue), { code: 'ERR_TPM_CLOSED' });
  fake.finish();
  await first;
  await turn();
  fake.finish();
  await Promise.all([closed, again]);
  assert.deepEqual(fake.calls, ['flush', 'close', '<release>']);
  await queue.close(1000);
  assert.deepEqual(fake.calls, ['flush', 'close', '<release>']);
});

test('closing a hung context ends at the deadline without rejecting', async (context) => {
  const timers = withTimers(context);
  const fake = fakeNative();
  const queue = new CommandQueue(fake.native);
  const first = flush(queue, 40);
  const closed = queue.close(30);
  timers.tick(40);
  await assert.rejects(first, { code: 'ERR_TPM_TIMEOUT' });
  await closed;
  assert.deepEqual(fake.calls, ['flush', '<abandon>']);
});

test('closing a dead context does nothing', async () => {
  const fake = fakeNative();
  const queue = new CommandQueue(fake.native);
  const first = flush(queue);
  fake.finish({ ...FAILURE, broken: true });
  await assert.rejects(first);
  await queue.close(1000);
  assert.deepEqual(fake.calls, ['flush', '<abandon>']);
});

test('a thread that takes no command ends the context', async () => {
  const fake = fakeNative();
  fake.refuse();
  const queue = new CommandQueue(fake.native);
  await assert.rejects(flush(queue), { code: 'ERR_TPM_DEAD' });
  assert.equal(queue.state, 'dead');
});

test('the queue is bounded', async () => {
  const fake = fakeNative();
  const queue = new CommandQueue(fake.native);
  const waiting = Array.from({ length: 1025 }, () => flush(queue));
  await assert.rejects(flush(queue), { code: 'ERR_TPM_BUSY', retryable: true });
  const settled = Promise.allSettled(waiting);
  fake.finish({ ...FAILURE, broken: true });
  assert.equal((await settled).filter(({ status }) => status === 'rejected').length, 1025);
});
