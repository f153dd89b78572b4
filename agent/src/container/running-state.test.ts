import assert from 'node:assert/strict';
import { test } from 'node:test';
import type { LookReply } from '../process/look-protocol.ts';
import { parseMountinfo } from './mountinfo.ts';
import { RunningState } from './running-state.ts';

const REPLY: LookReply = {
  code: [],
  executed: [],
  anonymous: [],
  foreign: [],
  injected: [],
  transient: [],
  mounts: [],
  restless: [],
  limits: [],
  isUnsettled: false,
};
const fromImage = () => 'image' as const;

test('the first look is news, one that finds the same is none', () => {
  const state = new RunningState();
  assert.equal(state.limits.length, 0);
  assert.equal(state.apply(REPLY, fromImage), true);
  assert.equal(state.apply(REPLY, fromImage), false);
  assert.deepEqual(state.claims?.transient, []);
});

test('limits and mounts of other namespaces are those of the last look', () => {
  const state = new RunningState();
  const mounts = parseMountinfo(Buffer.from('2 1 0:80 / /run rw - tmpfs tmpfs rw\n'));
  state.apply({ ...REPLY, limits: ['time'], mounts }, fromImage);
  assert.deepEqual([state.limits, state.mounts.length], [['running:time'], 1]);
  assert.equal(state.apply(REPLY, fromImage), true);
  assert.deepEqual([state.limits, state.mounts], [[], []]);
});

test('another first process begins anew', () => {
  const state = new RunningState();
  state.begin('1');
  state.apply({ ...REPLY, transient: ['/x'] }, fromImage);
  state.begin('1');
  assert.deepEqual(state.claims?.transient, ['/x']);
  state.begin('2');
  assert.equal(state.claims, undefined);
});

test('what was executed is asked for once, and again after a look that failed', () => {
  const state = new RunningState();
  state.addExecuted('/a');
  state.addExecuted('/a');
  assert.deepEqual(state.takeExecuted(), ['/a']);
  assert.deepEqual(state.takeExecuted(), []);
  assert.equal(state.fail('failed:X', ['/a']), true);
  assert.equal(state.fail('failed:X', []), false);
  assert.deepEqual([state.takeExecuted(), state.limits], [['/a'], ['running:failed:X']]);
});

test('more executions than are kept are a limit', () => {
  const state = new RunningState();
  for (let at = 0; at <= 2_000; at += 1) state.addExecuted(`/${at}`);
  assert.deepEqual([state.takeExecuted().length, state.limits], [2_000, ['running:executions']]);
});

test('what looks like the runtime in every look for a minute is a limit, until a look finds none', () => {
  const state = new RunningState();
  const look = (seenMs: number, isUnsettled: boolean) => {
    state.seenMs = seenMs;
    state.apply({ ...REPLY, isUnsettled }, fromImage);
    return state.limits;
  };
  assert.deepEqual([look(5_000, true), look(64_999, true)], [[], []]);
  assert.deepEqual(look(65_000, true), ['running:unsettled']);
  assert.deepEqual([look(66_000, false), look(67_000, true)], [[], []]);
});
