import assert from 'node:assert/strict';
import { createHash } from 'node:crypto';
import { test } from 'node:test';
import { describeKey, makeEd25519, makeP256, makeP384, makeRsa, makeTrust, mutate } from '../trust/trust.fixture.ts';
import {
  BUILDER,
  CONTEXT,
  IMAGE,
  judge,
  makeBundle,
  makeEnvelope,
  SBOM,
  STATEMENT,
  TRUST,
  toBytes,
} from './reference.fixture.ts';
import { ReferenceRefused } from './reference-refused.ts';
import { signStatement } from './sign-statement.ts';
import { findSubject, verifyReference } from './verify-reference.ts';

const GOOD = makeEnvelope(STATEMENT);
const withKey = (changes: Record<string, unknown>, file: Record<string, unknown> = {}) =>
  makeTrust([describeKey(BUILDER.publicKey, changes)], file);

test('a good SBOM reference is verified and says what was verified', () => {
  const bytes = toBytes(GOOD);
  const reference = verifyReference(bytes, TRUST, CONTEXT);
  assert.equal(reference.kind, 'sbom');
  assert.equal(reference.keyId, 'build-key');
  assert.equal(reference.container, 'dsse');
  assert.equal(reference.statementVersion, 'v1');
  assert.equal(reference.digest, `sha256:${createHash('sha256').update(bytes).digest('hex')}`);
  assert.equal(
    reference.statementDigest,
    `sha256:${createHash('sha256').update(JSON.stringify(STATEMENT)).digest('hex')}`,
  );
  assert.deepEqual(findSubject(reference, `sha256:${IMAGE}`), STATEMENT.subject[0]);
});

test('what signStatement makes is verified, with every kind of key', () => {
  for (const key of [makeP256(), makeP384(), makeEd25519(), makeRsa(2048)]) {
    const trust = makeTrust([describeKey(key.publicKey)]);
    const { subject: subjects, predicateType, predicate } = STATEMENT;
    const envelope = signStatement({ subjects, predicateType, predicate, key: key.privateKey, keyId: 'build-key' });
    assert.equal(judge(envelope, trust), 'ok');
  }
});

test('signStatement refuses public keys, weak keys and statements about nothing', () => {
  const good = { subjects: STATEMENT.subject, predicateType: 'x', predicate: {}, key: BUILDER.privateKey, keyId: 'k' };
  assert.throws(() => signStatement({ ...good, key: BUILDER.publicKey }), TypeError);
  assert.throws(() => signStatement({ ...good, key: makeRsa(1024).privateKey }), TypeError);
  assert.throws(() => signStatement({ ...good, subjects: [] }), TypeError);
  assert.throws(() => signStatement({ ...good, subjects: [{ name: 'x', digest: {} }] }), TypeError);
});

test('a sigstore bundle with a public key is verified in each of its versions', () => {
  assert.equal(judge(makeBundle(GOOD)), 'ok');
  for (const version of ['0.1', '0.2', '0.3']) {
    const mediaType = `application/vnd.dev.sigstore.bundle+json;version=${version}`;
    assert.equal(judge(makeBundle(GOOD, { mediaType })), 'ok');
  }
});

test('the hint may be the key’s SHA-256 in base64 or hex, or be missing', () => {
  const digest = createHash('sha256')
    .update(BUILDER.publicKey.export({ type: 'spki', format: 'der' }))
    .digest();
  for (const keyid of [digest.toString('base64'), digest.toString('hex'), '']) {
    assert.equal(judge(makeEnvelope(STATEMENT, { keyid })), 'ok');
  }
  assert.equal(judge({ ...GOOD, signatures: GOOD.signatures.map(({ sig }) => ({ sig })) }), 'ok');
});

// Attack 1: a valid statement about another image.
test('a statement about another image, or about the index of this one, has no subject for it', () => {
  const reference = verifyReference(toBytes(GOOD), TRUST, CONTEXT);
  assert.equal(findSubject(reference, `sha256:${'b'.repeat(64)}`), undefined);
  for (const digest of [
    '',
    IMAGE,
    `sha512:${IMAGE}`,
    `sha256:${IMAGE}:x`,
    'sha256:',
    `toString:${IMAGE}`,
    `sha256:${IMAGE.toUpperCase()}`,
  ]) {
    assert.equal(findSubject(reference, digest), undefined, digest);
  }
});

