import assert from 'node:assert/strict';
import { test } from 'node:test';
import { assertSurvivesHostileBytes, evidenceError } from '../testing/foreign-bytes.test.ts';
import { SimulatedTpm } from '../testing/simulated-tpm.test.ts';
import { createClaims, createEnrolledKeys, signRound } from '../testing/token-fixture.test.ts';
import { verifyToken } from '../token/verify-token.ts';
import { decodeSubmoduleDigest, encodeBundle, encodeSubmoduleDigest, parseBundle } from './bundle.ts';

const tpm = new SimulatedTpm();
const claims = createClaims(tpm);
const token = signRound(tpm, claims);
const bytes = (text: string) => Buffer.from(text);
const bundleOf = (value: unknown) => bytes(JSON.stringify(value));
const encode = (text: string) => bytes(text).toString('base64url');

test('a token and its claims-sets survive a bundle', () => {
  const { token: parsed, sets } = parseBundle(encodeBundle(token, { host: bytes('host'), kernel: bytes('kernel') }));
  assert.equal(parsed.compact, token);
  assert.deepEqual(
    [...sets].map(([name, set]) => [name, set.toString()]),
    [
      ['host', 'host'],
      ['kernel', 'kernel'],
    ],
  );
  assert.equal(verifyToken(parsed, createEnrolledKeys(tpm)).base, 'tpm');
});

test('a digest in submods is that of the bytes', () => {
  const submods = { ...claims.submods, host: encodeSubmoduleDigest(bytes('other')) };
  assert.notDeepEqual(decodeSubmoduleDigest(submods, 'host'), decodeSubmoduleDigest(claims.submods, 'host'));
  assert.deepEqual(encodeSubmoduleDigest(bytes('host')), claims.submods.host);
});

test('an empty bundle is neither made nor read', () => {
  assert.throws(() => encodeBundle(token, {}), TypeError);
  assert.throws(() => encodeBundle(token, { host: undefined }), TypeError);
  assert.throws(() => parseBundle(bundleOf([['JWT', token], {}])), evidenceError('ERR_EVIDENCE_CLAIMS'));
});

test('a claims-set under another name, or of another token, is refused', () => {
  for (const sets of [
    { kernel: encode('host') },
    { host: encode('host ') },
    { host: encode('host'), boot: encode('x') },
  ]) {
    assert.throws(() => parseBundle(bundleOf([['JWT', token], sets])), evidenceError('ERR_EVIDENCE_DIGEST'));
  }
});

test('anything but a JWT and named base64url texts is refused', () => {
  for (const value of [
    [['CBOR', token], { host: encode('host') }],
    [['JWT', token, 1], { host: encode('host') }],
    [['JWT', token], { host: 'host=' }],
    [['JWT', token], { host: { type: 'host' } }],
    [['JWT', token], { other: encode('x') }],
    [['JWT', token], { host: encode('host') }, {}],
    [['JWT', token]],
    { token },
    token,
  ]) {
    assert.throws(() => parseBundle(bundleOf(value)), /EvidenceError/);
  }
});

test('hostile bytes end in EvidenceError only', () => {
  assertSurvivesHostileBytes(parseBundle, encodeBundle(token, { host: bytes('host') }), {
    flipStep: 11,
    randomRounds: 50,
  });
});
