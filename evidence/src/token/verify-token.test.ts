import assert from 'node:assert/strict';
import { generateKeyPairSync } from 'node:crypto';
import { test } from 'node:test';
import { calculateJwkThumbprint, compactVerify } from 'jose';
import { evidenceError } from '../testing/foreign-bytes.test.ts';
import { createSimulatedKey, SIGNING_ATTRIBUTES, SimulatedTpm } from '../testing/simulated-tpm.test.ts';
import {
  createClaims,
  createClaimsWithoutTpm,
  createEnrolledKeys,
  encodeSegment,
  type RoundChanges,
  signRound,
  signSegments,
} from '../testing/token-fixture.test.ts';
import { type EnrolledKeys, prepareEnrolledKeys } from './enrolled-keys.ts';
import { encodeHeader } from './header.ts';
import { computeKid, computeUeid, exportSigningJwk } from './identity.ts';
import { encodePayload } from './payload.ts';
import { computeQualifyingData, PROFILE_SELECTIONS, QUOTE_SELECTIONS } from './quote-binding.ts';
import type { TokenQuote } from './token-claims.ts';
import { assembleToken, parseToken } from './unverified-token.ts';
import { type VerifyTokenOptions, verifyToken } from './verify-token.ts';

const tpm = new SimulatedTpm();
const stranger = new SimulatedTpm();
const claims = createClaims(tpm);
const keys = createEnrolledKeys(tpm);
const verifyRound = (changes: RoundChanges = {}, payload: unknown = claims) =>
  verifyToken(parseToken(signRound(tpm, payload, changes)), keys);

test('a whole round verifies and gives claims, identity and both quotes', () => {
  const token = verifyRound();
  assert.equal(token.base, 'tpm');
  assert.deepEqual(token.claims, claims);
  assert.equal(token.ueid, computeUeid(tpm.ekName));
  const [boot, ima] = token.quotes ?? assert.fail('no quotes');
  assert.deepEqual(boot.quote.pcrDigest, tpm.composite(PROFILE_SELECTIONS[0]));
  assert.deepEqual(ima.quote.selection, [{ bank: 'sha256', pcrs: [10] }]);
  assert.deepEqual([...ima.statedPcrs.keys()], [10]);
  assert.equal(boot.quote.firmwareVersion, 42n);
});

test('enrolled keys may be prepared once or given as they are stored', () => {
  const token = parseToken(signRound(tpm, claims));
  const stored: EnrolledKeys = { signingKey: tpm.signing.publicKey, akPublic: tpm.ak.public, ekName: tpm.ekName };
  assert.equal(verifyToken(token, stored).evidenceId, token.evidenceId);
});

test('the parts that an Attester uses assemble to the same token', () => {
  const payload = encodePayload(claims);
  const quotes = QUOTE_SELECTIONS.map((_, index): TokenQuote => {
    const selection = PROFILE_SELECTIONS[index === 0 ? 0 : 1];
    const { attest, signature } = tpm.quote(computeQualifyingData(payload), selection);
    const sides = { attest: attest.toString('base64url'), sig: signature.toString('base64url') };
    return { ak: tpm.akName.toString('base64url'), ...sides, pcrs: {} };
  });
  const [first, second] = quotes;
  if (first === undefined || second === undefined) assert.fail('two quotes');
  const header = encodeHeader({ kid: keys.kid, tpm: [first, second] });
  const signed = signSegments(header, payload, tpm.signing.privateKey);
  const signature = Buffer.from(signed.split('.')[2] ?? '', 'base64url');
  assert.equal(assembleToken({ header, payload, signature }), signed);
  assert.equal(verifyToken(parseToken(signed), keys).base, 'tpm');
  assert.throws(() => assembleToken({ header, payload, signature: signature.subarray(1) }), TypeError);
  assert.throws(() => encodeHeader({ kid: 'short', tpm: [first, second] }), TypeError);
});

test('the selections on the wire are PCRs 0-9 and 11-15, then 10', () => {
  assert.equal(QUOTE_SELECTIONS[0].toString('hex'), '00000001000b03fffb00');
  assert.equal(QUOTE_SELECTIONS[1].toString('hex'), '00000001000b03000400');
});

test('another JWT library verifies the signature and computes the same kid', async () => {
  const token = signRound(tpm, claims);
  const { protectedHeader } = await compactVerify(token, tpm.signing.publicKey);
  assert.equal(protectedHeader.kid, await calculateJwkThumbprint(claims.cnf.jwk));
});