test('one of several subjects is found, and the key must cover the name of every one', () => {
  const subject = [...STATEMENT.subject, { name: 'registry.example/org/app', digest: { sha256: 'c'.repeat(64) } }];
  const reference = verifyReference(toBytes(makeEnvelope({ ...STATEMENT, subject })), TRUST, CONTEXT);
  assert.equal(findSubject(reference, `sha256:${'c'.repeat(64)}`)?.name, 'registry.example/org/app');
  const foreign = [...subject, { name: 'registry.example/org/evil', digest: { sha256: 'd'.repeat(64) } }];
  assert.equal(judge(makeEnvelope({ ...STATEMENT, subject: foreign })), 'KEY_SCOPE');
});

// Attack 15: names that look like the one in the key's scope.
test('a subject outside the scope of the key is refused', () => {
  for (const name of [
    'registry.example/org/app-evil',
    'registryXexample/org/app',
    'evil/registry.example/org/app',
    '',
  ]) {
    assert.equal(
      judge(makeEnvelope({ ...STATEMENT, subject: [{ name, digest: { sha256: IMAGE } }] })),
      'KEY_SCOPE',
      name,
    );
  }
});

test('a subject without a name is only covered by a key for everything', () => {
  const envelope = makeEnvelope({ ...STATEMENT, subject: [{ digest: { sha256: IMAGE } }] });
  assert.equal(judge(envelope), 'KEY_SCOPE');
  assert.equal(judge(envelope, withKey({ scope: ['*'] })), 'ok');
});

// Attack 7: one signed thing taken for another.
test('another payload type is refused although its signature is good', () => {
  for (const payloadType of [
    'text/plain',
    'application/json',
    'application/vnd.in-toto.cyclonedx+json',
    'application/vnd.in-toto+json ',
  ]) {
    assert.equal(judge(makeEnvelope(STATEMENT, { payloadType })), 'PAYLOAD_TYPE');
  }
});

test('a payload type that was changed after signing is found by the signature', () => {
  assert.equal(
    judge({ ...makeEnvelope(STATEMENT, { payloadType: 'text/plain' }), payloadType: GOOD.payloadType }),
    'BAD_SIGNATURE',
  );
});

test('another statement type is refused, and the old one is marked', () => {
  assert.equal(judge(makeEnvelope({ ...STATEMENT, _type: 'https://in-toto.io/Statement/v2' })), 'MALFORMED');
  const { _type, ...untyped } = STATEMENT;
  assert.equal(judge(makeEnvelope(untyped)), 'MALFORMED');
  const old = makeEnvelope({ ...untyped, _type: 'https://in-toto.io/Statement/v0.1' });
  assert.equal(verifyReference(toBytes(old), TRUST, CONTEXT).statementVersion, 'v0.1');
});

test('an unknown predicate type is refused, and an SBOM under the type of another format', () => {
  const types = [
    'https://cyclonedx.org/bom/v1.3',
    'https://cyclonedx.org/bomb',
    'https://evil/https://cyclonedx.org/bom',
    'https://slsa.dev/verification_summary/v1',
  ];
  for (const predicateType of types)
    assert.equal(judge(makeEnvelope({ ...STATEMENT, predicateType })), 'PREDICATE_TYPE');
  assert.equal(judge(makeEnvelope({ ...STATEMENT, predicateType: 'https://spdx.dev/Document' })), 'PREDICATE_TYPE');
  assert.equal(judge(makeEnvelope({ ...STATEMENT, predicateType: 'https://cyclonedx.org/bom/v1.6' })), 'ok');
});

test('a key of another role is refused although its signature is good', () => {
  for (const role of ['provenance', 'result']) assert.equal(judge(GOOD, withKey({ role })), 'KEY_ROLE');
});

