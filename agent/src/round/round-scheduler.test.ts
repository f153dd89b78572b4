import assert from 'node:assert/strict';
import { test } from 'node:test';
import { FakeClock } from '../fake-clock.test-support.ts';
import { RoundScheduler } from './round-scheduler.ts';
import { TokenBucket } from './token-bucket.ts';

function createScheduler(options: { heartbeatMs?: number; fail?: () => boolean; durationMs?: number } = {}) {
  const clock = new FakeClock();
  const rounds: { reason: string; atMs: number }[] = [];
  const startMs = clock.monotonicMs();
  const scheduler = new RoundScheduler({
    clock,
    random: () => 0.5,
    heartbeatMs: options.heartbeatMs ?? 60_000,
    run: async (reason) => {
      rounds.push({ reason, atMs: clock.monotonicMs() - startMs });
      if (options.durationMs !== undefined) {
        await new Promise<void>((resolve) => clock.setTimer(options.durationMs ?? 0, resolve));
      }
      return options.fail?.() !== true;
    },
  });
  return { clock, rounds, scheduler };
}

test('the first round waits for a challenge, but not for long', async () => {
  const { clock, rounds, scheduler } = createScheduler();
  scheduler.start();
  await clock.advance(1_999);
  assert.deepEqual(rounds, []);
  await clock.advance(1);
  assert.deepEqual(rounds, [{ reason: 'start', atMs: 2_000 }]);
});

test('a challenge is answered at once and takes the place of the first round', async () => {
  const { clock, rounds, scheduler } = createScheduler();
  scheduler.start();
  await clock.advance(300);
  scheduler.request('challenge');
  await clock.advance(5_000);
  assert.deepEqual(rounds, [{ reason: 'challenge', atMs: 300 }]);
});

test('changes within 50 ms make one round', async () => {
  const { clock, rounds, scheduler } = createScheduler();
  for (let at = 0; at < 50; at += 10) {
    scheduler.request('change');
    await clock.advance(10);
  }
  await clock.advance(1_000);
  assert.deepEqual(rounds, [{ reason: 'change', atMs: 50 }]);
});

test('a flood of changes makes three rounds at once and one a second from then on', async () => {
  const { clock, rounds, scheduler } = createScheduler();
  for (let at = 0; at < 5_000; at += 25) {
    scheduler.request('change');
    await clock.advance(25);
  }
  assert.ok(rounds.length >= 7 && rounds.length <= 8, `${rounds.length} rounds`);
});

test('a change during a round makes another one behind it', async () => {
  const { clock, rounds, scheduler } = createScheduler({ durationMs: 200 });
  scheduler.request('change');
  await clock.advance(100);
  scheduler.request('change');
  await clock.advance(2_000);
  assert.deepEqual(rounds, [
    { reason: 'change', atMs: 50 },
    { reason: 'change', atMs: 250 },
  ]);
});

test('heartbeats come at 0.8 of their interval after the last round, and need no token', async () => {
  const { clock, rounds, scheduler } = createScheduler({ heartbeatMs: 10_000 });
  scheduler.start();
  await clock.advance(20_000);
  assert.deepEqual(
    rounds.map(({ atMs }) => atMs),
    [2_000, 10_000, 18_000],
  );
});

test('a failed round is repeated with growing pauses until one succeeds', async () => {
  let failures = 3;
  const { clock, rounds, scheduler } = createScheduler({
    fail: () => {
      failures -= 1;
      return failures >= 0;
    },
  });
  scheduler.request('challenge');
  await clock.advance(20_000);
  assert.deepEqual(
    rounds.map(({ atMs }) => atMs),
    [0, 500, 1_500, 3_500],
  );
});

test('closing waits for the round under way and makes no other', async () => {
  const { clock, rounds, scheduler } = createScheduler({ durationMs: 100 });
  scheduler.request('challenge');
  await clock.advance(10);
  let isClosed = false;
  const closed = scheduler.close().then(() => {
    isClosed = true;
  });
  scheduler.request('change');
  await clock.advance(50);
  assert.equal(isClosed, false);
  await clock.advance(10_000);
  await closed;
  assert.equal(rounds.length, 1);
  assert.equal(clock.timers, 0);
});

test('a token bucket gives its burst, then its rate', async () => {
  const clock = new FakeClock();
  const bucket = new TokenBucket(clock, { perSecond: 2, burst: 3 });
  assert.deepEqual([bucket.take(), bucket.take(), bucket.take(), bucket.take()], [true, true, true, false]);
  assert.equal(bucket.waitMs(), 500);
  await clock.advance(499);
  assert.equal(bucket.take(), false);
  await clock.advance(1);
  assert.equal(bucket.waitMs(), 0);
  assert.equal(bucket.take(), true);
  await clock.advance(60_000);
  assert.deepEqual([bucket.take(), bucket.take(), bucket.take(), bucket.take()], [true, true, true, false]);
});
