import assert from 'node:assert/strict';
import { createHmac } from 'node:crypto';
import { test } from 'node:test';
import { EVIDENCE_PROFILE } from '@holdfast/evidence';
import {
  describeKey,
  makeEd25519,
  makeP256,
  makeP384,
  makeRsa,
  makeTrust,
  mutate,
  NOW,
  toPem,
} from '../trust/trust.fixture.ts';
import type { Ear, EarProfile, EarSubmodule } from './ear.ts';
import { EarRefused } from './ear-refused.ts';
import { encodeEar } from './encode-ear.ts';
import { createKeySigner } from './key-signer.ts';
import { signEar } from './sign-ear.ts';
import { type EarContext, verifyEar } from './verify-ear.ts';

const NODE: EarSubmodule = {
  status: 'warning',
  vector: { instanceIdentity: 2, hardware: 2, configuration: 36 },
  policyIds: ['https://example.com/policy@sha256:ab', 'urn:second'],
  nonce: 'evidence-nonce',
  details: { base: 'tpm', findings: [{ code: 'BOOT_LOG_MISSING' }] },
};
const ISSUED = NOW / 1000;
const EAR: Ear = {
  issuedAt: ISSUED,
  expiresAt: ISSUED + 120,
  id: 'result-1',
  verifier: { developer: 'https://example.com', build: 'holdfast 0.1.0' },
  submods: {
    node: NODE,
    'container:abc': { status: 'affirming', vector: { executables: 2, fileSystem: 2 }, policyIds: [] },
  },
};
const KEY = makeP256();
const SIGNER = createKeySigner(KEY.privateKey, 'result-key');
const describeResultKey = (changes: Record<string, unknown> = {}) =>
  describeKey(KEY.publicKey, { id: 'result-key', role: 'result', ...changes });
const TRUST = makeTrust([describeResultKey()]);
const CONTEXT: EarContext = { environment: 'production', now: NOW };

/** `ok`, or the reason of the refusal; any other error passes through. */
function judge(jwt: string, trust = TRUST, context = CONTEXT): string {
  try {
    verifyEar(jwt, trust, context);
    return 'ok';
  } catch (error) {
    if (error instanceof EarRefused) return error.reason;
    throw error;
  }
}

const encode = (value: unknown) =>
  Buffer.from(typeof value === 'string' ? value : JSON.stringify(value)).toString('base64url');

/** Signs any header and claims with the good key. */
async function forge(
  claims: unknown,
  header: unknown = { alg: 'ES256', typ: 'eat+jwt', kid: 'result-key' },
): Promise<string> {
  const input = `${encode(header)}.${encode(claims)}`;
  return `${input}.${Buffer.from(await SIGNER.sign(Buffer.from(input))).toString('base64url')}`;
}

test('a result survives signing and verifying, in both profiles', async () => {
  for (const profile of ['ietf-ear-03', 'veraison-2023'] as const satisfies EarProfile[]) {
    const verified = verifyEar(await signEar(EAR, SIGNER, profile), TRUST, CONTEXT);
    assert.deepEqual(verified, { ...EAR, profile, keyId: 'result-key' });
  }
});

test('the default profile writes the names of the draft', () => {
  assert.deepEqual(encodeEar(EAR), {
    eat_profile: 'tag:ietf.org,2026:rats/ear#03',
    iat: ISSUED,
    exp: ISSUED + 120,
    jti: 'result-1',
    ear_verifier_id: { developer: 'https://example.com', build: 'holdfast 0.1.0' },
    ear_status: 'warning',
    submods: {
      node: {
        ear_status: 'warning',
        ear_trustworthiness_vector: { 'instance-identity': 2, configuration: 36, hardware: 2 },
        ear_appraisal_policy_ids: ['https://example.com/policy@sha256:ab', 'urn:second'],
        eat_nonce: 'evidence-nonce',
        holdfast: { base: 'tpm', findings: [{ code: 'BOOT_LOG_MISSING' }] },
      },
      'container:abc': { ear_status: 'affirming', ear_trustworthiness_vector: { executables: 2, 'file-system': 2 } },
    },
  });
});

test('the deployed profile writes the dotted names, and never mixes', () => {
  const claims = encodeEar({ ...EAR, nonce: 'relying-party' }, 'veraison-2023');
  assert.equal(claims.eat_profile, 'tag:github.com,2023:veraison/ear');
  assert.equal(claims.eat_nonce, 'relying-party');
  assert.deepEqual(claims['ear.verifier-id'], EAR.verifier);
  const text = JSON.stringify(claims);
  assert.match(text, /"ear\.status":"warning"/);
  assert.match(text, /"ear\.appraisal-policy-id":"https:\/\/example\.com\/policy@sha256:ab urn:second"/);
  assert.doesNotMatch(text, /ear_/);
});