test('each way in which a key does not count has its own reason', () => {
  assert.equal(judge(GOOD, makeTrust([])), 'KEY_UNKNOWN');
  assert.equal(judge(GOOD, withKey({ id: 'other' })), 'KEY_UNKNOWN');
  assert.equal(judge(GOOD, withKey({ environment: 'staging' })), 'KEY_ENVIRONMENT');
  assert.equal(judge(GOOD, TRUST, { ...CONTEXT, environment: 'staging' }), 'KEY_ENVIRONMENT');
  assert.equal(judge(GOOD, withKey({ revokedAt: '2026-05-01T00:00:00Z' })), 'KEY_REVOKED');
  assert.equal(judge(GOOD, withKey({ validUntil: '2026-05-01T00:00:00Z' })), 'KEY_EXPIRED');
  assert.equal(judge(GOOD, withKey({}, { expires: '2026-05-01T00:00:00Z' })), 'TRUST_EXPIRED');
});

test('a signature by an unknown key under a known id is refused', () => {
  assert.equal(judge(makeEnvelope(STATEMENT, { key: makeP256().privateKey })), 'BAD_SIGNATURE');
});

test('a changed payload is refused', () => {
  const payload = makeEnvelope({ ...STATEMENT, predicate: { ...SBOM, version: 2 } }).payload;
  assert.equal(judge({ ...GOOD, payload }), 'BAD_SIGNATURE');
});

test('of several signatures one by a key that counts is enough, and none is not', () => {
  const [foreign] = makeEnvelope(STATEMENT, { key: makeP256().privateKey, keyid: 'foreign' }).signatures;
  assert.equal(judge({ ...GOOD, signatures: [foreign, ...GOOD.signatures] }), 'ok');
  assert.equal(judge({ ...GOOD, signatures: [foreign] }), 'KEY_UNKNOWN');
  assert.equal(judge({ ...GOOD, signatures: [] }), 'MALFORMED');
});

test('a second signer whose key counts is taken where the first one has another role', () => {
  const second = makeP256();
  const trust = makeTrust([
    describeKey(BUILDER.publicKey, { role: 'provenance' }),
    describeKey(second.publicKey, { id: 'second' }),
  ]);
  const signatures = [
    ...GOOD.signatures,
    ...makeEnvelope(STATEMENT, { key: second.privateKey, keyid: 'second' }).signatures,
  ];
  assert.equal(verifyReference(toBytes({ ...GOOD, signatures }), trust, CONTEXT).keyId, 'second');
});

test('too many signatures, and too many trials for signatures without a key, are refused', () => {
  const [signature] = GOOD.signatures;
  assert.equal(judge({ ...GOOD, signatures: Array(9).fill(signature) }), 'MALFORMED');
  const keys = Array.from({ length: 10 }, (_, i) => describeKey(makeP256().publicKey, { id: `key-${i}` }));
  assert.equal(judge({ ...GOOD, signatures: Array(8).fill({ sig: signature?.sig }) }, makeTrust(keys)), 'LIMIT');
});

test('a bundle of another version, without material, keyless or of a bare message is refused', () => {
  assert.equal(judge(makeBundle(GOOD, { mediaType: 'application/vnd.dev.sigstore.bundle.v9.9+json' })), 'MALFORMED');
  assert.equal(judge(makeBundle(GOOD, { verificationMaterial: {} })), 'MALFORMED');
  assert.equal(judge(makeBundle(GOOD, { verificationMaterial: { certificate: { rawBytes: '' } } })), 'KEY_UNKNOWN');
  assert.equal(judge(makeBundle(GOOD, { messageSignature: {} })), 'PAYLOAD_TYPE');
  assert.equal(judge(makeBundle({ ...GOOD, signatures: [...GOOD.signatures, ...GOOD.signatures] })), 'MALFORMED');
  assert.equal(judge(makeBundle(GOOD, { dsseEnvelope: undefined })), 'MALFORMED');
});

