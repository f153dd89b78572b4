import assert from 'node:assert/strict';
import { test } from 'node:test';
import { BOOT_PREDICATE_TYPE, createBootReference } from '@holdfast/evidence';
import { createReferenceBook } from '../reference-book/reference-book.ts';
import { openDatabase } from '../store/open-database.ts';
import { createReferenceStore } from '../store/reference-store.ts';
import { describeKey, makeTrust, NOW } from '../trust/trust.fixture.ts';
import { BUILDER, CONTEXT, IMAGE, judge, makeEnvelope, toBytes } from './reference.fixture.ts';
import { verifyReference } from './verify-reference.ts';

const BOOT = createBootReference({
  images: [{ name: 'linux.efi', digest: Buffer.alloc(32, 1), authority: null }],
  innerImage: null,
  sections: [],
  commandLine: 'quiet',
  isCommandLineOfLoader: false,
  initrd: null,
  variables: null,
});
const describe = (names: readonly string[], predicate: unknown = BOOT) => ({
  _type: 'https://in-toto.io/Statement/v1',
  subject: names.map((name) => ({ name, digest: { sha256: IMAGE } })),
  predicateType: BOOT_PREDICATE_TYPE,
  predicate,
});
const trustWith = (changes: Record<string, unknown> = {}, file: Record<string, unknown> = {}) =>
  makeTrust([describeKey(BUILDER.publicKey, { role: 'boot', ...changes })], file);

test('a boot reference is verified with a key of its role, and gives its predicate', () => {
  const envelope = makeEnvelope(describe(['*']));
  const reference = verifyReference(toBytes(envelope), trustWith(), CONTEXT);
  assert.ok(reference.kind === 'boot');
  assert.deepEqual(reference.boot, JSON.parse(JSON.stringify(BOOT)));
  assert.equal(judge(makeEnvelope(describe(['*']), { keyid: '' }), trustWith()), 'ok');
});

test('keys of other roles, environments, scopes and times do not count', () => {
  const envelope = makeEnvelope(describe(['pool-a/*']));
  assert.equal(judge(envelope, trustWith({ scope: ['pool-a/*'] })), 'ok');
  assert.equal(judge(envelope, trustWith({ role: 'sbom' })), 'KEY_ROLE');
  assert.equal(judge(envelope, trustWith({ environment: 'staging' })), 'KEY_ENVIRONMENT');
  assert.equal(judge(envelope, trustWith({ scope: ['pool-b/*', 'pool-a'] })), 'KEY_SCOPE');
  assert.equal(judge(makeEnvelope(describe(['*'])), trustWith({ scope: ['pool-a/*'] })), 'KEY_SCOPE');
  assert.equal(judge(envelope, trustWith({ revokedAt: '2026-02-01T00:00:00Z' })), 'KEY_REVOKED');
  assert.equal(judge(envelope, trustWith({ validUntil: '2026-02-01T00:00:00Z' })), 'KEY_EXPIRED');
});

test('a predicate that does not hold together is refused', () => {
  const [first, ...rest] = BOOT.events;
  assert.ok(first);
  const wrong: unknown[] = [
    null,
    {},
    { ...BOOT, version: 2 },
    { ...BOOT, extra: 1 },
    { ...BOOT, commandLine: 'other' },
    { ...BOOT, pcrs: { ...BOOT.pcrs, 4: ['0'.repeat(64)] } },
    { ...BOOT, events: rest },
    { ...BOOT, events: [...BOOT.events, { ...first, pcr: 5 }] },
    {
      ...BOOT,
      events: BOOT.events.map((event) => ({ ...event, digest: null })),
      pcrs: { 4: [], 9: [], 11: [], 12: [], 13: [] },
    },
    { ...BOOT, pcrs: { ...BOOT.pcrs, 24: [] } },
  ];
  for (const predicate of wrong)
    assert.equal(judge(makeEnvelope(describe(['*'], predicate)), trustWith()), 'MALFORMED');
});

function openBook(trust = trustWith()) {
  const told: string[] = [];
  let current = trust;
  const book = createReferenceBook({
    store: createReferenceStore(openDatabase(':memory:')),
    trust: () => current,
    now: () => NOW,
    onChange: (subjects) => told.push(...subjects),
    onNodeChange: () => told.push('boot'),
  });
  return { book, told, setTrust: (next: typeof trust) => (current = next) };
}

test('the book finds boot references by the names of kube nodes, as long as they count', () => {
  const { book, told, setTrust } = openBook();
  const pool = book.put(toBytes(makeEnvelope(describe(['pool-a/*', 'worker-1'])))).reference;
  assert.deepEqual(told, ['boot']);
  const found = (name: string) => book.findBoots(name).map(({ digest }) => digest);
  assert.deepEqual(found('pool-a/one'), [pool.digest]);
  assert.deepEqual(found('worker-1'), [pool.digest]);
  assert.deepEqual([found('worker-2'), found('pool-a')], [[], []]);
  const any = book.put(toBytes(makeEnvelope(describe(['*'])))).reference;
  assert.deepEqual(found('worker-2'), [any.digest]);
  assert.equal(found('worker-1').length, 2);
  setTrust(trustWith({ scope: ['pool-a/*', 'worker-1'] }));
  assert.deepEqual([found('worker-1'), found('worker-2')], [[pool.digest], []]);
  book.revoke(pool.digest, 'kernel withdrawn');
  assert.deepEqual(found('worker-1'), []);
  assert.deepEqual(told, ['boot', 'boot', 'boot']);
  setTrust(trustWith({ revokedAt: '2026-02-01T00:00:00Z' }));
  assert.deepEqual(found('worker-2'), []);
});
