import assert from 'node:assert/strict';
import { test } from 'node:test';
import * as prepare from './command-args.ts';
import { ENDORSEMENT_POLICY, NO_HANDLE } from './native-binding.ts';
import { retireReference, TpmObject, TpmSession } from './tpm-object.ts';

const OWNER = {};
const key = new TpmObject(OWNER, 0x404001, Buffer.from('name'));
const session = new TpmSession(OWNER, 0x404002, 'policy');
const BYTES = Buffer.from([1, 2, 3]);

test('quote arguments carry the handle and an empty authorization by default', () => {
  assert.deepEqual(prepare.quoteArgs(OWNER, { key, qualifyingData: BYTES, selection: BYTES }), {
    key: 0x404001,
    authValue: Buffer.alloc(0),
    qualifyingData: BYTES,
    selection: BYTES,
    password: false,
  });
});

test('quotes for each selection carry all of them', () => {
  const options = { key, qualifyingData: BYTES, authorization: 'password' as const };
  assert.deepEqual(prepare.quoteEachArgs(OWNER, { ...options, selections: [BYTES, Buffer.of(4)] }), {
    key: 0x404001,
    authValue: Buffer.alloc(0),
    qualifyingData: BYTES,
    selections: [BYTES, Buffer.of(4)],
    password: true,
  });
});

test('a policy is none, the endorsement hierarchy, or a session', () => {
  const policyOf = (parentPolicy?: 'endorsement' | TpmSession) =>
    prepare.createArgs(OWNER, { parent: key, template: BYTES, parentPolicy }).policy;
  assert.equal(policyOf(), NO_HANDLE);
  assert.equal(policyOf('endorsement'), ENDORSEMENT_POLICY);
  assert.equal(policyOf(session), 0x404002);
});

test('an object of another context is refused', () => {
  assert.throws(() => prepare.signArgs({}, { key, digest: Buffer.alloc(32) }), /key belongs to another TPM context/);
});

test('a flushed object is refused as closed, and flushing it again does nothing', () => {
  const gone = new TpmObject(OWNER, 7, BYTES);
  assert.equal(gone.flushed, false);
  assert.equal(retireReference(OWNER, gone), 7);
  assert.equal(gone.flushed, true);
  assert.equal(retireReference(OWNER, gone), undefined);
  assert.throws(() => prepare.signArgs(OWNER, { key: gone, digest: Buffer.alloc(32) }), { code: 'ERR_TPM_CLOSED' });
});

/** Calls as plain JavaScript would make them: each must fail with TypeError before any native code. */
const WRONG: [what: string, call: () => unknown][] = [
  ['quote without options', () => Reflect.apply(prepare.quoteArgs, undefined, [OWNER])],
  ['quote without key', () => Reflect.apply(prepare.quoteArgs, undefined, [OWNER, { selection: BYTES }])],
  [
    'quote with a look-alike key',
    () => Reflect.apply(prepare.quoteArgs, undefined, [OWNER, { key: { name: BYTES }, selection: BYTES }]),
  ],
  [
    'quote with a session as key',
    () => Reflect.apply(prepare.quoteArgs, undefined, [OWNER, { key: session, selection: BYTES }]),
  ],
  ['quote with 65 bytes', () => prepare.quoteArgs(OWNER, { key, qualifyingData: Buffer.alloc(65), selection: BYTES })],
  [
    'quote with empty selection',
    () => prepare.quoteArgs(OWNER, { key, qualifyingData: BYTES, selection: Buffer.of() }),
  ],
  [
    'quote with an unknown authorization',
    () =>
      Reflect.apply(prepare.quoteArgs, undefined, [
        OWNER,
        { key, qualifyingData: BYTES, selection: BYTES, authorization: 'pasword' },
      ]),
  ],
  ['quoteEach without selections', () => prepare.quoteEachArgs(OWNER, { key, qualifyingData: BYTES, selections: [] })],
  [
    'quoteEach with too many selections',
    () =>
      prepare.quoteEachArgs(OWNER, { key, qualifyingData: BYTES, selections: Array.from({ length: 17 }, () => BYTES) }),
  ],
  [
    'quoteEach with text among the selections',
    () => Reflect.apply(prepare.quoteEachArgs, undefined, [OWNER, { key, qualifyingData: BYTES, selections: ['x'] }]),
  ],
  ['sign with a short digest', () => prepare.signArgs(OWNER, { key, digest: Buffer.alloc(19) })],
  [
    'sign with a long authorization',
    () => prepare.signArgs(OWNER, { key, digest: Buffer.alloc(32), authValue: Buffer.alloc(65) }),
  ],
  [
    'create with text as template',
    () => Reflect.apply(prepare.createArgs, undefined, [OWNER, { parent: key, template: 'x' }]),
  ],
  [
    'create with an unknown policy',
    () =>
      Reflect.apply(prepare.createArgs, undefined, [OWNER, { parent: key, template: BYTES, parentPolicy: 'owner' }]),
  ],
  [
    'createPrimary in an unknown hierarchy',
    () => Reflect.apply(prepare.createPrimaryArgs, undefined, [OWNER, { hierarchy: 'constructor', template: BYTES }]),
  ],
  [
    'evictControl outside the range',
    () => prepare.evictControlArgs(OWNER, { hierarchy: 'owner', object: key, handle: 0x80000000 }),
  ],
  ['getRandom of nothing', () => prepare.getRandomArgs(OWNER, 0, {})],
  ['getRandom of too much', () => prepare.getRandomArgs(OWNER, 1025, {})],
  ['getRandom with both protections', () => prepare.getRandomArgs(OWNER, 1, { saltKey: key, session })],
  ['hash of too much', () => prepare.hashArgs({ algorithm: 'sha256', data: Buffer.alloc(1025) })],
  [
    'hash by an unknown algorithm',
    () => Reflect.apply(prepare.hashArgs, undefined, [{ algorithm: 'md5', data: BYTES }]),
  ],
  [
    'a session of an unknown kind',
    () => Reflect.apply(prepare.startAuthSessionArgs, undefined, [OWNER, { kind: 'toString' }]),
  ],
  [
    'policySecret without session',
    () => Reflect.apply(prepare.policySecretArgs, undefined, [OWNER, { hierarchy: 'owner' }]),
  ],
];

for (const [what, call] of WRONG) {
  test(`${what} is a TypeError`, () => {
    assert.throws(call, TypeError);
  });
}
