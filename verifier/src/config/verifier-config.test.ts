import assert from 'node:assert/strict';
import { test } from 'node:test';
import { createKernelBaseline } from '../kernel/kernel-baseline.ts';
import { VerifierError } from '../verifier-error.ts';
import { parseVerifierConfig } from './verifier-config.ts';

const MINIMUM = {
  listen: '127.0.0.1:7443',
  stateDir: '/var/lib/x',
  tls: { ca: 'ca.pem', cert: 'cert.pem', key: 'key.pem' },
  trustFile: 'trust.json',
};

function assertRefused(document: unknown, message: RegExp): void {
  assert.throws(
    () => parseVerifierConfig(document),
    (error) => {
      assert.ok(error instanceof VerifierError);
      assert.equal(error.code, 'ERR_VERIFIER_CONFIG');
      assert.match(error.message, message);
      return true;
    },
  );
}

test('the four required settings are enough, and defaults fill the rest', () => {
  const config = parseVerifierConfig(MINIMUM);
  assert.deepEqual(config, {
    ...MINIMUM,
    referencesDir: null,
    verifierId: 'holdfast-verifier',
    subscriptions: [],
    staleAfterMs: 180_000,
    resultTtlMs: 300_000,
    maxPendingMs: 5_000,
    bootReference: 'optional',
    machinesWithoutRuntime: [],
    kernelBaseline: createKernelBaseline(),
    maxMessageBytes: 16 * 1024 * 1024,
    maxRoundBytes: 128 * 1024 * 1024,
    maxStreamsPerPeer: 16,
    maxMessagesPerSecond: 50,
    logLevel: 'info',
  });
});

test('every setting that is given is taken', () => {
  const full = {
    ...MINIMUM,
    listen: '[::1]:0',
    referencesDir: '/refs',
    verifierId: 'v',
    subscriptions: [{ address: 'node-1:7444' }],
    staleAfterMs: 1000,
    resultTtlMs: 30_000,
    maxPendingMs: 100,
    bootReference: 'required',
    machinesWithoutRuntime: ['build-1', 'lab/*'],
    kernelBaseline: 'off',
    maxMessageBytes: 65_536,
    maxRoundBytes: 1024 * 1024,
    maxStreamsPerPeer: 1,
    maxMessagesPerSecond: 1,
    logLevel: 'silent',
  };
  assert.deepEqual(parseVerifierConfig(full), { ...full, kernelBaseline: [] });
});

test('machines without a runtime are named as scopes are', () => {
  for (const machines of ['build-1', [''], ['a b'], ['*x'], [7]]) {
    assertRefused({ ...MINIMUM, machinesWithoutRuntime: machines }, /machinesWithoutRuntime/);
  }
  assertRefused({ ...MINIMUM, bootReference: 'maybe' }, /bootReference/);
});

test('rules for the kernel take other severities by their ids', () => {
  const kernelRules = { 'HF-KERNEL-001': 'contraindicated', 'HF-KERNEL-102': 'off', 'HF-KERNEL-103': null };
  const { kernelBaseline } = parseVerifierConfig({ ...MINIMUM, kernelRules });
  const severityOf = (id: string) => kernelBaseline.find(({ rule }) => rule.id === id)?.severity;
  assert.equal(severityOf('HF-KERNEL-001'), 'contraindicated');
  assert.equal(severityOf('HF-KERNEL-102'), undefined);
  assert.equal(severityOf('HF-KERNEL-103'), 'warning');
  assert.deepEqual(parseVerifierConfig({ ...MINIMUM, kernelRules, kernelBaseline: 'off' }).kernelBaseline, []);
  assertRefused({ ...MINIMUM, kernelRules: { 'HF-KERNEL-999': 'off' } }, /"HF-KERNEL-999"/);
  assertRefused({ ...MINIMUM, kernelRules: { 'HF-KERNEL-001': 'maybe' } }, /"HF-KERNEL-001"/);
  assertRefused({ ...MINIMUM, kernelBaseline: true }, /"kernelBaseline"/);
});

test('a wrong setting is refused by its name and with what it must be', () => {
  assertRefused(null, /must be a JSON object/);
  assertRefused([], /must be a JSON object/);
  for (const name of Object.keys(MINIMUM)) {
    assertRefused({ ...MINIMUM, [name]: undefined }, new RegExp(`"${name}"`));
    assertRefused({ ...MINIMUM, [name]: 5 }, new RegExp(`"${name}"`));
  }
  assertRefused({ ...MINIMUM, listen: 'host' }, /"listen".*host:port/);
  assertRefused({ ...MINIMUM, listen: 'host:70000' }, /"listen"/);
  assertRefused({ ...MINIMUM, stateDir: '' }, /"stateDir".*non-empty/);
  assertRefused({ ...MINIMUM, stateDir: 'a\0b' }, /"stateDir"/);
  assertRefused({ ...MINIMUM, staleAfterMs: 1.5 }, /"staleAfterMs".*whole number between 1000 and/);
  assertRefused({ ...MINIMUM, staleAfterMs: 999 }, /"staleAfterMs"/);
  assertRefused({ ...MINIMUM, staleAfterMs: '5000' }, /"staleAfterMs"/);
  assertRefused({ ...MINIMUM, logLevel: 'loud' }, /"logLevel".*fatal, error/);
  assertRefused({ ...MINIMUM, subscriptions: {} }, /"subscriptions"/);
  assertRefused({ ...MINIMUM, subscriptions: [{ address: 'x' }] }, /"address" in "subscriptions"\[0\]/);
});

test('a setting that does not exist is refused by its name, at every level', () => {
  assertRefused({ ...MINIMUM, lisen: 'x' }, /"lisen" is not a setting/);
  assertRefused({ ...MINIMUM, tls: { ...MINIMUM.tls, pass: 'x' } }, /"pass" is not a setting of "tls"/);
  assertRefused({ ...MINIMUM, ...JSON.parse('{"__proto__x":1}') }, /"__proto__x"/);
});