test('every kind of key that a signer takes is verified', async () => {
  for (const key of [makeP256(), makeP384(), makeEd25519(), makeRsa(2048)]) {
    const signer = createKeySigner(key.privateKey, 'result-key');
    const algorithm = signer.alg === 'PS256' ? { algorithm: 'PS256' } : {};
    const trust = makeTrust([describeKey(key.publicKey, { id: 'result-key', role: 'result', ...algorithm })]);
    assert.equal(judge(await signEar(EAR, signer), trust), 'ok');
  }
  assert.throws(() => createKeySigner(KEY.publicKey, 'k'), TypeError);
  assert.throws(() => createKeySigner(makeRsa(1024).privateKey, 'k'), TypeError);
});

test('a status that is better than the worst claim is not written', () => {
  const write = (status: EarSubmodule['status'], vector: EarSubmodule['vector']) => () =>
    encodeEar({ ...EAR, submods: { node: { status, vector, policyIds: [] } } });
  assert.throws(write('affirming', { hardware: 32 }), TypeError);
  assert.throws(write('warning', { hardware: 96, configuration: 2 }), TypeError);
  assert.throws(write('none', { hardware: 99 }), TypeError);
  assert.throws(write('affirming', {}), TypeError);
  assert.throws(write('affirming', { hardware: 0 }), TypeError);
  assert.throws(write('affirming', { hardware: 2, configuration: 1 }), TypeError);
  assert.throws(write('warning', { hardware: 2, configuration: -1 }), TypeError);
  assert.doesNotThrow(write('affirming', { hardware: 2, configuration: 0 }));
  assert.doesNotThrow(write('warning', { hardware: 2 }));
  assert.doesNotThrow(write('none', { hardware: 2 }));
  assert.doesNotThrow(write('contraindicated', { hardware: 2 }));
});

test('what the format does not allow is not written', () => {
  const broken: Partial<Ear>[] = [
    { submods: {} },
    { expiresAt: ISSUED },
    { issuedAt: 1.5 },
    { id: '' },
    { verifier: { developer: '', build: 'x' } },
    { nonce: 'short' },
    { submods: { node: { ...NODE, vector: { hardware: 200 } } } },
    { submods: { node: { ...NODE, nonce: 'x' } } },
    { submods: { node: { ...NODE, policyIds: ['a b'] } } },
  ];
  for (const changes of broken)
    assert.throws(() => encodeEar({ ...EAR, ...changes }), TypeError, JSON.stringify(changes));
});

test('each way in which a key does not count has its own reason', async () => {
  const jwt = await signEar(EAR, SIGNER);
  assert.equal(judge(jwt, makeTrust([])), 'KEY_UNKNOWN');
  assert.equal(judge(jwt, makeTrust([describeResultKey({ role: 'sbom' })])), 'KEY_ROLE');
  assert.equal(judge(jwt, makeTrust([describeResultKey({ environment: 'staging' })])), 'KEY_ENVIRONMENT');
  assert.equal(judge(jwt, makeTrust([describeResultKey({ revokedAt: '2026-01-02T00:00:00Z' })])), 'KEY_REVOKED');
  assert.equal(judge(jwt, makeTrust([describeResultKey({ validUntil: '2026-05-01T00:00:00Z' })])), 'KEY_EXPIRED');
  assert.equal(judge(jwt, makeTrust([describeResultKey()], { expires: '2026-05-01T00:00:00Z' })), 'TRUST_EXPIRED');
  assert.equal(
    judge(jwt, makeTrust([describeKey(makeP256().publicKey, { id: 'result-key', role: 'result' })])),
    'BAD_SIGNATURE',
  );
});

test('time is the relying party’s: expired and future results are refused', async () => {
  const jwt = await signEar(EAR, SIGNER);
  assert.equal(judge(jwt, TRUST, { ...CONTEXT, now: NOW + 119_000 }), 'ok');
  assert.equal(judge(jwt, TRUST, { ...CONTEXT, now: NOW + 120_000 }), 'STALE');
  assert.equal(judge(jwt, TRUST, { ...CONTEXT, now: NOW - 60_000 }), 'ok');
  assert.equal(judge(jwt, TRUST, { ...CONTEXT, now: NOW - 61_000 }), 'STALE');
});

test('a nonce that was given must come back', async () => {
  const jwt = await signEar({ ...EAR, nonce: 'relying-party' }, SIGNER);
  assert.equal(judge(jwt, TRUST, { ...CONTEXT, nonce: 'relying-party' }), 'ok');
  assert.equal(judge(jwt, TRUST, { ...CONTEXT, nonce: 'another-one' }), 'NONCE');
  assert.equal(judge(await signEar(EAR, SIGNER), TRUST, { ...CONTEXT, nonce: 'relying-party' }), 'NONCE');
});

