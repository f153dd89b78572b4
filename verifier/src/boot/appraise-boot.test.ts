import assert from 'node:assert/strict';
import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import { suite, test } from 'node:test';
import type { BootClaims, BootFacts } from '@holdfast/evidence';
import type { VerifiedEvidence } from '../appraisal/appraisal-input.ts';
import { NO_LOG, ok, QUIET_KERNEL } from '../appraisal/evidence.test-support.ts';
import { appraiseBoot } from './appraise-boot.ts';
import { type BootConclusion, isBootProven } from './boot-conclusion.ts';
import { readBootLog } from './boot-log.ts';

const vectors = join(import.meta.dirname, '../../../test/vectors/measured-boot/secureboot-snakeoil');
const { facts } = readBootLog(readFileSync(join(vectors, 'binary_bios_measurements')));
const cmdline = readFileSync(join(vectors, 'cmdline'), 'utf8');
const kernel = ok({ ...QUIET_KERNEL, cmdline });
const claims: BootClaims = { type: 'boot', eventLog: 'a'.repeat(64), eventLogBytes: 9, secureBoot: true };

const conclude = (changes: Partial<BootFacts> = {}, more: Partial<BootConclusion> = {}): BootConclusion => ({
  ...NO_LOG,
  hasBank: true,
  facts: ok({ ...facts, ...changes }),
  ...more,
});
const run = (bootLog: BootConclusion | null, boot = claims, by: VerifiedEvidence['kernel'] = kernel) =>
  appraiseBoot(boot, { bootLog, kernel: by, bootReferences: [] }).map(({ code }) => code);
const TOLD = ['BOOT_LOG_QUIRK', 'BOOT_NOT_REFERENCED'];

suite('the appraisal of a boot', () => {
  test('finds nothing wrong with a log that holds, with or without the word of the agent', () => {
    assert.deepEqual(run(conclude()), TOLD);
    assert.deepEqual(run(conclude(), { ...claims, secureBoot: null }), TOLD);
    assert.ok(isBootProven(conclude()));
  });

  test('looks at no fact of a log that does not hold', () => {
    for (const [more, code] of [
      [{ isQuoted: false }, 'BOOT_LOG_MISMATCH'],
      [{ mismatched: [4] }, 'BOOT_LOG_MISMATCH'],
      [{ unexplained: [14] }, 'BOOT_PCR_UNEXPLAINED'],
    ] as const) {
      assert.deepEqual(run(conclude({}, more)), [code]);
      assert.ok(!isBootProven(conclude({}, more)));
    }
    const facts_ = [null, { state: 'missing' }, { state: 'malformed', reason: 'x' }] as const;
    for (const state of facts_) assert.ok(!isBootProven({ ...conclude(), facts: state }));
    assert.ok(!isBootProven(conclude({}, { hasBank: false })));
    assert.ok(!isBootProven(null));
  });

  test('takes the word of the agent against itself only, where there is no log to compare', () => {
    assert.deepEqual(run(NO_LOG, { ...claims, secureBoot: false }), ['BOOT_LOG_MISSING', 'SECURE_BOOT_OFF']);
    assert.deepEqual(run(NO_LOG), ['BOOT_LOG_MISSING']);
    assert.deepEqual(run({ ...NO_LOG, isQuoted: false }), ['BOOT_LOG_MISSING', 'BOOT_LOG_MISMATCH']);
    assert.deepEqual(run(conclude({}, { hasBank: false }), { ...claims, secureBoot: false }), [
      'BOOT_LOG_UNSUPPORTED',
      'SECURE_BOOT_OFF',
    ]);
    assert.deepEqual(run(null), ['BOOT_LOG_MISSING']);
  });

  test('says what Secure Boot was, and when it is not proven, off or void', () => {
    const secureBoot = (changes: Partial<BootFacts['secureBoot']>) =>
      conclude({ quirks: [], secureBoot: { ...facts.secureBoot, ...changes } });
    assert.deepEqual(run(secureBoot({ enabled: null })), ['SECURE_BOOT_UNPROVEN', 'BOOT_NOT_REFERENCED']);
    assert.deepEqual(run(secureBoot({ enabled: false }), { ...claims, secureBoot: false }), [
      'SECURE_BOOT_OFF',
      'BOOT_NOT_REFERENCED',
    ]);
    assert.deepEqual(run(secureBoot({ actions: ['UEFI Debug Mode'] })), ['SECURE_BOOT_OFF', 'BOOT_NOT_REFERENCED']);
    assert.deepEqual(run(secureBoot({ enabled: true }), { ...claims, secureBoot: false }), [
      'SECURE_BOOT_CONTRADICTION',
      'BOOT_NOT_REFERENCED',
    ]);
  });

  test('compares the command line that the kernel tells with those that were measured', () => {
    const other = ok({ ...QUIET_KERNEL, cmdline: `${cmdline.trim()} init=/bin/sh` });
    const [first] = facts.commandLine.hashed;
    assert.ok(first);
    const line = { source: 'systemdBoot', pcr: 12, index: 1, text: 'another' } as const;
    const partly = { texts: [line], hashed: [first], findings: [] };
    const none = { texts: [], hashed: [], findings: [] };
    assert.ok(run(conclude(), claims, other).includes('CMDLINE_MISMATCH'));
    assert.ok(run(conclude({ commandLine: partly })).includes('CMDLINE_PARTLY_MEASURED'));
    assert.ok(run(conclude({ commandLine: none })).includes('CMDLINE_UNMEASURED'));
    assert.deepEqual(run(conclude(), claims, { state: 'missing' }), TOLD);
  });

  test('parts forgery from what firmware does too', () => {
    const finding = { pcr: 7, index: 3, message: 'x' };
    const forged = conclude({ findings: [{ ...finding, code: 'EVENT_DATA_MISMATCH' }] });
    const irregular = conclude({ findings: [{ ...finding, code: 'SEPARATOR_MISSING' }] });
    assert.deepEqual(run(forged), ['BOOT_LOG_FORGED', ...TOLD]);
    assert.deepEqual(run(irregular), ['BOOT_LOG_IRREGULAR', ...TOLD]);
    assert.ok(!isBootProven(forged) && !isBootProven(irregular));
  });
});
