import assert from 'node:assert/strict';
import { test } from 'node:test';
import { FakeClock } from '../fake-clock.test-support.ts';
import { PeerLimits } from './peer-limits.ts';

function createLimits(limits: Partial<ConstructorParameters<typeof PeerLimits>[1]> = {}) {
  const clock = new FakeClock();
  return {
    clock,
    limits: new PeerLimits(clock, { maxCalls: 3, maxCallsPerPeer: 2, perSecond: 1, burst: 10, ...limits }),
  };
}

test('a peer holds as many calls as it may, and another after one ended', () => {
  const { limits } = createLimits();
  const leave = limits.enter('a');
  assert.ok(leave);
  assert.ok(limits.enter('a'));
  assert.equal(limits.enter('a'), undefined);
  leave();
  leave();
  assert.ok(limits.enter('a'));
  assert.equal(limits.enter('a'), undefined);
});

test('all peers together hold no more than the whole', () => {
  const { limits } = createLimits();
  assert.ok(limits.enter('a'));
  assert.ok(limits.enter('b'));
  assert.ok(limits.enter('c'));
  assert.equal(limits.enter('d'), undefined);
});

test('a peer that begins too often waits, others do not', async () => {
  const { clock, limits } = createLimits({ burst: 2 });
  limits.enter('a')?.();
  limits.enter('a')?.();
  assert.equal(limits.enter('a'), undefined);
  assert.ok(limits.enter('b'));
  await clock.advance(1_000);
  assert.ok(limits.enter('a'));
});
