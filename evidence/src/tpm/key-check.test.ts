import assert from 'node:assert/strict';
import { test } from 'node:test';
import { evidenceError } from '../testing/foreign-bytes.test.ts';
import { AK_ATTRIBUTES, createSimulatedKey, EK_ATTRIBUTES, SIGNING_ATTRIBUTES } from '../testing/simulated-tpm.test.ts';
import { readVector } from '../testing/vectors.test.ts';
import { checkAkPublic, checkEkPublic, checkSigningPublic } from './key-check.ts';
import type { ObjectAttributes } from './object-attributes.ts';
import { parsePublic, type TpmPublic } from './public-area.ts';

type Attribute = keyof ObjectAttributes;
interface Kind {
  readonly check: (key: TpmPublic) => void;
  readonly good: readonly Attribute[];
  readonly required: readonly Attribute[];
  readonly forbidden: readonly Attribute[];
  readonly options: Parameters<typeof createSimulatedKey>[1];
}

const resident: readonly Attribute[] = ['fixedTpm', 'fixedParent', 'sensitiveDataOrigin'];
const kinds: Record<string, Kind> = {
  AK: {
    check: checkAkPublic,
    good: AK_ATTRIBUTES,
    required: [...resident, 'restricted', 'sign'],
    forbidden: ['decrypt', 'encryptedDuplication', 'stClear'],
    options: {},
  },
  'signing key': {
    check: checkSigningPublic,
    good: SIGNING_ATTRIBUTES,
    required: [...resident, 'sign'],
    forbidden: ['restricted', 'decrypt', 'encryptedDuplication', 'stClear'],
    options: {},
  },
  EK: {
    check: checkEkPublic,
    good: EK_ATTRIBUTES,
    required: [...resident, 'restricted', 'decrypt'],
    forbidden: ['sign', 'encryptedDuplication', 'stClear'],
    options: { scheme: null, aesBits: 128 },
  },
};
for (const [what, { check, good, required, forbidden, options }] of Object.entries(kinds)) {
  const keyWith = (attributes: readonly Attribute[], more = {}) =>
    parsePublic(createSimulatedKey(attributes, { ...options, ...more }).public);

  test(`${what}: the right attributes pass`, () => check(keyWith(good)));
  test(`${what}: each missing attribute is refused`, () => {
    for (const name of required) {
      const rest = good.filter((attribute) => attribute !== name);
      assert.throws(() => check(keyWith(rest)), evidenceError('ERR_EVIDENCE_KEY'), name);
    }
  });
  test(`${what}: each forbidden attribute is refused`, () => {
    for (const name of forbidden) {
      assert.throws(() => check(keyWith([...good, name])), evidenceError('ERR_EVIDENCE_KEY'), name);
    }
  });
  test(`${what}: a Name by SHA-1 is refused`, () => {
    assert.throws(() => check(keyWith(good, { nameAlg: 0x0004 })), evidenceError('ERR_EVIDENCE_KEY'));
  });
}

test('an AK without a fixed scheme, or with SHA-1, is refused', () => {
  for (const options of [{ scheme: null }, { schemeHash: 0x0004 }]) {
    const ak = parsePublic(createSimulatedKey(AK_ATTRIBUTES, options).public);
    assert.throws(() => checkAkPublic(ak), evidenceError('ERR_EVIDENCE_KEY'));
  }
});

test('a signing key must be ECDSA over P-256 with SHA-256', () => {
  for (const options of [{ curve: 'P-384' }, { scheme: null }, { schemeHash: 0x000c }] as const) {
    const signing = parsePublic(createSimulatedKey(SIGNING_ATTRIBUTES, options).public);
    assert.throws(() => checkSigningPublic(signing), evidenceError('ERR_EVIDENCE_KEY'));
  }
});

test('an EK that protects nothing is refused, and a recorded one passes', () => {
  const bare = parsePublic(createSimulatedKey(EK_ATTRIBUTES, { scheme: null }).public);
  assert.throws(() => checkEkPublic(bare), evidenceError('ERR_EVIDENCE_KEY'));
  checkEkPublic(parsePublic(readVector('measured-boot/plain-uki/ek.pub').subarray(2)));
});
