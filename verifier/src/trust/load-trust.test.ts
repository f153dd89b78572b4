import assert from 'node:assert/strict';
import { test } from 'node:test';
import { certifyAuthority, makeAuthority } from '../enrolment/ek-chain.fixture.ts';
import { VerifierError } from '../verifier-error.ts';
import { checkTrustSuccessor, loadTrust } from './load-trust.ts';
import { describeKey, describeTrust, makeP256, makeRsa, makeTrust, mutate, toPem } from './trust.fixture.ts';

const key = makeP256();
const other = makeP256();
const EK_NAME = `000b${'ab'.repeat(32)}`;
const maker = makeAuthority('CN=Maker');

const toPemCertificate = (der: Buffer) =>
  `-----BEGIN CERTIFICATE-----\n${der.toString('base64')}\n-----END CERTIFICATE-----`;

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
  assert.deepEqual(trust.eks, [{ kubeNode: 'node-1', ekName: EK_NAME, machine: [EK_NAME] }]);
  const [loaded] = trust.keys;
  assert.equal(loaded?.algorithm, 'ES256');
  assert.deepEqual(loaded?.scope, ['org/app', 'org/*']);
  assert.equal(loaded?.revokedAtMs, Date.parse('2026-03-01T00:00:00Z'));
  assert.match(loaded?.spkiSha256 ?? '', /^[0-9a-f]{64}$/);
});

test('a pinned endorsement key may leave the kube node open', () => {
  assert.deepEqual(makeTrust([], { eks: [{ kubeNode: null, ekName: EK_NAME }] }).eks, [
    { kubeNode: null, ekName: EK_NAME, machine: [EK_NAME] },
  ]);
});

test('a row may hold several endorsement keys of one machine, and say what must vouch for them', () => {
  const other = `000c${'cd'.repeat(48)}`;
  const root = toPemCertificate(certifyAuthority(maker, maker));
  const row = { kubeNode: 'node-1', ekNames: [EK_NAME, other], endorsement: 'chain' };
  const { eks } = makeTrust([], { eks: [row], ekRoots: [root] });
  const machine = [EK_NAME, other];
  assert.deepEqual(eks, [
    { kubeNode: 'node-1', ekName: EK_NAME, machine, endorsement: 'chain' },
    { kubeNode: 'node-1', ekName: other, machine, endorsement: 'chain' },
  ]);
  refuses(describeTrust([], { eks: [row] }), /ekRoots is empty/);
  refuses(describeTrust([], { eks: [{ ...row, endorsement: 'both' }], ekRoots: [root] }), /endorsement/);
  refuses(describeTrust([], { eks: [{ ...row, ekName: EK_NAME }] }), /either ekName or ekNames/);
  refuses(describeTrust([], { eks: [{ kubeNode: null, ekNames: [] }] }), /empty/);
  refuses(describeTrust([], { eks: [{ kubeNode: null, ekNames: Array(9).fill(EK_NAME) }] }), /more than 8/);
  refuses(describeTrust([], { eks: [{ kubeNode: null, ekNames: [EK_NAME, EK_NAME] }] }), /twice/);
});

test('makers and their intermediates come one by one or as bundles', () => {
  const pem = toPemCertificate(certifyAuthority(maker, maker));
  const trust = makeTrust([], { ekRoots: [pem], ekIntermediates: [`# of a maker\n${pem}\n${pem}`, pem] });
  assert.equal(trust.ekRoots.length, 1);
  assert.equal(trust.ekIntermediates.length, 3);
  assert.deepEqual(makeTrust([]).ekIntermediates, []);
  refuses(describeTrust([], { ekIntermediates: ['nothing'] }), /certificate/);
  refuses(describeTrust([], { ekRoots: [pem.replace('MII', 'AAA').replace('MIH', 'AAA')] }), /cannot be read/);
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
