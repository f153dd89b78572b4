import assert from 'node:assert/strict';
import { test } from 'node:test';
import { createRandom, evidenceError, isAccepted } from '../testing/foreign-bytes.test.ts';
import { SimulatedTpm } from '../testing/simulated-tpm.test.ts';
import { createClaims, createEnrolledKeys, encodeSegment, signRound } from '../testing/token-fixture.test.ts';
import { parseToken } from './unverified-token.ts';
import { verifyToken } from './verify-token.ts';

const tpm = new SimulatedTpm();
const keys = createEnrolledKeys(tpm);
const claims = createClaims(tpm);
const compact = signRound(tpm, claims);
const [header = '', payload = '', signature = ''] = compact.split('.');
const accept = (token: string) => isAccepted(() => verifyToken(parseToken(token), keys), Buffer.alloc(0));
const headerOf = (changes: Record<string, unknown>) => {
  const full = JSON.parse(Buffer.from(header, 'base64url').toString());
  return `${encodeSegment({ ...full, ...changes })}.${payload}.${signature}`;
};

test('an accepted token is accepted', () => assert.ok(accept(compact)));

test('no single bit of any character can be flipped, unused base64url bits included', () => {
  const bytes = Buffer.from(compact, 'latin1');
  const random = createRandom(1);
  const places = new Set([0, header.length - 1, header.length, header.length + payload.length, bytes.length - 1]);
  while (places.size < 400) places.add(random() % bytes.length);
  for (const at of places) {
    for (let bit = 0; bit < 8; bit += 1) {
      const flipped = Buffer.from(bytes);
      flipped.writeUInt8(flipped.readUInt8(at) ^ (1 << bit), at);
      assert.equal(accept(flipped.toString('latin1')), false, `character ${at} bit ${bit}`);
    }
  }
});

test('no single bit of the decoded segments can be flipped', () => {
  const random = createRandom(2);
  for (let round = 0; round < 600; round += 1) {
    const segments = [header, payload, signature].map((text) => Buffer.from(text, 'base64url'));
    const segment = segments[round % 3] ?? Buffer.alloc(0);
    const at = random() % segment.length;
    segment.writeUInt8(segment.readUInt8(at) ^ (1 << (random() % 8)), at);
    assert.equal(accept(segments.map((bytes) => bytes.toString('base64url')).join('.')), false);
  }
});

test('the last character of each segment has one accepted form only', () => {
  const alphabet = 'ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-_';
  for (const index of [0, 1, 2]) {
    const segments = [header, payload, signature];
    const text = segments[index] ?? '';
    const accepted = alphabet.split('').filter((last) => {
      segments[index] = text.slice(0, -1) + last;
      return accept(segments.join('.'));
    });
    assert.deepEqual(accepted, [text.slice(-1)]);
  }
});

test('the evidence id is that of the signing input: another signature gives the same id', () => {
  const again = signRound(tpm, claims, {
    tokenQuotes: () => JSON.parse(Buffer.from(header, 'base64url').toString()).tpm,
  });
  assert.notEqual(again, compact);
  assert.equal(parseToken(again).evidenceId, parseToken(compact).evidenceId);
  assert.equal(parseToken(again).signingInput, `${header}.${payload}`);
});

test('a header with critical extensions or another algorithm is refused before anything else', () => {
  for (const changes of [
    { crit: ['exp'] },
    { crit: [] },
    { crit: null },
    { alg: 'none' },
    { alg: 'HS256' },
    { alg: 'ES384' },
    { alg: undefined },
  ]) {
    assert.throws(
      () => parseToken(headerOf(changes)),
      evidenceError('ERR_EVIDENCE_MALFORMED'),
      JSON.stringify(changes),
    );
  }
});

test('a header with another type, an unknown member or a bad kid is refused', () => {
  for (const changes of [{ typ: 'JWT' }, { typ: undefined }, { x5c: [] }, { kid: 'x' }, { b64: false }, { jwk: {} }]) {
    assert.throws(() => parseToken(headerOf(changes)), evidenceError('ERR_EVIDENCE_CLAIMS'), JSON.stringify(changes));
  }
});

test('a header that is no object is refused', () => {
  for (const value of [[], null, 'x', 1]) {
    assert.throws(
      () => parseToken(`${encodeSegment(value)}.${payload}.${signature}`),
      evidenceError('ERR_EVIDENCE_MALFORMED'),
    );
  }
});

test('a token with other than three segments is refused', () => {
  for (const text of ['', 'a', `${header}.${payload}`, `${compact}.`, `${compact}.AA`]) {
    assert.throws(() => parseToken(text), evidenceError('ERR_EVIDENCE_MALFORMED'), text.slice(0, 10));
  }
});

test('a signature of another length is refused', () => {
  const short = Buffer.from(signature, 'base64url').subarray(1).toString('base64url');
  assert.throws(() => parseToken(`${header}.${payload}.${short}`), evidenceError('ERR_EVIDENCE_SIGNATURE'));
});

test('a token that is too long is refused by its length', () => {
  assert.throws(() => parseToken('.'.repeat(300 * 1024)), evidenceError('ERR_EVIDENCE_LIMIT'));
  assert.throws(
    () => parseToken(`${'A'.repeat(17 * 1024)}.${payload}.${signature}`),
    evidenceError('ERR_EVIDENCE_LIMIT'),
  );
});

test('a token cut at any place is refused', () => {
  for (let length = 0; length < compact.length; length += 1) {
    if (length % 5 === 0 || length > compact.length - 100) assert.equal(accept(compact.slice(0, length)), false);
  }
});
