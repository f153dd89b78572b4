import assert from 'node:assert/strict';
import { createHash } from 'node:crypto';
import { test } from 'node:test';
import { encodeSubmoduleDigest, type SubmoduleDigest, type SubmoduleName } from '@holdfast/evidence';
import { createClaimsContent } from '../../../test/support/claims-fixture.ts';
import { createEvidence } from '../appraisal/evidence.test-support.ts';
import { createEvidenceResolver } from './resolve-evidence.ts';

const hash = (bytes: Uint8Array) => createHash('sha256').update(bytes).digest('hex');

function createRound(ids: readonly string[]) {
  const content = createClaimsContent(
    'node-1',
    ids.map((id) => ({ id })),
  );
  const digest = (name: SubmoduleName): SubmoduleDigest => encodeSubmoduleDigest(content.sets[name]);
  const submods = {
    host: digest('host'),
    boot: digest('boot'),
    ima: digest('ima'),
    kernel: digest('kernel'),
    containers: digest('containers'),
  };
  return { claims: { ...createEvidence({}).claims, submods }, content };
}

test('two containers that share a document which comes late are both resolved by it', () => {
  const { claims, content } = createRound(['one', 'two']);
  const held = new Map(Object.values(content.sets).map((bytes) => [hash(bytes), bytes]));
  const isSet = (bytes: Buffer) => bytes.includes('"type":"container"');
  for (const bytes of content.blobs.filter(isSet)) held.set(hash(bytes), bytes);
  const source = { has: (digest: string) => held.has(digest), read: (digest: string) => held.get(digest) };
  const resolver = createEvidenceResolver(() => []);
  const before = resolver.resolve(claims, source);
  assert.ok(before.missing.length > 0);
  assert.equal(before.sets.containers.get('two')?.inventory?.state, 'missing');
  for (const bytes of content.blobs) held.set(hash(bytes), bytes);
  const after = resolver.resolve(claims, source);
  assert.deepEqual(after.missing, []);
  for (const id of ['one', 'two']) {
    const container = after.sets.containers.get(id);
    assert.equal(container?.inventory?.state, 'ok', id);
    assert.equal(container?.drift?.state, 'ok', id);
  }
});
