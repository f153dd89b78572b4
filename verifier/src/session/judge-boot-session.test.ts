import assert from 'node:assert/strict';
import { test } from 'node:test';
import { type BootSessionInputs, judgeBootSession } from './judge-boot-session.ts';

const BEFORE = { akName: 'ak', resetCount: 3, restartCount: 1 };
const MATCHED = { outcome: 'matched', entries: 47, isRestarted: false } as const;
const NO_LIST = { outcome: 'matched', entries: 0, isRestarted: false } as const;

function judge(resetCount: number, restartCount: number, changes: Partial<BootSessionInputs> = {}): string {
  const quotes = { resetCount, restartCount };
  const inputs = { akName: 'ak', quotes, ima: MATCHED, before: BEFORE, isSameKernel: () => assert.fail() };
  return judgeBootSession({ ...inputs, ...changes }).join();
}

test('equal counters, a first evidence and another AK say nothing', () => {
  assert.equal(judge(3, 1), '');
  assert.equal(judge(4, 0, { before: undefined }), '');
  assert.equal(judge(0, 0, { akName: 'other' }), '');
});

test('a reset is a new boot session, whatever the restart counter says', () => {
  assert.equal(judge(4, 0), 'BOOT_SESSION_NEW');
  assert.equal(judge(9, 5), 'BOOT_SESSION_NEW');
});

test('a restart after which the list goes on is a resume', () => {
  assert.equal(judge(3, 2), 'BOOT_SESSION_RESUMED');
});

test('a list that begins anew is told by its own appraisal, once', () => {
  assert.equal(judge(3, 2, { ima: { ...MATCHED, isRestarted: true } }), '');
});

test('without a list the kernel tells a resume from a boot', () => {
  assert.equal(judge(3, 2, { ima: NO_LIST, isSameKernel: () => true }), 'BOOT_SESSION_RESUMED');
  assert.equal(judge(3, 2, { ima: NO_LIST, isSameKernel: () => false }), 'BOOT_SESSION_NEW');
});

test('a list that does not give the quote decides nothing', () => {
  for (const outcome of ['missing', 'mismatch'] as const)
    assert.equal(judge(3, 2, { ima: { ...MATCHED, outcome } }), '');
});