test('a key that is not enrolled is refused: kid, cnf and signature each', () => {
  const other = exportSigningJwk(stranger.signing.publicKey);
  const code = evidenceError('ERR_EVIDENCE_KEY');
  assert.throws(() => verifyRound({ header: { kid: computeKid(other) } }), code);
  assert.throws(() => verifyRound({}, { ...claims, cnf: { jwk: other } }), code);
  assert.throws(() => verifyRound({ signer: stranger.signing.privateKey }), evidenceError('ERR_EVIDENCE_SIGNATURE'));
  assert.throws(() => verifyToken(parseToken(signRound(stranger, createClaims(stranger))), keys), code);
});

test('a ueid of another EK is refused', () => {
  const ueid = computeUeid(stranger.ekName);
  assert.throws(() => verifyRound({}, { ...claims, ueid }), evidenceError('ERR_EVIDENCE_KEY'));
});

test('a token without quotes of a kube node with a TPM is refused, whatever is allowed', () => {
  const bare = signRound(tpm, claims, { tokenQuotes: () => undefined });
  for (const options of [{}, { allowWithoutTpm: true }] satisfies VerifyTokenOptions[]) {
    assert.throws(() => verifyToken(parseToken(bare), keys, options), evidenceError('ERR_EVIDENCE_QUOTE'));
  }
});

test('one quote, or three, is refused', () => {
  const code = evidenceError('ERR_EVIDENCE_CLAIMS');
  assert.throws(() => verifyRound({ tokenQuotes: (quotes) => quotes.slice(0, 1) }), code);
  assert.throws(() => verifyRound({ tokenQuotes: (quotes) => [...quotes, ...quotes.slice(0, 1)] }), code);
});

test('quotes in the wrong order, or the same one twice, are refused', () => {
  const code = evidenceError('ERR_EVIDENCE_QUOTE');
  assert.throws(() => verifyRound({ tokenQuotes: (quotes) => quotes.toReversed() }), code);
  assert.throws(() => verifyRound({ tokenQuotes: ([first]) => [first, first] }), code);
});

test('genuine quotes over another payload are refused', () => {
  const other = computeQualifyingData(encodeSegment({ ...claims, iat: claims.iat + 1 }));
  assert.throws(() => verifyRound({ qualifyingData: other }), evidenceError('ERR_EVIDENCE_BINDING'));
});

test('a quote of another machine’s AK is refused in either place', () => {
  const signer = stranger.ak.privateKey;
  for (const quotes of [
    [{ signer }, {}],
    [{}, { signer }],
  ] as const) {
    assert.throws(() => verifyRound({ quotes }), evidenceError('ERR_EVIDENCE_SIGNATURE'));
  }
});

test('a quote signed by the signing key is refused', () => {
  const quotes = [{ signer: tpm.signing.privateKey }, {}] as const;
  assert.throws(() => verifyRound({ quotes }), evidenceError('ERR_EVIDENCE_SIGNATURE'));
});

test('a header that names another AK is refused', () => {
  const ak = stranger.akName.toString('base64url');
  const tokenQuotes = (quotes: TokenQuote[]) => quotes.map((quote) => ({ ...quote, ak }));
  assert.throws(() => verifyRound({ tokenQuotes }), evidenceError('ERR_EVIDENCE_KEY'));
});

test('a smaller or another selection is refused', () => {
  const [boot, ima] = PROFILE_SELECTIONS;
  const code = evidenceError('ERR_EVIDENCE_QUOTE');
  assert.throws(() => verifyRound({ selections: [[{ bank: 'sha256', pcrs: [0, 1] }], ima] }), code);
  assert.throws(() => verifyRound({ selections: [boot, [{ bank: 'sha1', pcrs: [10] }]] }), code);
  assert.throws(() => verifyRound({ selections: [boot, [...ima, { bank: 'sha1', pcrs: [10] }]] }), code);
});

test('an AK under another parent or hierarchy is refused', () => {
  const quotes = [{}, { qualifiedSigner: stranger.qualifiedSigner }] as const;
  assert.throws(() => verifyRound({ quotes }), evidenceError('ERR_EVIDENCE_QUOTE'));
});

test('quotes of two boot sessions or firmware versions are refused', () => {
  for (const other of [{ resetCount: 8 }, { restartCount: 1 }, { firmwareVersion: 43n }]) {
    assert.throws(() => verifyRound({ quotes: [{}, other] }), evidenceError('ERR_EVIDENCE_QUOTE'));
  }
});

