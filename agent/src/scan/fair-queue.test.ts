import assert from 'node:assert/strict';
import { test } from 'node:test';
import { FairQueue } from './fair-queue.ts';

function fill(queue: FairQueue<string>, ...groups: string[]): string[] {
  for (const group of groups) queue.push(group, group);
  return groups.map(() => queue.take()?.job ?? '');
}

test('jobs of equals come in the order in which they were given', () => {
  const queue = new FairQueue<string>(() => 0);
  assert.deepEqual(fill(queue, 'a', 'b', 'a', 'c'), ['a', 'b', 'a', 'c']);
  assert.equal(queue.take(), undefined);
});

test('whoever used much waits for those who did not, and those never served for those known to be quick', () => {
  const queue = new FairQueue<string>(() => 0);
  queue.charge('quick', 5);
  queue.charge('slow', 2_000);
  queue.charge('slower', 120_000);
  assert.deepEqual(fill(queue, 'slower', 'slow', 'new', 'quick'), ['quick', 'new', 'slow', 'slower']);
});

test('many newcomers at once do not come before one who is known to be quick', () => {
  const queue = new FairQueue<string>(() => 0);
  queue.charge('quick', 5);
  const newcomers = Array.from({ length: 50 }, (_, at) => `new-${at}`);
  assert.deepEqual(fill(queue, ...newcomers, 'quick')[0], 'quick');
});

test('what was used is forgotten with time', () => {
  let nowMs = 0;
  const queue = new FairQueue<string>(() => nowMs);
  queue.charge('once slow', 4_000);
  queue.charge('slow', 4_000);
  nowMs = 60_000;
  queue.charge('slow', 4_000);
  assert.deepEqual(fill(queue, 'slow', 'once slow'), ['once slow', 'slow']);
});

test('accounts of groups that are gone do not pile up', () => {
  const queue = new FairQueue<string>(() => 0);
  queue.charge('first', 60_000);
  for (let at = 0; at < 2_000; at += 1) queue.charge(`group-${at}`, 60_000);
  assert.deepEqual(fill(queue, 'group-5', 'first'), ['first', 'group-5']);
});

test('cleared jobs are told and gone', () => {
  const queue = new FairQueue<string>(() => 0);
  queue.push('a', 'one');
  queue.push('b', 'two');
  assert.deepEqual(queue.clear(), ['one', 'two']);
  assert.equal(queue.take(), undefined);
});