// Attack 8: parsers that read one text in two ways.
test('duplicate keys, __proto__, bad UTF-8 and lone surrogates are refused although signed', () => {
  const text = JSON.stringify(STATEMENT);
  assert.equal(
    judge(makeEnvelope(text.replace('"predicateType"', '"predicateType":"x","predicateType"'))),
    'MALFORMED',
  );
  assert.equal(
    judge(makeEnvelope(text.replace('"predicateType"', '"predicate\\u0054ype":"x","predicateType"'))),
    'MALFORMED',
  );
  assert.equal(judge(makeEnvelope(text.replace('"specVersion"', '"__proto__":{},"specVersion"'))), 'MALFORMED');
  assert.equal(judge(makeEnvelope(text.replace('"bash"', '"\\ud800"'))), 'MALFORMED');
  assert.equal(judge(makeEnvelope(`${text} x`)), 'MALFORMED');
  assert.equal(judge(makeEnvelope(text.replace('"1.6"', `${'['.repeat(80)}${']'.repeat(80)}`))), 'LIMIT');
  assert.equal(judge(JSON.stringify(GOOD).replace('"payload"', '"payload":"","payload"')), 'MALFORMED');
});

test('base64 with junk, without padding, with other letters or with loose bits is refused', () => {
  const { payload } = makeEnvelope(
    `${JSON.stringify(STATEMENT)} `.padEnd(Math.ceil(JSON.stringify(STATEMENT).length / 3) * 3 + 1),
  );
  assert.match(payload, /==$/);
  for (const changed of [
    `!!${payload}`,
    payload.replace('==', ''),
    `${payload}\n`,
    payload.replaceAll('+', '-'),
    payload.replace(/A==$|.==$/, 'h=='),
  ]) {
    if (changed !== payload) assert.equal(judge({ ...GOOD, payload: changed }), 'MALFORMED');
  }
  const [signature] = GOOD.signatures;
  assert.equal(judge({ ...GOOD, signatures: [{ ...signature, sig: `${signature?.sig}!` }] }), 'MALFORMED');
});

// Attack 12: an SBOM that says nothing, or allows everything.
test('an empty SBOM, one without components and one without packages are refused', () => {
  assert.equal(judge(makeEnvelope({ ...STATEMENT, predicate: {} })), 'SBOM_INSUFFICIENT');
  assert.equal(judge(makeEnvelope({ ...STATEMENT, predicate: { ...SBOM, components: [] } })), 'SBOM_INSUFFICIENT');
  const files = [{ type: 'file', name: '/etc/passwd' }];
  assert.equal(judge(makeEnvelope({ ...STATEMENT, predicate: { ...SBOM, components: files } })), 'SBOM_INSUFFICIENT');
  const { predicate: _, ...bare } = STATEMENT;
  assert.equal(judge(makeEnvelope(bare)), 'SBOM_INSUFFICIENT');
});

test('an SBOM that says of itself that it is not complete vouches for nothing', () => {
  const judgeAs = (aggregate: string) => {
    const metadata = { component: { type: 'container', 'bom-ref': 'subject', name: 'app' } };
    const compositions = [{ aggregate, assemblies: ['subject'] }];
    return judge(makeEnvelope({ ...STATEMENT, predicate: { ...SBOM, metadata, compositions } }));
  };
  for (const aggregate of ['incomplete', 'incomplete_third_party_only']) {
    assert.equal(judgeAs(aggregate), 'SBOM_INSUFFICIENT');
  }
  for (const aggregate of ['complete', 'unknown', 'not_specified']) assert.equal(judgeAs(aggregate), 'ok');
});

test('a statement without subjects or without a digest is refused', () => {
  for (const subject of [
    [],
    [{ name: 'x' }],
    [{ name: 'x', digest: {} }],
    [{ name: 'x', digest: { gitCommit: 'ab' } }],
    [{ name: 'x', digest: { sha256: 'AB' } }],
    'x',
  ]) {
    assert.equal(judge(makeEnvelope({ ...STATEMENT, subject })), 'MALFORMED');
  }
});

test('truncated, flipped and random bytes are refused and nothing else', () => {
  const bytes = toBytes(makeBundle(GOOD));
  for (const mutated of mutate(bytes, 3)) {
    try {
      const reference = verifyReference(mutated, TRUST, CONTEXT);
      // Only bytes that are not signed may change: then the statement is still the same.
      assert.equal(reference.statementDigest, verifyReference(bytes, TRUST, CONTEXT).statementDigest);
    } catch (error) {
      assert.ok(error instanceof ReferenceRefused, String(error));
    }
  }
});
