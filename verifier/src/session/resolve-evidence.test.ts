import assert from 'node:assert/strict';
import { createHash } from 'node:crypto';
import { test } from 'node:test';
import { encodeSubmoduleDigest, type SubmoduleDigest, type SubmoduleName } from '@holdfast/evidence';
import { createClaimsContent } from '../../../test/support/claims-fixture.ts';
import { createEvidence } from '../appraisal/evidence.test-support.ts';
import { type ContentSource, createEvidenceResolver, type FindSboms } from './resolve-evidence.ts';

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

function hold(content: ReturnType<typeof createRound>['content']) {
  const held = new Map([...Object.values(content.sets), ...content.blobs].map((bytes) => [hash(bytes), bytes]));
  const source: ContentSource = { has: (digest) => held.has(digest), read: (digest) => held.get(digest) };
  return { held, source };
}

test('evidence that names the same content is one object', () => {
  const { claims, content } = createRound(['one', 'two']);
  const { source } = hold(content);
  const resolver = createEvidenceResolver(() => []);
  const first = resolver.resolve(claims, source);
  assert.deepEqual(first.missing, []);
  assert.equal(resolver.resolve({ ...claims, iat: claims.iat + 1 }, source), first);
  const other = createRound(['one', 'three']);
  assert.notEqual(resolver.resolve(other.claims, hold(other.content).source), first);
});

test('what one kube node gave says nothing for another that has not given it', () => {
  const { claims, content } = createRound(['one']);
  const { held, source } = hold(content);
  const resolver = createEvidenceResolver(() => []);
  const { referenced } = resolver.resolve(claims, source);
  for (const digest of referenced) {
    const poorer = {
      has: (asked: string) => asked !== digest && held.has(asked),
      read: (asked: string) => source.read(asked),
    };
    assert.deepEqual(
      resolver.resolve(claims, poorer).missing.map((missing) => missing.digest),
      [digest],
    );
  }
  assert.deepEqual(resolver.resolve(claims, source).missing, []);
});

test('an SBOM that comes or no longer counts is seen in evidence that is otherwise the same', () => {
  const { claims, content } = createRound(['one']);
  const { source } = hold(content);
  let sboms: ReturnType<FindSboms> = [];
  const resolver = createEvidenceResolver(() => sboms);
  const hasSbom = () => resolver.resolve(claims, source).sets.containers.get('one')?.hasSbom;
  assert.equal(hasSbom(), false);
  const sbom = {
    format: 'cyclonedx',
    specVersion: '1.6',
    tools: [],
    distro: null,
    complete: true,
    packages: [],
  } as const;
  sboms = [{ digest: 'sha256:1', keyId: 'k', sbom }];
  assert.equal(hasSbom(), true);
  sboms = [];
  assert.equal(hasSbom(), false);
});
