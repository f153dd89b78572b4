import assert from 'node:assert/strict';
import { test } from 'node:test';
import { selectKey, usableKeys } from './select-key.ts';
import { describeKey, makeP256, makeTrust, NOW } from './trust.fixture.ts';
import type { KeyUse } from './trust.ts';

const key = makeP256();
const use: KeyUse = { role: 'sbom', environment: 'production', now: NOW, subjectName: 'org/app' };
const select = (changes: Record<string, unknown>, asked: Partial<KeyUse> = {}, file: Record<string, unknown> = {}) => {
  const found = selectKey(makeTrust([describeKey(key.publicKey, changes)], file), 'build-key', { ...use, ...asked });
  return typeof found === 'string' ? found : 'ok';
};

test('a key counts for its role, environment, scope and time', () => {
  assert.equal(select({}), 'ok');
  assert.equal(select({ scope: ['org/app'] }), 'ok');
});

test('each thing that does not fit has a reason of its own', () => {
  assert.equal(selectKey(makeTrust([]), 'build-key', use), 'KEY_UNKNOWN');
  assert.equal(select({}, { now: Date.parse('2026-12-31T00:00:00Z') }), 'TRUST_EXPIRED');
  assert.equal(select({ role: 'result' }), 'KEY_ROLE');
  assert.equal(select({ environment: 'staging' }), 'KEY_ENVIRONMENT');
  assert.equal(select({}, {}, { environment: 'staging' }), 'KEY_ENVIRONMENT');
  assert.equal(select({ revokedAt: '2026-02-01T00:00:00Z' }), 'KEY_REVOKED');
  assert.equal(select({ validUntil: '2026-06-01T00:00:00Z' }), 'KEY_EXPIRED');
  assert.equal(select({ validFrom: '2026-06-01T00:00:01Z' }), 'KEY_EXPIRED');
  assert.equal(select({ scope: ['org/other'] }), 'KEY_SCOPE');
});

test('a time that is no number never makes a key count', () => {
  assert.equal(select({}, { now: Number.NaN }), 'KEY_EXPIRED');
});

test('a revocation in the future counts already', () => {
  assert.equal(select({ revokedAt: '2026-11-01T00:00:00Z' }), 'KEY_REVOKED');
});

test('only the keys that count are listed', () => {
  const trust = makeTrust([
    describeKey(makeP256().publicKey, { id: 'a' }),
    describeKey(makeP256().publicKey, { id: 'b', role: 'provenance' }),
    describeKey(makeP256().publicKey, { id: 'c' }),
  ]);
  assert.deepEqual(
    usableKeys(trust, use).map((found) => found.id),
    ['a', 'c'],
  );
});
