import assert from 'node:assert/strict';
import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import { suite, test } from 'node:test';
import { type BootReference, createBootReference } from '@holdfast/evidence';
import type { BootConclusion } from '../boot/boot-conclusion.ts';
import { readBootLog } from '../boot/boot-log.ts';
import type { AppraisalPolicy, VerifiedEvidence } from './appraisal-input.ts';
import { appraise } from './appraise.ts';
import { createEvidence, NO_LOG, ok, QUIET_KERNEL } from './evidence.test-support.ts';

const vectors = join(import.meta.dirname, '../../../test/vectors/measured-boot/secureboot-snakeoil');
const { facts } = readBootLog(readFileSync(join(vectors, 'binary_bios_measurements')));
const cmdline = readFileSync(join(vectors, 'cmdline'), 'utf8');
const POLICY: AppraisalPolicy = { maxPendingMs: 5000, judgeKernel: () => [] };
const LISTED = { ...POLICY, machinesWithoutRuntime: ['lab/*', 'worker-1'] };

const bootLog: BootConclusion = { ...NO_LOG, hasBank: true, isQuoted: true, facts: ok(facts) };

/** Compares PCR 9 alone: the rest is for the tests of the comparison. */
function makeReference(commandLine: string): BootReference {
  const rest = {
    images: [],
    innerImage: null,
    sections: [],
    isCommandLineOfLoader: false,
    initrd: null,
    variables: null,
  };
  const { events, pcrs, ...reference } = createBootReference({ ...rest, commandLine });
  return { ...reference, events: events.filter(({ pcr }) => pcr === 9), pcrs: { 9: pcrs['9'] ?? [] } };
}

const applicable = (reference: BootReference) => [{ digest: 'sha256:0', keyId: 'boots', reference }];

/** A machine that proves what it can, and has no container runtime. */
function createMachine(changes: Partial<VerifiedEvidence> = {}): VerifiedEvidence {
  return createEvidence(
    {},
    {
      quotes: { resetCount: 1, restartCount: 0, safe: true, imaPcrIsZero: false },
      boot: ok({ type: 'boot', eventLog: 'a'.repeat(64), eventLogBytes: 9, secureBoot: true }),
      bootLog,
      bootReferences: applicable(makeReference(cmdline.trim())),
      ima: ok({ type: 'ima', active: true, template: 'ima-sig', policy: null, agent: null }),
      imaLog: { outcome: 'matched', entries: 9, extended: 9, violations: 0, aggregate: true, isRestarted: false },
      kernel: ok({ ...QUIET_KERNEL, cmdline }),
      containerIndex: ok({ type: 'containers', limits: ['runtime:none'], containers: {} }),
      ...changes,
    },
  );
}

const codesOf = (evidence: VerifiedEvidence, policy: AppraisalPolicy = LISTED) =>
  appraise(evidence, 'chain', policy).findings.map(({ code }) => code);

suite('a machine without containers', () => {
  test('is affirmed where everything holds, the reference of its boot too, and it is declared', () => {
    const { status, base, findings } = appraise(createMachine(), 'chain', { ...LISTED, isBootReferenceRequired: true });
    assert.equal(status, 'affirming', findings.map(({ code }) => code).join());
    assert.equal(base, 'boot+ima');
    assert.ok(!findings.some(({ code }) => code === 'BOOT_NOT_REFERENCED' || code === 'RUNTIME_UNAVAILABLE'));
  });

  test('is no better than a warning where nobody declared it', () => {
    for (const policy of [POLICY, { ...POLICY, machinesWithoutRuntime: ['worker-2', 'worker-1/*'] }]) {
      assert.equal(appraise(createMachine(), 'chain', policy).status, 'warning');
      assert.ok(codesOf(createMachine(), policy).includes('RUNTIME_UNAVAILABLE'));
    }
  });

  test('must say so itself: a runtime that does not answer is another thing', () => {
    const index = { type: 'containers' as const, limits: ['containerd:unreachable'], containers: {} };
    const silent = createMachine({ containerIndex: ok(index) });
    assert.ok(codesOf(silent).includes('RUNTIME_UNAVAILABLE'));
    assert.ok(!codesOf(silent).includes('RUNTIME_NOT_EXPECTED'));
  });

  test('needs a reference where the policy wants one, and is contraindicated by another boot', () => {
    const without = createMachine({ bootReferences: [] });
    assert.equal(appraise(without, 'chain', LISTED).status, 'affirming');
    const required = appraise(without, 'chain', { ...LISTED, isBootReferenceRequired: true });
    assert.equal(required.status, 'warning');
    assert.ok(required.findings.some(({ code }) => code === 'BOOT_REFERENCE_MISSING'));
    const other = createMachine({ bootReferences: applicable(makeReference('quiet')) });
    const { status, findings } = appraise(other, 'chain', LISTED);
    assert.equal(status, 'contraindicated');
    const named = findings.find(({ code }) => code === 'BOOT_CMDLINE_UNEXPECTED');
    assert.deepEqual([named?.expected, named?.actual], ['quiet', cmdline.trim()]);
  });

  test('is compared only where the quote vouches for its log', () => {
    for (const broken of [{ isQuoted: false }, { mismatched: [4] }, { unexplained: [14] }]) {
      const codes = codesOf(createMachine({ bootLog: { ...bootLog, ...broken } }));
      assert.ok(!codes.some((code) => code.includes('UNEXPECTED') || code === 'BOOT_NOT_REFERENCED'), codes.join());
      assert.notEqual(
        appraise(createMachine({ bootLog: { ...bootLog, ...broken } }), 'chain', LISTED).status,
        'affirming',
      );
    }
  });

  test('says what was measured after the boot, by a log or by words that are known', () => {
    const phases = { isLogged: true, texts: ['sysinit', 'machine-id in PCR 15'] };
    assert.ok(codesOf(createMachine({ bootLog: { ...bootLog, phases } })).includes('BOOT_PHASES_LOGGED'));
    const assumed = createMachine({ bootLog: { ...bootLog, phases: { ...phases, isLogged: false } } });
    assert.ok(codesOf(assumed).includes('BOOT_PHASES_ASSUMED'));
    assert.equal(appraise(assumed, 'chain', LISTED).status, 'affirming');
  });
});
