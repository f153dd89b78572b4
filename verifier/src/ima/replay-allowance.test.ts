import assert from 'node:assert/strict';
import { suite, test } from 'node:test';
import { createReplayAllowance } from './replay-allowance.ts';

function createAllowance() {
  let nowMs = 1_000_000;
  const allowance = createReplayAllowance(() => nowMs);
  const wait = (ms: number): void => {
    nowMs += ms;
  };
  return { allowance, wait };
}

suite('what a kube node may have replayed', () => {
  test('is one whole list a minute, and little beside it', () => {
    const { allowance, wait } = createAllowance();
    const first = allowance.begin();
    assert.ok([30_000, 30_000, 3_000_000].every((entries) => first(entries)));
    const second = allowance.begin();
    assert.deepEqual([second(1), second(30_000)], [false, false]);
    assert.ok(first(1_000_000), 'the whole list goes on');
    wait(59_999);
    assert.equal(allowance.begin()(1), false);
    wait(1);
    assert.ok(allowance.begin()(3_000_000));
    assert.equal(allowance.begin()(1), false);
  });

  test('is any number of short lists, as long as they are short together', () => {
    const { allowance } = createAllowance();
    for (let round = 0; round < 32; round += 1) assert.ok(allowance.begin()(1_000));
    assert.ok(allowance.begin()(1_000), 'one whole list');
    assert.equal(allowance.begin()(1), false);
  });

  test('is there again when the clock was set back', () => {
    const { allowance, wait } = createAllowance();
    allowance.begin()(3_000_000);
    wait(-3_600_000);
    assert.ok(allowance.begin()(3_000_000));
  });
});
