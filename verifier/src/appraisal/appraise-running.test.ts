import assert from 'node:assert/strict';
import { test } from 'node:test';
import type { CodeClaims, RunningClaims } from '@holdfast/evidence';
import { appraiseRunning } from './appraise-running.ts';
import { CLEAN_CLAIMS, createDrift } from './evidence.test-support.ts';
import { type Finding, statusOfCodes } from './finding.ts';

const SHA = 'ab'.repeat(32);
const NOTHING = CLEAN_CLAIMS.running ?? assert.fail();
const program = (path: string) => ({ path, origin: 'layer' as const, sha256: SHA });

const statusOf = (findings: readonly Finding[]) => statusOfCodes(findings.map(({ code }) => code));

function appraise(running: Partial<RunningClaims> | null, status: typeof CLEAN_CLAIMS.status = 'running') {
  const claims = { ...CLEAN_CLAIMS, status, running: running === null ? null : { ...NOTHING, ...running } };
  return appraiseRunning(claims, null);
}

const code = (origin: CodeClaims['origin'], use: CodeClaims['use'] = 'program'): CodeClaims => ({
  path: '/x',
  origin,
  sha256: SHA,
  use,
});

test('what runs from the image is no finding, as program or mapped', () => {
  assert.deepEqual(appraise({ code: [code('layer'), code('layer', 'mapped')] }), []);
});

test('a running or paused container of which nothing is known is undecided, a stopped one says nothing', () => {
  for (const status of ['running', 'paused'] as const) {
    const findings = appraise(null, status);
    assert.deepEqual([findings.map((each) => each.code), statusOf(findings)], [['RUNNING_MISSING'], 'none']);
  }
  assert.deepEqual(appraise(null, 'stopped'), []);
});

const ORIGINS = [
  ['upper', 'CODE_FROM_UPPER', 'contraindicated'],
  ['volume', 'CODE_FROM_VOLUME', 'warning'],
  ['tmpfs', 'CODE_FROM_MEMORY', 'contraindicated'],
  ['memfd', 'FILELESS_EXECUTION', 'contraindicated'],
  ['deleted', 'CODE_DELETED', 'contraindicated'],
  ['host', 'CODE_OF_UNKNOWN_ORIGIN', 'none'],
  ['unknown', 'CODE_OF_UNKNOWN_ORIGIN', 'none'],
] as const;

for (const [origin, expected, status] of ORIGINS) {
  test(`code from ${origin} is ${expected} with path and hash`, () => {
    const findings = appraise({ code: [code(origin)] });
    assert.deepEqual(
      findings.map(({ code: found, path, actual }) => [found, path, actual]),
      [[expected, '/x', SHA]],
    );
    assert.equal(statusOf(findings), status);
  });
}

test('code that could not be read is a finding without a hash', () => {
  const [finding] = appraise({ code: [{ ...code('deleted'), sha256: null }] });
  assert.deepEqual([finding?.path, finding?.actual], ['/x', undefined]);
});

test('a changed library that is mapped names the package that owns it', () => {
  const drift = createDrift([
    { path: '/x', kind: 'modified', entryType: 'file', reasons: ['elf'], ownedBy: 'pkg:deb/debian/x@1' },
  ]);
  const claims = { ...CLEAN_CLAIMS, running: { ...NOTHING, code: [code('upper', 'mapped')] } };
  assert.equal(appraiseRunning(claims, drift)[0]?.purl, 'pkg:deb/debian/x@1');
});

test('what is put into a container is told, and somebody at a terminal is a warning', () => {
  const [probe, shell] = [program('/bin/check'), program('/bin/sh')];
  const quiet = appraise({ executed: [{ ...probe, terminal: false }] });
  assert.deepEqual([quiet[0]?.code, statusOf(quiet)], ['EXEC_PROCESS', 'affirming']);
  const loud = appraise({ executed: [{ ...shell, terminal: true }] });
  assert.deepEqual([loud[0]?.code, statusOf(loud)], ['EXEC_TERMINAL', 'warning']);
});

test('executable memory is told and allowed', () => {
  const findings = appraise({ anonymous: [program('/bin/node')] });
  assert.deepEqual([findings[0]?.code, statusOf(findings)], ['ANONYMOUS_CODE', 'affirming']);
});

test('another root directory is a warning, another mount namespace undecided', () => {
  const root = appraise({ foreign: [{ ...program('/bin/a'), sees: 'otherRoot' }] });
  assert.deepEqual([root[0]?.code, statusOf(root)], ['FOREIGN_ROOT', 'warning']);
  const mounts = appraise({ foreign: [{ ...program('/bin/a'), sees: 'otherMounts' }] });
  assert.deepEqual([mounts[0]?.code, statusOf(mounts)], ['FOREIGN_MOUNT_NAMESPACE', 'none']);
});

test('a preloaded library is a warning unless the image asks for it', () => {
  const row = { path: '/bin/a', name: 'LD_PRELOAD', value: '/tmp/x.so' };
  assert.deepEqual(appraise({ injected: [{ ...row, from: 'image' }] }), []);
  for (const from of ['pod', 'process'] as const) {
    const [finding] = appraise({ injected: [{ ...row, from }] });
    assert.deepEqual([finding?.code, finding?.actual], ['PRELOAD_IN_ENVIRONMENT', 'LD_PRELOAD=/tmp/x.so']);
  }
});

test('what was executed and gone is contraindicated by name', () => {
  const findings = appraise({ transient: ['/tmp/x'] });
  assert.deepEqual([findings[0]?.code, findings[0]?.path], ['TRANSIENT_EXECUTABLE', '/tmp/x']);
  assert.equal(statusOf(findings), 'contraindicated');
});
