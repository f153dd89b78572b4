import assert from 'node:assert/strict';
import { test } from 'node:test';
import { measureGrowth, type SoakSample } from './growth.ts';

const createSamples = (rss: (index: number) => number, count = 100): SoakSample[] =>
  Array.from({ length: count }, (_, index) => ({
    count: index,
    rssMib: rss(index),
    heapMib: 10,
    threads: 5,
    descriptors: 20,
  }));

test('a leak grows with the work', () => {
  const growth = measureGrowth(
    createSamples((index) => 100 + index * 0.2),
    'rssMib',
  );
  assert.ok(growth > 10 && growth < 14, `${growth}`);
});

test('what grows until it is warm, and peaks, are no leak', () => {
  const warmsUp = createSamples((index) => (index < 20 ? index * 10 : 200));
  assert.equal(measureGrowth(warmsUp, 'rssMib'), 0);
  const peaks = createSamples((index) => (index % 10 === 9 ? 500 : 100));
  assert.equal(measureGrowth(peaks, 'rssMib'), 0);
  assert.equal(measureGrowth(peaks, 'threads'), 0);
});

test('what goes down has grown by less than nothing', () => {
  const shrinks = createSamples((index) => 300 - index);
  assert.ok(measureGrowth(shrinks, 'rssMib') < -50);
});

test('a few samples say nothing', () => {
  const few = createSamples(() => 1, 12);
  assert.throws(() => measureGrowth(few, 'rssMib'), RangeError);
});
