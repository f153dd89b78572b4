import assert from 'node:assert/strict';
import { test } from 'node:test';
import { assertSurvivesHostileBytes, evidenceError, isAccepted } from '../testing/foreign-bytes.test.ts';
import { SimulatedTpm } from '../testing/simulated-tpm.test.ts';
import { createClaims, encodeSegment, NONCE } from '../testing/token-fixture.test.ts';
import { checkNonce, listNonces } from './nonce.ts';
import { encodePayload, parsePayload } from './payload.ts';
import type { HoldfastClaims, TokenClaims } from './token-claims.ts';

const claims = createClaims(new SimulatedTpm());
const nonceOf = (fill: number) => Buffer.alloc(32, fill).toString('base64url');
const withHoldfast = (changes: Record<string, unknown>) => ({
  ...claims,
  holdfast: { ...claims.holdfast, ...changes },
});
const withSubmods = (changes: Record<string, unknown>) => ({ ...claims, submods: { ...claims.submods, ...changes } });

test('claims survive encoding and parsing', () => {
  assert.deepEqual(parsePayload(encodePayload(claims)), claims);
});

const good: Record<string, unknown> = {
  'two nonces': { ...claims, eat_nonce: [nonceOf(1), nonceOf(2)] },
  'sixteen nonces': { ...claims, eat_nonce: Array.from({ length: 16 }, (_, index) => nonceOf(index)) },
  'a nonce of 66 bytes': { ...claims, eat_nonce: Buffer.alloc(66).toString('base64url') },
  'a later token of a chain': withHoldfast({ seq: 5, prev: 'ab'.repeat(32) }),
  'a snapshot off the chain': withHoldfast({ seq: null, prev: 'ab'.repeat(32) }),
  'a snapshot before any token': withHoldfast({ seq: null, prev: null }),
  'an agent outside a container': withHoldfast({ agent: { version: '1', image: null } }),
  'a declared loss': withHoldfast({ lost: [{ from: 3, to: 3, kind: 'heartbeat' }] }),
  'no container': withHoldfast({ pending: [], oldestScanMs: null }),
};
for (const [what, value] of Object.entries(good)) {
  test(`a payload with ${what} is accepted`, () => {
    assert.deepEqual(parsePayload(encodeSegment(value)), value);
    assert.equal(encodePayload(value as TokenClaims), encodeSegment(value));
  });
}

test('optional claims may be absent', () => {
  const { eat_nonce: _n, hwmodel: _h, oemboot: _o, dbgstat: _d, bootcount: _b, ...rest } = claims;
  assert.deepEqual(parsePayload(encodeSegment(rest)), rest);
});

test('every other claim, and every member of holdfast and submods, must be there', () => {
  const optional = new Set<string>(['eat_nonce', 'hwmodel', 'oemboot', 'dbgstat', 'bootcount', 'eat_profile']);
  for (const name of Object.keys(claims).filter((key) => !optional.has(key))) {
    const { [name]: _gone, ...rest } = { ...claims } as Record<string, unknown>;
    assert.throws(() => parsePayload(encodeSegment(rest)), evidenceError('ERR_EVIDENCE_CLAIMS'), name);
  }
  for (const name of Object.keys(claims.holdfast)) {
    const { [name]: _gone, ...rest } = { ...claims.holdfast } as Record<string, unknown>;
    const value = { ...claims, holdfast: rest };
    assert.throws(() => parsePayload(encodeSegment(value)), evidenceError('ERR_EVIDENCE_CLAIMS'), name);
  }
  for (const name of Object.keys(claims.submods)) {
    const { [name]: _gone, ...rest } = { ...claims.submods } as Record<string, unknown>;
    const value = { ...claims, submods: rest };
    assert.throws(() => parsePayload(encodeSegment(value)), evidenceError('ERR_EVIDENCE_CLAIMS'), name);
  }
});

