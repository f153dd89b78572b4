import assert from 'node:assert/strict';
import { createHash } from 'node:crypto';
import { test } from 'node:test';
import { EK_TEMPLATES, ekTemplate } from './ek-template.ts';

const POLICY_SECRET = Buffer.from('00000151', 'hex');
const POLICY_OR = Buffer.from('00000171', 'hex');
const RH_ENDORSEMENT = Buffer.from('4000000b', 'hex');

/** Digests of PolicyAuthorizeNV on the indexes 0x01c07f01 and 0x01c07f02 (EK Credential Profile 2.5, B.6.5). */
const POLICY_C: Record<string, string> = {
  sha256: '3767e2edd43ff45a3a7e1eaefcef78643dca964632e7aad82c673a30d8633fde',
  sha384: 'd6032ce61f2fb3c240eb3cf6a33237ef2b6a16f4293c22b455e261cffd217ad5b4947c2d73e63005eed2dc2b3593d165',
};

function hash(algorithm: string, ...parts: Buffer[]): Buffer {
  return createHash(algorithm).update(Buffer.concat(parts)).digest();
}

function policyA(algorithm: string): Buffer {
  const zero = Buffer.alloc(algorithm === 'sha256' ? 32 : 48);
  return hash(algorithm, hash(algorithm, zero, POLICY_SECRET, RH_ENDORSEMENT));
}

function policyB(algorithm: string): Buffer {
  const a = policyA(algorithm);
  return hash(algorithm, Buffer.alloc(a.length), POLICY_OR, a, Buffer.from(POLICY_C[algorithm] ?? '', 'hex'));
}

test('the policies in the templates are those that the profile defines', () => {
  const expected = { 'L-1': policyA('sha256'), 'L-2': policyA('sha256'), 'H-1': policyB('sha256') };
  const more = { 'H-2': policyB('sha256'), 'H-3': policyB('sha384') };
  for (const [id, policy] of Object.entries({ ...expected, ...more })) {
    const template = EK_TEMPLATES.find((known) => known.id === id)?.template ?? Buffer.alloc(0);
    assert.equal(template.readUInt16BE(8), policy.length, id);
    assert.equal(template.subarray(10, 10 + policy.length).toString('hex'), policy.toString('hex'), id);
  }
});

test('low-range templates deny user authorization, high-range ones allow it', () => {
  for (const { id, needsPolicy, template } of EK_TEMPLATES) {
    const userWithAuth = (template.readUInt32BE(4) & 0x40) !== 0;
    assert.equal(userWithAuth, !needsPolicy, id);
    assert.equal(needsPolicy, id.startsWith('L'), id);
  }
});

test('a caller gets a copy', () => {
  ekTemplate('L-1').fill(0);
  assert.equal(ekTemplate('L-1').readUInt16BE(0), 1);
});

test('an unknown id is a TypeError', () => {
  assert.throws(() => Reflect.apply(ekTemplate, undefined, ['I-1']), TypeError);
});
