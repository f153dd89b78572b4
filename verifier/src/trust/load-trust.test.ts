import assert from 'node:assert/strict';
import { test } from 'node:test';
import { VerifierError } from '../verifier-error.ts';
import { checkTrustSuccessor, loadTrust } from './load-trust.ts';
import { describeKey, describeTrust, makeP256, makeRsa, makeTrust, mutate, toPem } from './trust.fixture.ts';

const key = makeP256();
const other = makeP256();
const EK_NAME = `000b${'ab'.repeat(32)}`;

const load = (value: unknown) => loadTrust(Buffer.from(JSON.stringify(value)));
const isTrustError = (error: unknown) => error instanceof VerifierError && error.code === 'ERR_VERIFIER_TRUST';
const refuses = (value: unknown, message: RegExp) => {
  assert.throws(
    () => load(value),
    (error: unknown) => isTrustError(error) && message.test(String(error)),
  );
};

test('a whole trust file is read, each key with its one algorithm', () => {
  const trust = load(
    describeTrust([describeKey(key.publicKey, { scope: ['org/app', 'org/*'], revokedAt: '2026-03-01T00:00:00Z' })], {
      eks: [{ kubeNode: 'node-1', ekName: EK_NAME }],
    }),
  );
  assert.equal(trust.version, 7);
  assert.equal(trust.expiresMs, Date.parse('2026-12-31T00:00:00Z'));
  assert.deepEqual(trust.eks, [{ kubeNode: 'node-1', ekName: EK_NAME }]);
  const [loaded] = trust.keys;
  assert.equal(loaded?.algorithm, 'ES256');
  assert.deepEqual(loaded?.scope, ['org/app', 'org/*']);
  assert.equal(loaded?.revokedAtMs, Date.parse('2026-03-01T00:00:00Z'));
  assert.match(loaded?.spkiSha256 ?? '', /^[0-9a-f]{64}$/);
});

test('a pinned endorsement key may leave the kube node open', () => {
  assert.deepEqual(makeTrust([], { eks: [{ kubeNode: null, ekName: EK_NAME }] }).eks, [
    { kubeNode: null, ekName: EK_NAME },
  ]);
});

test('a duplicate key in the JSON is refused', () => {
  const text = JSON.stringify(describeTrust([])).replace('"version":7', '"version":7,"version":8');
  assert.throws(() => loadTrust(Buffer.from(text)), isTrustError);
});

for (const field of ['format', 'version', 'expires', 'environment', 'keys', 'eks', 'ekRoots']) {
  test(`a trust file without ${field} is refused`, () => {
    const { [field]: _, ...rest } = describeTrust([]);
    refuses(rest, new RegExp(field));
  });
}

for (const field of ['id', 'role', 'environment', 'scope', 'validFrom', 'validUntil']) {
  test(`a key without ${field} is refused`, () => {
    const { [field]: _, ...rest } = describeKey(key.publicKey);
    refuses(describeTrust([rest]), new RegExp(field));
  });
}

test('another format, an unknown field and a version below one are refused', () => {
  refuses(describeTrust([], { format: 'holdfast-trust-v2' }), /format/);
  refuses(describeTrust([], { extra: 1 }), /not known/);
  refuses(describeTrust([describeKey(key.publicKey, { extra: 1 })]), /not known/);
  refuses(describeTrust([], { version: 0 }), /version/);
});

test('a time that does not exist is refused', () => {
  refuses(describeTrust([], { expires: '2026-02-30T00:00:00Z' }), /RFC 3339/);
  refuses(describeTrust([], { expires: '2026-12-31' }), /RFC 3339/);
  refuses(describeTrust([], { expires: 1 }), /string/);
});

test('a key that ends before it begins is refused', () => {
  refuses(describeTrust([describeKey(key.publicKey, { validUntil: '2025-01-01T00:00:00Z' })]), /ends before/);
});

test('one id or one public key under two entries is refused', () => {
  const first = describeKey(key.publicKey);
  refuses(describeTrust([first, describeKey(other.publicKey)]), /key id twice/);
  refuses(describeTrust([first, describeKey(key.publicKey, { id: 'again', role: 'result' })]), /public key twice/);
  refuses(
    describeTrust([], {
      eks: [
        { kubeNode: 'a', ekName: EK_NAME },
        { kubeNode: 'b', ekName: EK_NAME },
      ],
    }),
    /ekName twice/,
  );
});

test('a private key, a broken key and a key that is too small are refused', () => {
  const secret = String(key.privateKey.export({ type: 'pkcs8', format: 'pem' }));
  refuses(describeTrust([describeKey(key.publicKey, { publicKey: secret })]), /no PEM public key/);
  refuses(
    describeTrust([describeKey(key.publicKey, { publicKey: toPem(key.publicKey).replace('MF', 'AA') })]),
    /cannot be read/,
  );
  refuses(describeTrust([describeKey(makeRsa(1024).publicKey)]), /2048/);
});

test('an algorithm that does not fit the key is refused', () => {
  refuses(describeTrust([describeKey(key.publicKey, { algorithm: 'RS256' })]), /does not fit/);
});

test('a key needs exactly one of publicKey and certificate, and only enrolment has a certificate', () => {
  const { publicKey: _, ...bare } = describeKey(key.publicKey);
  refuses(describeTrust([bare]), /either publicKey or certificate/);
  refuses(describeTrust([describeKey(key.publicKey, { certificate: 'x' })]), /either publicKey or certificate/);
  refuses(describeTrust([{ ...bare, certificate: '-----BEGIN CERTIFICATE-----' }]), /only role enrolment/);
  refuses(
    describeTrust([{ ...bare, role: 'enrolment', certificate: '-----BEGIN CERTIFICATE-----' }]),
    /cannot be read/,
  );
});

test('an empty scope and a scope with a wildcard inside are refused', () => {
  refuses(describeTrust([describeKey(key.publicKey, { scope: [] })]), /empty/);
  for (const scope of ['org/*/app', 'or*', '**', '*/app', 'org/app ', '']) {
    refuses(describeTrust([describeKey(key.publicKey, { scope: [scope] })]), /scope/);
  }
});

test('an EK name of another form and a root that is no certificate are refused', () => {
  for (const ekName of [
    '',
    'ab'.repeat(34),
    EK_NAME.toUpperCase(),
    `000b${'ab'.repeat(31)}`,
    `0004${'ab'.repeat(20)}`,
  ]) {
    refuses(describeTrust([], { eks: [{ kubeNode: null, ekName }] }), /ekName/);
  }
  refuses(describeTrust([], { eks: [{ ekName: EK_NAME }] }), /kubeNode/);
  refuses(describeTrust([], { ekRoots: ['nothing'] }), /certificate/);
});

test('mutated files are loaded or refused with the one error', () => {
  const good = Buffer.from(
    JSON.stringify(describeTrust([describeKey(key.publicKey)], { eks: [{ kubeNode: null, ekName: EK_NAME }] })),
  );
  for (const bytes of mutate(good, 1)) {
    try {
      loadTrust(bytes);
    } catch (error) {
      assert.ok(isTrustError(error), String(error));
    }
  }
});

test('an older trust file, or another one of the same version, does not succeed the one in use', () => {
  const current = makeTrust([]);
  checkTrustSuccessor(current, current);
  checkTrustSuccessor(current, makeTrust([], { version: 8 }));
  assert.throws(() => checkTrustSuccessor(current, makeTrust([], { version: 6 })), isTrustError);
  assert.throws(() => checkTrustSuccessor(current, makeTrust([describeKey(key.publicKey)])), isTrustError);
});