const bad: Record<string, unknown> = {
  'an expiry': { ...claims, exp: 1 },
  'a nonce that is too short': { ...claims, eat_nonce: Buffer.alloc(31).toString('base64url') },
  'a nonce that is too long': { ...claims, eat_nonce: Buffer.alloc(67).toString('base64url') },
  'a list of one nonce': { ...claims, eat_nonce: [nonceOf(1)] },
  'seventeen nonces': { ...claims, eat_nonce: Array.from({ length: 17 }, (_, index) => nonceOf(index)) },
  'the same nonce twice': { ...claims, eat_nonce: [nonceOf(1), nonceOf(1)] },
  'a nonce of another type': { ...claims, eat_nonce: 1 },
  'a time that is no whole number': { ...claims, iat: 1.5 },
  'a negative time': { ...claims, iat: -1 },
  'a short jti': { ...claims, jti: 'AAAA' },
  'a ueid of another type': { ...claims, ueid: Buffer.concat([Buffer.of(2), Buffer.alloc(32)]).toString('base64url') },
  'a ueid of another length': {
    ...claims,
    ueid: Buffer.concat([Buffer.of(1), Buffer.alloc(16)]).toString('base64url'),
  },
  'an empty hwmodel': { ...claims, hwmodel: '' },
  'a long hwmodel': { ...claims, hwmodel: Buffer.alloc(33).toString('base64url') },
  'oemboot as text': { ...claims, oemboot: 'true' },
  'an unknown dbgstat': { ...claims, dbgstat: 'off' },
  'a bootcount beyond 32 bits': { ...claims, bootcount: 2 ** 32 },
  'a short bootseed': { ...claims, bootseed: 'AAAA' },
  'swversion as text': { ...claims, swversion: '6.1' },
  'two swversions': { ...claims, swversion: ['6.1', '2'] },
  'a private key in cnf': { ...claims, cnf: { jwk: { ...claims.cnf.jwk, d: claims.cnf.jwk.x } } },
  'another curve in cnf': { ...claims, cnf: { jwk: { ...claims.cnf.jwk, crv: 'P-384' } } },
  'a chain id of another length': withHoldfast({ chain: 'AAAA' }),
  'a negative seq': withHoldfast({ seq: -1 }),
  'a first token that follows another': withHoldfast({ seq: 0, prev: 'ab'.repeat(32) }),
  'a later token that follows none': withHoldfast({ seq: 1, prev: null }),
  'prev in upper case': withHoldfast({ seq: 1, prev: 'AB'.repeat(32) }),
  'a kube node name with a line end': withHoldfast({ kubeNode: 'a\nb' }),
  'no kube node name': withHoldfast({ kubeNode: '' }),
  'an image by tag': withHoldfast({ agent: { version: '1', image: 'agent:1' } }),
  'tls as base64url': withHoldfast({ tls: Buffer.alloc(32).toString('base64url') }),
  'pending out of order': withHoldfast({
    pending: [
      ['b', 1],
      ['a', 1],
    ],
  }),
  'a container twice in pending': withHoldfast({
    pending: [
      ['a', 1],
      ['a', 2],
    ],
  }),
  'a negative age in pending': withHoldfast({ pending: [['a', -1]] }),
  'a loss that ends before it begins': withHoldfast({ lost: [{ from: 3, to: 2, kind: 'change' }] }),
  'a loss of another kind': withHoldfast({ lost: [{ from: 3, to: 3, kind: 'all' }] }),
  'an unknown member of holdfast': withHoldfast({ extra: 1 }),
  'an unknown submodule': withSubmods({ other: claims.submods.host }),
  'a submodule that is no digest': withSubmods({ host: ['JWT', 'x'] }),
  'a digest by another algorithm': withSubmods({ host: ['DIGEST', [-43, claims.submods.host[1][1]]] }),
  'a digest of another length': withSubmods({ host: ['DIGEST', [-16, 'AAAA']] }),
};
for (const [what, value] of Object.entries(bad)) {
  test(`a payload with ${what} is refused`, () => {
    assert.throws(() => parsePayload(encodeSegment(value)), evidenceError('ERR_EVIDENCE_CLAIMS'));
  });
}

