import assert from 'node:assert/strict';
import { suite, test } from 'node:test';
import type { ImaClaims } from '@holdfast/evidence';
import { appraiseIma, isImaProven } from './appraise-ima.ts';
import type { ImaConclusion } from './ima-conclusion.ts';

const active: ImaClaims = { type: 'ima', active: true, template: 'ima-sig', policy: null, agent: null };
const quotes = { resetCount: 1, restartCount: 0, safe: true, imaPcrIsZero: false };
const holds: ImaConclusion = {
  outcome: 'matched',
  entries: 9,
  extended: 9,
  violations: 0,
  aggregate: true,
  isRestarted: false,
};
const run = (conclusion: ImaConclusion | null, claims = active, quoted = quotes) =>
  appraiseIma(claims, quoted, conclusion).map(({ code }) => code);

suite('the appraisal of an IMA list', () => {
  test('finds nothing wrong with one that holds', () => {
    assert.deepEqual(run(holds), []);
    assert.deepEqual(run({ ...holds, aggregate: null }), []);
    assert.ok(isImaProven(holds) && isImaProven({ ...holds, aggregate: null }));
  });

  const cases: [Partial<ImaConclusion>, string, boolean][] = [
    [{ outcome: 'mismatch' }, 'IMA_LOG_MISMATCH', false],
    [{ outcome: 'missing' }, 'IMA_LOG_MISSING', false],
    [{ aggregate: false }, 'IMA_BOOT_AGGREGATE', false],
    [{ entries: 1, extended: 1 }, 'IMA_MEASURES_NOTHING', false],
    [{ entries: 9, extended: 1 }, 'IMA_MEASURES_NOTHING', false],
    [{ violations: 2 }, 'IMA_VIOLATIONS', true],
    [{ isRestarted: true }, 'BOOT_SESSION_NEW', true],
  ];
  for (const [changes, code, isProven] of cases) {
    test(`says ${code}`, () => {
      assert.deepEqual(run({ ...holds, ...changes }), [code]);
      assert.equal(isImaProven({ ...holds, ...changes }), isProven);
    });
  }

  test('says so where claims and quote contradict each other or IMA is not there', () => {
    const inactive = { ...active, active: false };
    const zero = { ...quotes, imaPcrIsZero: true };
    assert.deepEqual(run(holds, inactive), ['IMA_CONTRADICTION']);
    assert.deepEqual(run(holds, active, zero), ['IMA_CONTRADICTION']);
    assert.deepEqual(run(holds, inactive, zero), ['IMA_INACTIVE']);
    assert.deepEqual(run(null), ['IMA_LOG_MISSING']);
    assert.ok(!isImaProven(null));
  });
});