test('quotes out of order or more than ten seconds apart are refused', () => {
  verifyRound({ quotes: [{ clock: 1000n }, { clock: 1000n }] });
  verifyRound({ quotes: [{ clock: 1000n }, { clock: 11_000n }] });
  for (const clock of [999n, 11_001n]) {
    assert.throws(() => verifyRound({ quotes: [{ clock: 1000n }, { clock }] }), evidenceError('ERR_EVIDENCE_QUOTE'));
  }
});

test('a bootcount that is not the resetCount of the quotes, or none, is refused', () => {
  const { bootcount: _gone, ...without } = claims;
  assert.throws(() => verifyRound({}, { ...claims, bootcount: 8 }), evidenceError('ERR_EVIDENCE_QUOTE'));
  assert.throws(() => verifyRound({}, without), evidenceError('ERR_EVIDENCE_QUOTE'));
});

test('stated values of a whole selection must be the quoted ones', () => {
  const state = (value: Buffer) => (quotes: TokenQuote[]) =>
    quotes.map((quote, index) => (index === 0 ? quote : { ...quote, pcrs: { sha256: { 10: value.toString('hex') } } }));
  verifyRound({ tokenQuotes: state(Buffer.alloc(32, 10)) });
  assert.throws(() => verifyRound({ tokenQuotes: state(Buffer.alloc(32)) }), evidenceError('ERR_EVIDENCE_QUOTE'));
});

test('a value stated for a PCR that is not quoted is refused', () => {
  const tokenQuotes = (quotes: TokenQuote[]) =>
    quotes.map((quote, index) => (index === 1 ? quote : { ...quote, pcrs: { sha256: { 10: '00'.repeat(32) } } }));
  assert.throws(() => verifyRound({ tokenQuotes }), evidenceError('ERR_EVIDENCE_QUOTE'));
});

const withoutTpm: EnrolledKeys = { signingKey: tpm.signing.publicKey, akPublic: null, ekName: null };
const bareClaims = createClaimsWithoutTpm(tpm);
const bareToken = signRound(tpm, bareClaims, { tokenQuotes: () => undefined });

test('a token without a TPM verifies only under the explicit option, and the result says so', () => {
  const token = verifyToken(parseToken(bareToken), withoutTpm, { allowWithoutTpm: true });
  assert.equal(token.base, 'none');
  assert.equal(token.quotes, null);
  assert.throws(() => verifyToken(parseToken(bareToken), withoutTpm), evidenceError('ERR_EVIDENCE_QUOTE'));
});

test('a token without a TPM cannot be shown under an identity that was enrolled with one', () => {
  const options = { allowWithoutTpm: true };
  assert.throws(() => verifyToken(parseToken(bareToken), keys, options), evidenceError('ERR_EVIDENCE_KEY'));
  const borrowed = signRound(tpm, { ...bareClaims, ueid: claims.ueid }, { tokenQuotes: () => undefined });
  assert.throws(() => verifyToken(parseToken(borrowed), withoutTpm, options), evidenceError('ERR_EVIDENCE_KEY'));
});

test('a token that speaks of a TPM is refused for a kube node enrolled without one', () => {
  const options = { allowWithoutTpm: true };
  const code = evidenceError('ERR_EVIDENCE_QUOTE');
  assert.throws(() => verifyToken(parseToken(signRound(tpm, bareClaims)), withoutTpm, options), code);
  const counted = signRound(tpm, { ...bareClaims, bootcount: 1 }, { tokenQuotes: () => undefined });
  assert.throws(() => verifyToken(parseToken(counted), withoutTpm, options), code);
});

test('keys that cannot be those of an enrolment are refused', () => {
  const good: EnrolledKeys = { signingKey: tpm.signing.publicKey, akPublic: tpm.ak.public, ekName: tpm.ekName };
  const unrestricted = createSimulatedKey(SIGNING_ATTRIBUTES);
  const p384 = generateKeyPairSync('ec', { namedCurve: 'P-384' }).publicKey;
  const bad: EnrolledKeys[] = [
    { ...good, akPublic: unrestricted.public },
    { ...good, signingKey: tpm.ak.publicKey },
    { ...good, signingKey: p384 },
    { ...good, signingKey: tpm.signing.privateKey },
    { ...good, ekName: tpm.ekName.subarray(1) },
    { ...good, ekName: Buffer.alloc(1) },
  ];
  for (const keySet of bad) assert.throws(() => prepareEnrolledKeys(keySet), evidenceError('ERR_EVIDENCE_KEY'));
  assert.throws(() => prepareEnrolledKeys({ ...good, ekName: null }), TypeError);
  assert.throws(() => prepareEnrolledKeys({ ...good, akPublic: null }), TypeError);
});