test('a non-canonical digest is refused', () => {
  const digest = claims.submods.host[1][1];
  const last = digest.slice(-1);
  const next = String.fromCharCode(last.charCodeAt(0) + 1);
  const value = withSubmods({ host: ['DIGEST', [-16, digest.slice(0, -1) + next]] });
  assert.throws(() => parsePayload(encodeSegment(value)), evidenceError('ERR_EVIDENCE_ENCODING'));
});

test('the profile is looked at before anything else', () => {
  for (const value of [{ eat_profile: 'tag:ietf.org,2026:rats/ear#03' }, {}, [], null, 'x', { eat_profile: [1] }]) {
    assert.throws(() => parsePayload(encodeSegment(value)), evidenceError('ERR_EVIDENCE_PROFILE'));
  }
});

test('a payload that is too long is refused before it is decoded', () => {
  assert.throws(() => parsePayload('A'.repeat(256 * 1024 + 1)), evidenceError('ERR_EVIDENCE_LIMIT'));
});

test('the Attester cannot encode claims that a Verifier would refuse', () => {
  const digest = ['DIGEST', [-16, `${claims.submods.host[1][1].slice(0, -1)}B`]];
  const unwritable = {
    'a digest that is not canonical': withSubmods({ host: digest }),
    'half a character': { ...claims, swname: 'a\ud800' },
    'no number': { ...claims, uptime: Number.NaN },
    'a claim that is undefined': { ...claims, eat_nonce: undefined },
    'no claims at all': null,
    'another profile': { ...claims, eat_profile: 'tag:ietf.org,2026:rats/ear#03' },
  };
  for (const [what, value] of Object.entries({ ...bad, ...unwritable })) {
    assert.throws(() => encodePayload(value as TokenClaims), TypeError, what);
  }
  const holdfast: HoldfastClaims = { ...claims.holdfast, seq: 1, prev: null };
  assert.throws(() => encodePayload({ ...claims, holdfast }), TypeError);
});

test('a thousand pending containers fit, more do not', () => {
  const pendingOf = (count: number): TokenClaims => {
    const pending = Array.from({ length: count }, (_, index): [string, number] => [
      String(index).padStart(64, '0'),
      1000,
    ]);
    return { ...claims, holdfast: { ...claims.holdfast, pending } };
  };
  parsePayload(encodePayload(pendingOf(1024)));
  assert.throws(() => encodePayload(pendingOf(1025)), TypeError);
});

test('hostile bytes end in EvidenceError only', () => {
  const bytes = Buffer.from(JSON.stringify(claims));
  assertSurvivesHostileBytes((sample) => parsePayload(sample.toString('base64url')), bytes, { flipStep: 3 });
  const text = Buffer.from(encodePayload(claims));
  for (let at = 0; at < text.length; at += 7) {
    assert.equal(
      isAccepted((sample) => parsePayload(sample.toString('latin1')), text.subarray(0, at)),
      false,
    );
  }
});

test('a nonce counts only when the payload carries it whole', () => {
  checkNonce(claims, NONCE);
  checkNonce({ eat_nonce: [nonceOf(1), nonceOf(2)] }, nonceOf(2));
  assert.deepEqual(listNonces({ eat_nonce: [nonceOf(1), nonceOf(2)] }), [nonceOf(1), nonceOf(2)]);
  for (const other of [
    {},
    { eat_nonce: nonceOf(9) },
    { eat_nonce: [nonceOf(3), nonceOf(4)] },
    { eat_nonce: `${NONCE}A` },
  ]) {
    assert.throws(() => checkNonce(other, NONCE), evidenceError('ERR_EVIDENCE_NONCE'));
  }
});
