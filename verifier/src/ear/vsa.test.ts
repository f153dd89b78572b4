import assert from 'node:assert/strict';
import { test } from 'node:test';
import { encodeVsa, type VerificationSummary } from './vsa.ts';

const SUMMARY: VerificationSummary = {
  verifierId: 'https://example.com/verifier',
  timeVerified: 1_780_272_000,
  resourceUri: 'oci://registry.example/org/app',
  policy: { uri: 'https://example.com/policy', sha256: 'a'.repeat(64) },
  inputAttestations: [{ uri: 'oci://registry.example/org/app', sha256: 'b'.repeat(64) }],
  result: 'PASSED',
  verifiedLevels: ['SLSA_BUILD_LEVEL_2'],
};

test('a summary has the fields of SLSA VSA v1', () => {
  assert.deepEqual(encodeVsa(SUMMARY), {
    verifier: { id: 'https://example.com/verifier' },
    timeVerified: '2026-06-01T00:00:00Z',
    resourceUri: 'oci://registry.example/org/app',
    policy: { uri: 'https://example.com/policy', digest: { sha256: 'a'.repeat(64) } },
    inputAttestations: [{ uri: 'oci://registry.example/org/app', digest: { sha256: 'b'.repeat(64) } }],
    verificationResult: 'PASSED',
    verifiedLevels: ['SLSA_BUILD_LEVEL_2'],
    slsaVersion: '1.0',
  });
});

test('a failed summary names no level', () => {
  assert.deepEqual(encodeVsa({ ...SUMMARY, result: 'FAILED', verifiedLevels: [] }).verifiedLevels, []);
  assert.throws(() => encodeVsa({ ...SUMMARY, result: 'FAILED' }), TypeError);
});

test('a summary that leaves something out is not made', () => {
  const broken: Partial<VerificationSummary>[] = [
    { verifierId: '' },
    { resourceUri: '' },
    { timeVerified: 1.5 },
    { timeVerified: -1 },
    { timeVerified: 1e15 },
    { verifiedLevels: [] },
    { policy: { uri: '', sha256: 'a'.repeat(64) } },
    { inputAttestations: [{ uri: 'x', sha256: 'A'.repeat(64) }] },
  ];
  for (const changes of broken)
    assert.throws(() => encodeVsa({ ...SUMMARY, ...changes }), TypeError, JSON.stringify(changes));
});
