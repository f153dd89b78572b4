import assert from 'node:assert/strict';
import { test } from 'node:test';
import { describeKey, makeTrust } from '../trust/trust.fixture.ts';
import { BUILDER, CONTEXT, judge, makeEnvelope, STATEMENT, toBytes } from './reference.fixture.ts';
import { verifyReference } from './verify-reference.ts';

const TRUST = makeTrust([describeKey(BUILDER.publicKey, { role: 'provenance' })]);
const V1 = {
  buildDefinition: {
    buildType: 'https://example.com/build/v1',
    externalParameters: { ref: 'main' },
    resolvedDependencies: [{ uri: 'git+https://example.com/app', digest: { gitCommit: 'abc' } }, { digest: {} }],
  },
  runDetails: {
    builder: { id: 'https://example.com/builder' },
    metadata: { invocationId: 'run-1', startedOn: '2026-05-01T00:00:00Z' },
  },
};
const V02 = {
  builder: { id: 'https://example.com/builder' },
  buildType: 'https://example.com/build/v0',
  invocation: { parameters: { ref: 'main' } },
  metadata: { buildInvocationId: 'run-1', buildFinishedOn: '2026-05-01T00:00:00Z' },
  materials: [{ uri: 'git+https://example.com/app', digest: { sha1: 'abc' } }],
};
const sign = (version: string, predicate: unknown) =>
  makeEnvelope({ ...STATEMENT, predicateType: `https://slsa.dev/provenance/${version}`, predicate });

test('a provenance v1 is read', () => {
  const reference = verifyReference(toBytes(sign('v1', V1)), TRUST, CONTEXT);
  assert.deepEqual(reference.kind === 'provenance' && reference.provenance, {
    version: 'v1',
    builderId: 'https://example.com/builder',
    buildType: 'https://example.com/build/v1',
    invocationId: 'run-1',
    startedOn: '2026-05-01T00:00:00Z',
    externalParameters: { ref: 'main' },
    resolvedDependencies: [{ uri: 'git+https://example.com/app', digest: { gitCommit: 'abc' } }, { digest: {} }],
  });
});

test('a provenance v0.2 is read', () => {
  const reference = verifyReference(toBytes(sign('v0.2', V02)), TRUST, CONTEXT);
  assert.deepEqual(reference.kind === 'provenance' && reference.provenance, {
    version: 'v0.2',
    builderId: 'https://example.com/builder',
    buildType: 'https://example.com/build/v0',
    invocationId: 'run-1',
    finishedOn: '2026-05-01T00:00:00Z',
    externalParameters: { ref: 'main' },
    resolvedDependencies: [{ uri: 'git+https://example.com/app', digest: { sha1: 'abc' } }],
  });
});

test('a provenance without builder, build type or parameters is refused', () => {
  const { builder: _, ...unbuilt } = V1.runDetails;
  const { buildType: __, ...untyped } = V1.buildDefinition;
  const { externalParameters: ___, ...unparameterised } = V1.buildDefinition;
  assert.equal(judge(sign('v1', { ...V1, runDetails: unbuilt }), TRUST), 'MALFORMED');
  assert.equal(judge(sign('v1', { ...V1, buildDefinition: untyped }), TRUST), 'MALFORMED');
  assert.equal(judge(sign('v1', { ...V1, buildDefinition: unparameterised }), TRUST), 'MALFORMED');
  assert.equal(judge(sign('v1', {}), TRUST), 'MALFORMED');
  assert.equal(judge(sign('v0.2', { ...V02, builder: {} }), TRUST), 'MALFORMED');
});

test('a key for SBOMs does not sign provenance', () => {
  assert.equal(judge(sign('v1', V1), makeTrust([describeKey(BUILDER.publicKey)])), 'KEY_ROLE');
});
