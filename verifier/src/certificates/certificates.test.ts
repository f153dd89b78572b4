import assert from 'node:assert/strict';
import { generateKeyPairSync, type KeyObject, X509Certificate } from 'node:crypto';
import { test } from 'node:test';
import { VerifierError } from '../verifier-error.ts';
import { createAuthorityCertificate, createCertificateIssuer } from './certificate-issuer.ts';
import { createFileSigner } from './file-signer.ts';
import { addPredecessor, readPredecessors } from './predecessors.ts';
import { type KeyCertificateClaims, verifyKeyCertificates } from './verify-key-certificates.ts';

const START = Date.parse('2026-01-01T00:00:00Z');
const END = START + 86_400_000;
let serial = 0;
const randomBytes = (size: number) => {
  serial += 1;
  return Buffer.alloc(size, serial);
};
const newKey = () => generateKeyPairSync('ec', { namedCurve: 'P-256' });
const toSpki = (key: KeyObject) => key.export({ type: 'spki', format: 'der' });

async function createIssuer() {
  const { privateKey, publicKey } = newKey();
  const signer = createFileSigner(privateKey);
  const certificate = await createAuthorityCertificate({
    signer,
    randomBytes,
    publicKey: toSpki(publicKey),
    verifierId: 'v',
    nowMs: START,
  });
  return createCertificateIssuer({ signer, randomBytes, certificate });
}

async function createClaims(predecessors: Partial<Record<'ak' | 'evidence', string[]>> = {}) {
  const issuer = await createIssuer();
  const ak = generateKeyPairSync('rsa', { modulusLength: 2048 });
  const signing = newKey();
  const issue = async (purpose: 'ak' | 'evidence', key: KeyObject) =>
    await issuer.issue({
      purpose,
      ueid: 'AQ',
      kubeNode: 'worker, 1',
      predecessors: predecessors[purpose] ?? [],
      publicKey: toSpki(key),
      notBeforeMs: START,
      notAfterMs: END,
    });
  return {
    ak: await issue('ak', ak.publicKey),
    signing: await issue('evidence', signing.publicKey),
    ueid: 'AQ',
    kubeNode: 'worker, 1',
    akKey: ak.publicKey,
    signingKey: signing.publicKey,
    authorities: [new X509Certificate(issuer.certificate)],
  };
}

const refused = (error: unknown) => error instanceof VerifierError && error.code === 'ERR_VERIFIER_UNKNOWN_KEY';

test('certificates of both keys verify against their authority and tell their period', async () => {
  assert.deepEqual(verifyKeyCertificates(await createClaims()), { notBeforeMs: START, notAfterMs: END });
});

test('a certificate is refused that is of another authority, key, kube node, TPM or purpose', async () => {
  const claims = await createClaims();
  const other = await createClaims();
  const cases: Partial<KeyCertificateClaims>[] = [
    { authorities: other.authorities },
    { authorities: [] },
    { akKey: other.akKey },
    { signingKey: other.signingKey },
    { ueid: 'AR' },
    { kubeNode: 'worker-2' },
    { ak: claims.signing, akKey: claims.signingKey },
    { signing: claims.ak, signingKey: claims.akKey },
    { ak: claims.ak.subarray(0, 20) },
    { ak: new Uint8Array(0) },
  ];
  for (const change of cases) assert.throws(() => verifyKeyCertificates({ ...claims, ...change }), refused);
});

test('a rotated AK names those before it, newest first; nothing else stands in either certificate', async () => {
  const name = (digit: string) => `000b${digit.repeat(64)}`;
  const names = ['1', '2', '3', '4'].map(name);
  const claims = await createClaims({ ak: names });
  verifyKeyCertificates(claims);
  assert.deepEqual(readPredecessors(claims.ak), names);
  assert.deepEqual(readPredecessors((await createClaims()).ak), []);
  for (const wrong of [
    { evidence: [name('1')] },
    { ak: [...names, name('5')] },
    { ak: ['000b'] },
    { ak: [`${name('1')}:${name('2')}`] },
  ]) {
    const other = await createClaims(wrong);
    assert.throws(() => verifyKeyCertificates(other), refused, JSON.stringify(wrong));
  }
  assert.deepEqual(addPredecessor(name('0'), names), [name('0'), ...names.slice(0, 3)]);
});

test('an authority does not pass as a certified key', async () => {
  const claims = await createClaims();
  const [authority] = claims.authorities;
  assert.ok(authority);
  const change = { ak: authority.raw, akKey: authority.publicKey };
  assert.throws(() => verifyKeyCertificates({ ...claims, ...change }), refused);
});

test('no flipped bit of a certificate passes', async () => {
  const claims = await createClaims();
  for (let bit = 0; bit < claims.signing.length * 8; bit += 7) {
    const signing = Buffer.from(claims.signing);
    signing.writeUInt8(signing.readUInt8(bit >> 3) ^ (1 << (bit & 7)), bit >> 3);
    assert.throws(() => verifyKeyCertificates({ ...claims, signing }), refused, `bit ${bit}`);
  }
});
