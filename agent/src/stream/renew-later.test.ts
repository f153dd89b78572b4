import assert from 'node:assert/strict';
import { test } from 'node:test';
import { FakeClock, settle } from '../fake-clock.test-support.ts';
import { renewLater } from './renew-later.ts';

const HOUR_MS = 3_600_000;

function begin(renewalInMs: number) {
  const clock = new FakeClock();
  const renewals: PromiseWithResolvers<void>[] = [];
  const ensure = () => {
    const renewal = Promise.withResolvers<void>();
    renewals.push(renewal);
    return renewal.promise;
  };
  return { clock, renewals, stop: renewLater({ clock, readRenewalInMs: () => renewalInMs, ensure }) };
}

test('a renewal is made when it is due, and the next one is waited for', async () => {
  const { clock, renewals, stop } = begin(HOUR_MS);
  await clock.advance(HOUR_MS - 1);
  assert.equal(renewals.length, 0);
  await clock.advance(1);
  renewals[0]?.resolve();
  await settle();
  await clock.advance(HOUR_MS);
  assert.equal(renewals.length, 2);
  stop();
});

test('a renewal that fails, or that left the certificates due, is made again after a minute', async () => {
  const { clock, renewals, stop } = begin(0);
  await clock.advance(0);
  renewals[0]?.reject(new Error('no verifier'));
  await settle();
  await clock.advance(59_999);
  assert.equal(renewals.length, 1);
  await clock.advance(1);
  renewals[1]?.resolve();
  await settle();
  await clock.advance(60_000);
  assert.equal(renewals.length, 3);
  stop();
});

for (const outcome of ['resolve', 'reject'] as const) {
  test(`a renewal that ends after it was stopped leaves no timer behind (${outcome})`, async () => {
    const { clock, renewals, stop } = begin(0);
    await clock.advance(0);
    stop();
    renewals[0]?.[outcome]();
    await settle();
    assert.equal(clock.timers, 0);
  });
}

test('a renewal that was not begun is not made once it was stopped', async () => {
  const { clock, renewals, stop } = begin(HOUR_MS);
  stop();
  await clock.advance(2 * HOUR_MS);
  assert.deepEqual([renewals.length, clock.timers], [0, 0]);
});
