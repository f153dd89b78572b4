import assert from 'node:assert/strict';
import { test } from 'node:test';
import { listOutsiders } from './process-tree.ts';

/** Parents by process; the shim is 5, the first process 10. */
function outsiders(parents: Record<number, number>, adopters: readonly number[] = []): number[] {
  const stats = new Map(
    Object.entries(parents).map(([pid, parent]) => [Number(pid), { parent, hasTerminal: false, startTime: '1' }]),
  );
  return [...listOutsiders({ first: 10, stats, adopts: (parent) => adopters.includes(parent) })];
}

test('descendants of the first process are its own, however far', () => {
  assert.deepEqual(outsiders({ 10: 5, 11: 10, 12: 11, 13: 12 }), []);
});

test('what was put in from outside is told, with all that it brought about', () => {
  assert.deepEqual(outsiders({ 10: 5, 11: 10, 20: 5, 21: 20, 22: 21 }), [20, 21, 22]);
});

test('an orphan belongs to the process that adopts in its PID namespace, also outside of the container', () => {
  assert.deepEqual(outsiders({ 10: 5, 30: 7 }, [7]), []);
  assert.deepEqual(outsiders({ 10: 5, 30: 7 }, []), [30]);
});

test('a process whose parent is gone, and a circle of parents, end as put in from outside', () => {
  assert.deepEqual(outsiders({ 10: 5, 40: 0 }), [40]);
  assert.deepEqual(outsiders({ 10: 5, 50: 51, 51: 50 }), [50, 51]);
});

test('a chain of thousands is followed', () => {
  const parents: Record<number, number> = { 10: 5 };
  for (let pid = 11; pid < 4_000; pid += 1) parents[pid] = pid - 1;
  assert.deepEqual(outsiders(parents), []);
});
