import assert from 'node:assert/strict';
import { test } from 'node:test';
import { admitContents, createContentAllowance } from './content-allowance.ts';

const MINUTE_MS = 60_000;
const MAX_ROUND_BYTES = 100_000;
const NONE: ReadonlySet<string> = new Set();

function createWorld() {
  const clock = { nowMs: 1_000_000 };
  return { clock, allowance: createContentAllowance(MAX_ROUND_BYTES, () => clock.nowMs) };
}

function createContents(sizes: Record<string, number>): Map<string, Buffer> {
  return new Map(Object.entries(sizes).map(([digest, bytes]) => [digest, Buffer.alloc(bytes)]));
}

test("a whole round's content at once, then as much again in two minutes, and never more", () => {
  const { clock, allowance } = createWorld();
  assert.equal(allowance.left(), 100_000);
  allowance.spend(100_000);
  assert.equal(allowance.left(), 0);
  clock.nowMs += MINUTE_MS;
  assert.equal(allowance.left(), 50_000);
  allowance.spend(60_000);
  assert.equal(allowance.left(), -10_000);
  clock.nowMs += MINUTE_MS;
  assert.equal(allowance.left(), 40_000);
  clock.nowMs += 60 * MINUTE_MS;
  assert.equal(allowance.left(), 100_000);
});

test('a clock that is set back neither gives nor takes', () => {
  const { clock, allowance } = createWorld();
  allowance.spend(90_000);
  clock.nowMs -= 10 * MINUTE_MS;
  assert.equal(allowance.left(), 10_000);
  clock.nowMs += MINUTE_MS;
  assert.equal(allowance.left(), 60_000);
});

test('what came with a round is taken as far as it goes, the smallest first; what is known is free', () => {
  const { clock, allowance } = createWorld();
  const contents = createContents({ huge: 500_000, large: 60_000, other: 50_000, small: 1_000, known: 400_000 });
  admitContents(contents, { known: new Set(['known']), own: NONE }, allowance);
  assert.deepEqual([...contents.keys()], ['other', 'small', 'known']);
  assert.equal(allowance.left(), 49_000);
  const again = createContents({ large: 60_000, small: 1_000 });
  admitContents(again, { known: new Set(['small']), own: NONE }, allowance);
  assert.deepEqual([...again.keys()], ['small']);
  clock.nowMs += MINUTE_MS;
  const later = createContents({ large: 60_000 });
  admitContents(later, { known: NONE, own: NONE }, allowance);
  assert.equal(later.has('large'), true);
});

test('what two rounds in a row had no room for is overdue, and what is new does not take its room', () => {
  const { allowance } = createWorld();
  const waiting = { digest: 'waiting', bytes: 30_000 };
  const impossible = { digest: 'impossible', bytes: 75_001 };
  allowance.note([waiting, impossible, { digest: 'gone', bytes: 10 }]);
  assert.equal(allowance.isOverdue('waiting'), false);
  allowance.note([waiting, impossible, { digest: 'new', bytes: 10 }]);
  const overdue = ['waiting', 'gone', 'new', 'impossible'].filter((digest) => allowance.isOverdue(digest));
  assert.deepEqual(overdue, ['waiting']);
  assert.equal(allowance.overdueBytes(), 30_000);
  allowance.spend(60_000);
  const contents = createContents({ waiting: 30_000, new: 20_000, small: 2_000 });
  admitContents(contents, { known: NONE, own: NONE }, allowance);
  assert.deepEqual([...contents.keys()], ['waiting', 'small']);
  allowance.note([]);
  assert.equal(allowance.overdueBytes(), 0);
});

test("no container's content takes the room of the kube node's own", () => {
  const { allowance } = createWorld();
  const own = new Set(['index', 'boot']);
  allowance.spend(99_000);
  const contents = createContents({ index: 20_000, drift: 15_000, set: 500 });
  const lacking = admitContents(contents, { known: NONE, own }, allowance);
  assert.deepEqual([...contents.keys()], ['index', 'set']);
  assert.deepEqual(lacking, [{ digest: 'drift', bytes: 15_000 }]);
  assert.deepEqual([allowance.left(), allowance.leftForOwn()], [-19_500, 5_500]);
  const next = createContents({ boot: 10_000, set: 1 });
  admitContents(next, { known: NONE, own }, allowance);
  assert.deepEqual([...next.keys()], ['boot']);
  const last = createContents({ index: 1 });
  admitContents(last, { known: NONE, own }, allowance);
  assert.deepEqual([...last.keys()], []);
});