// Attack 9: confusion of algorithms and keys from the header.
test('none, HMAC with the public key and another algorithm are refused', async () => {
  const claims = encodeEar(EAR);
  const unsigned = `${encode({ alg: 'none', typ: 'eat+jwt', kid: 'result-key' })}.${encode(claims)}.`;
  assert.equal(judge(unsigned), 'ALGORITHM');
  const input = `${encode({ alg: 'HS256', typ: 'eat+jwt', kid: 'result-key' })}.${encode(claims)}`;
  const mac = createHmac('sha256', toPem(KEY.publicKey)).update(input).digest('base64url');
  assert.equal(judge(`${input}.${mac}`), 'ALGORITHM');
  assert.equal(judge(await forge(claims, { alg: 'ES384', typ: 'eat+jwt', kid: 'result-key' })), 'ALGORITHM');
});

test('a header with a key, a certificate, an extension or nothing of its own is refused', async () => {
  const claims = encodeEar(EAR);
  const good = { alg: 'ES256', typ: 'eat+jwt', kid: 'result-key' };
  assert.equal(judge(await forge(claims, good)), 'ok');
  assert.equal(judge(await forge(claims, { ...good, typ: 'application/eat+jwt' })), 'ok');
  for (const extra of ['jwk', 'jku', 'x5u', 'x5c', 'crit', 'b64', 'zip']) {
    assert.equal(judge(await forge(claims, { ...good, [extra]: extra === 'crit' ? ['b64'] : {} })), 'MALFORMED', extra);
  }
  for (const missing of ['typ', 'kid'])
    assert.equal(judge(await forge(claims, { ...good, [missing]: undefined })), 'MALFORMED');
  assert.equal(judge(await forge(claims, { ...good, alg: undefined })), 'ALGORITHM');
  assert.equal(judge(await forge(claims, { ...good, typ: 'JWT' })), 'MALFORMED');
  assert.equal(judge(await forge(claims, { ...good, kid: '../../result-key' })), 'KEY_UNKNOWN');
  assert.equal(judge(await forge(claims, '{"alg":"ES256","typ":"eat+jwt","kid":"x","kid":"result-key"}')), 'MALFORMED');
});

test('evidence, and any other profile, is no result', async () => {
  for (const eat_profile of [
    EVIDENCE_PROFILE,
    'tag:ietf.org,2026:rats/ear#02',
    undefined,
    ['tag:ietf.org,2026:rats/ear#03'],
  ]) {
    assert.equal(judge(await forge({ ...encodeEar(EAR), eat_profile })), 'PROFILE');
  }
});

test('names of two profiles in one token are refused', async () => {
  assert.equal(judge(await forge({ ...encodeEar(EAR), eat_profile: 'tag:github.com,2023:veraison/ear' })), 'MALFORMED');
});

test('signed claims that lack something or promise too much are refused', async () => {
  const claims = encodeEar(EAR);
  for (const name of ['iat', 'exp', 'jti', 'ear_verifier_id', 'submods']) {
    assert.equal(judge(await forge({ ...claims, [name]: undefined })), 'MALFORMED', name);
  }
  const submodule = (value: unknown) => forge({ ...claims, submods: { node: value } });
  assert.equal(judge(await submodule({ ear_status: 'affirming' })), 'MALFORMED');
  assert.equal(judge(await submodule({ ear_status: 2, ear_trustworthiness_vector: { hardware: 2 } })), 'MALFORMED');
  assert.equal(
    judge(await submodule({ ear_status: 'affirming', ear_trustworthiness_vector: { hardware: 2, other: 2 } })),
    'MALFORMED',
  );
  assert.equal(
    judge(await submodule({ ear_status: 'affirming', ear_trustworthiness_vector: { hardware: '2' } })),
    'MALFORMED',
  );
  assert.equal(
    judge(await submodule({ ear_status: 'affirming', ear_trustworthiness_vector: { hardware: 32 } })),
    'STATUS',
  );
  assert.equal(judge(await forge({ ...claims, submods: {} })), 'MALFORMED');
  assert.equal(judge(await forge({ ...claims, ear_status: 'affirming' })), 'STATUS');
  assert.equal(judge(await forge({ ...claims, exp: ISSUED })), 'STALE');
  assert.equal(judge(await forge(JSON.stringify(claims).replace('"jti"', '"jti":"x","jti"'))), 'MALFORMED');
});

test('every single flipped bit, every truncation and random bytes are refused', async () => {
  const jwt = await signEar(EAR, SIGNER);
  for (const bytes of mutate(Buffer.from(jwt), 3)) assert.notEqual(judge(bytes.toString('latin1')), 'ok');
  assert.equal(judge(`${jwt}.`), 'MALFORMED');
  assert.equal(judge(`${jwt}=`), 'MALFORMED');
});
