import assert from 'node:assert/strict';
import { X509Certificate } from 'node:crypto';
import { after, before, test } from 'node:test';
import { status } from '@grpc/grpc-js';
import { encodeAkTemplate, encodeSigningTemplate, parsePublic, publicToKeyObject } from '@holdfast/evidence';
import { callUnary, ResultService } from '@holdfast/proto';
import { verifyKeyCertificates } from '@holdfast/verifier';
import { createKey, SoftwareTpm } from '../support/software-tpm.ts';
import { type EnrolmentChanges, enrolSoftware } from '../support/verifier-client.ts';
import { createVerifierWorld, type DialledClient, KUBE_NODE, type VerifierWorld } from '../support/verifier-world.ts';

let world: VerifierWorld;
let agent: DialledClient;

before(async () => {
  world = await createVerifierWorld();
  agent = await world.dial('agent', ['agent']);
});
after(async () => await world.close());

async function assertRefused(code: string, grpcStatus: number, enrolment: Promise<unknown>): Promise<void> {
  await assert.rejects(enrolment, (error: unknown) => {
    assert.ok(error instanceof Error && 'details' in error && 'code' in error, String(error));
    assert.match(String(error.details), new RegExp(`^${code}: `));
    assert.equal(error.code, grpcStatus);
    return true;
  });
}

/** A template with some of its attribute bits turned; they stand in bytes 4 to 7 of a TPMT_PUBLIC. */
function turnAttributes(template: Buffer, mask: number): Buffer {
  const changed = Buffer.from(template);
  changed.writeUInt32BE((changed.readUInt32BE(4) ^ mask) >>> 0, 4);
  return changed;
}

const FIXED_TPM = 1 << 1;
const FIXED_PARENT = 1 << 4;
const SENSITIVE_ORIGIN = 1 << 5;
const RESTRICTED = 1 << 16;
const DECRYPT = 1 << 17;

/** An enrolment in which the TPM really holds such an AK. */
async function enrolWithAk(mask: number): Promise<unknown> {
  const { ak } = world.tpm;
  world.tpm.ak = createKey(turnAttributes(encodeAkTemplate(), mask));
  return await enrolSoftware(agent, world.tpm, KUBE_NODE).finally(() => {
    world.tpm.ak = ak;
  });
}

async function enrolWithSigningKey(mask: number): Promise<unknown> {
  const { signing } = world.tpm;
  world.tpm.signing = createKey(turnAttributes(encodeSigningTemplate(), mask));
  return await enrolSoftware(agent, world.tpm, KUBE_NODE).finally(() => {
    world.tpm.signing = signing;
  });
}

const enrol = async (changes: EnrolmentChanges) => await enrolSoftware(agent, world.tpm, KUBE_NODE, changes);
const { PERMISSION_DENIED, INVALID_ARGUMENT, FAILED_PRECONDITION } = status;

test('every reason for refusing an enrolment has its own code', async (t) => {
  const cases: [name: string, code: string, grpcStatus: number, run: () => Promise<unknown>][] = [
    [
      'an EK that nobody pinned',
      'ERR_VERIFIER_EK_UNKNOWN',
      PERMISSION_DENIED,
      () => enrolSoftware(agent, new SoftwareTpm(), KUBE_NODE),
    ],
    [
      'an EK pinned for another name',
      'ERR_VERIFIER_EK_OTHER_NAME',
      PERMISSION_DENIED,
      () => enrolSoftware(agent, world.tpm, 'worker-2'),
    ],
    [
      'a name of another form',
      'ERR_VERIFIER_ENROL_NAME',
      INVALID_ARGUMENT,
      () => enrolSoftware(agent, world.tpm, '../x'),
    ],
    [
      'an EK that does not parse',
      'ERR_VERIFIER_EK_MALFORMED',
      INVALID_ARGUMENT,
      () => enrol({ begin: (fields) => ({ ...fields, ekPublic: fields.ekPublic.subarray(0, 40) }) }),
    ],
    [
      'an EK that is too long',
      'ERR_VERIFIER_EK_MALFORMED',
      INVALID_ARGUMENT,
      () => enrol({ begin: (fields) => ({ ...fields, ekPublic: Buffer.alloc(2000) }) }),
    ],
    [
      'an AK in the place of the EK',
      'ERR_VERIFIER_EK_ATTRIBUTES',
      PERMISSION_DENIED,
      () => enrol({ begin: (fields) => ({ ...fields, ekPublic: world.tpm.ak.public }) }),
    ],
    [
      'too many EK certificates',
      'ERR_VERIFIER_ENROL_LIMIT',
      INVALID_ARGUMENT,
      () => enrol({ begin: (fields) => ({ ...fields, ekCertificates: Array(9).fill(Buffer.alloc(1)) }) }),
    ],
    ['steps out of order', 'ERR_VERIFIER_ENROL_ORDER', FAILED_PRECONDITION, () => enrol({ skipKeys: true })],
    [
      'a TLS key of somebody else',
      'ERR_VERIFIER_ENROL_TLS_KEY',
      PERMISSION_DENIED,
      () => enrol({ keys: (fields) => ({ ...fields, tlsSpkiSha256: Buffer.alloc(32) }) }),
    ],
    [
      'an AK that does not parse',
      'ERR_VERIFIER_AK_MALFORMED',
      INVALID_ARGUMENT,
      () => enrol({ keys: (fields) => ({ ...fields, akPublic: Buffer.alloc(0) }) }),
    ],
    ['an AK that is not restricted', 'ERR_VERIFIER_AK_ATTRIBUTES', PERMISSION_DENIED, () => enrolWithAk(RESTRICTED)],
    [
      'an AK that is not fixed to its TPM',
      'ERR_VERIFIER_AK_ATTRIBUTES',
      PERMISSION_DENIED,
      () => enrolWithAk(FIXED_TPM),
    ],
    ['an AK not fixed to its parent', 'ERR_VERIFIER_AK_ATTRIBUTES', PERMISSION_DENIED, () => enrolWithAk(FIXED_PARENT)],
    ['an AK that was imported', 'ERR_VERIFIER_AK_ATTRIBUTES', PERMISSION_DENIED, () => enrolWithAk(SENSITIVE_ORIGIN)],
    ['an AK that decrypts', 'ERR_VERIFIER_AK_ATTRIBUTES', PERMISSION_DENIED, () => enrolWithAk(DECRYPT)],
    [
      'a signing key that does not parse',
      'ERR_VERIFIER_SIGNING_KEY_MALFORMED',
      INVALID_ARGUMENT,
      () => enrol({ keys: (fields) => ({ ...fields, signingPublic: Buffer.alloc(10) }) }),
    ],
    [
      'a signing key that is not fixed to its TPM',
      'ERR_VERIFIER_SIGNING_KEY_ATTRIBUTES',
      PERMISSION_DENIED,
      () => enrolWithSigningKey(FIXED_TPM),
    ],
    [
      'a signing key that was imported',
      'ERR_VERIFIER_SIGNING_KEY_ATTRIBUTES',
      PERMISSION_DENIED,
      () => enrolWithSigningKey(SENSITIVE_ORIGIN),
    ],
    [
      'the AK as signing key',
      'ERR_VERIFIER_SIGNING_KEY_ATTRIBUTES',
      PERMISSION_DENIED,
      () => enrol({ keys: (fields) => ({ ...fields, signingPublic: world.tpm.ak.public }) }),
    ],
    [
      'a certification over another nonce',
      'ERR_VERIFIER_CERTIFY',
      PERMISSION_DENIED,
      () => enrol({ keys: (fields) => withCertify(fields, world.tpm.certify(Buffer.alloc(32))) }),
    ],
    [
      'a certification by another AK',
      'ERR_VERIFIER_CERTIFY',
      PERMISSION_DENIED,
      () =>
        enrol({
          keys: (fields, nonce) => withCertify(fields, world.tpm.certify(nonce, createKey(encodeAkTemplate()))),
        }),
    ],
    [
      'a certification of another key',
      'ERR_VERIFIER_CERTIFY',
      PERMISSION_DENIED,
      () => enrol({ keys: (fields) => ({ ...fields, signingPublic: createKey(encodeSigningTemplate()).public }) }),
    ],
    [
      'a quote in the place of the certification',
      'ERR_VERIFIER_CERTIFY',
      PERMISSION_DENIED,
      () => enrol({ keys: (fields, nonce) => withCertify(fields, world.tpm.quoteBoth(nonce)[0]) }),
    ],
    [
      'a certification of another TPM',
      'ERR_VERIFIER_CERTIFY',
      PERMISSION_DENIED,
      () => enrol({ keys: (fields, nonce) => ({ ...fields, ...offerOf(new SoftwareTpm(), nonce) }) }),
    ],
    [
      'a certification that is too long',
      'ERR_VERIFIER_CERTIFY',
      PERMISSION_DENIED,
      () => enrol({ keys: (fields) => ({ ...fields, certifyAttest: Buffer.alloc(4096) }) }),
    ],
    [
      'a wrong proof',
      'ERR_VERIFIER_PROOF',
      PERMISSION_DENIED,
      () => enrol({ proof: (hmac) => Buffer.from(hmac.map((byte) => byte ^ 1)) }),
    ],
    ['a short proof', 'ERR_VERIFIER_PROOF', PERMISSION_DENIED, () => enrol({ proof: () => Buffer.alloc(0) })],
  ];
  for (const [name, code, grpcStatus, run] of cases) {
    await t.test(`${name} is refused with ${code}`, async () => await assertRefused(code, grpcStatus, run()));
  }
  await t.test('none of them left anything behind', async () => {
    const stranger = await world.dial('operator', ['operator']);
    const { kubeNodes } = await callUnary(stranger.client, ResultService.method.listKubeNodes, {});
    assert.deepEqual(kubeNodes, []);
  });
});

test('only the role agent may enrol', async () => {
  const operator = await world.dial('operator', ['operator']);
  const enrolment = enrolSoftware(operator, world.tpm, KUBE_NODE);
  await assertRefused('ERR_VERIFIER_ROLE', PERMISSION_DENIED, enrolment);
});

test('a pinned EK enrols and gets certificates for both keys, and again', async () => {
  const enrolled = await enrolSoftware(agent, world.tpm, KUBE_NODE);
  const [ak, signing, issuer] = enrolled.certificates;
  assert.ok(ak && signing && issuer);
  assert.equal(enrolled.kid, world.tpm.kid);
  const { notBeforeMs, notAfterMs } = verifyKeyCertificates({
    ak,
    signing,
    ueid: world.tpm.ueid,
    kubeNode: KUBE_NODE,
    akKey: publicToKeyObject(parsePublic(world.tpm.ak.public)),
    signingKey: publicToKeyObject(parsePublic(world.tpm.signing.public)),
    authorities: [new X509Certificate(issuer)],
  });
  assert.ok(notBeforeMs < Date.now() && notAfterMs <= Date.now() + 24 * 3_600_000);
  assert.equal((await enrolSoftware(agent, world.tpm, KUBE_NODE)).kid, world.tpm.kid);
});

test('another EK under an enrolled name is refused, even when it is pinned', async () => {
  const other = new SoftwareTpm();
  const eks = [world.tpm, other].map(({ ek }) => ({ kubeNode: null, ekName: ek.name.toString('hex') }));
  await world.writeTrust({ eks });
  await world.restart();
  const dialled = await world.dial('agent-2', ['agent']);
  await assertRefused('ERR_VERIFIER_NAME_OTHER_EK', PERMISSION_DENIED, enrolSoftware(dialled, other, KUBE_NODE));
  await assertRefused('ERR_VERIFIER_EK_OTHER_NAME', PERMISSION_DENIED, enrolSoftware(dialled, world.tpm, 'worker-2'));
});

test('nobody enrols by an expired trust file', async () => {
  await world.writeTrust({ expires: new Date(Date.now() - 1000).toISOString() });
  await world.restart();
  const dialled = await world.dial('agent-3', ['agent']);
  await assertRefused('ERR_VERIFIER_TRUST', status.UNAVAILABLE, enrolSoftware(dialled, world.tpm, KUBE_NODE));
});

function withCertify<T>(fields: T, certified: { attest: Buffer; signature: Buffer } | undefined) {
  assert.ok(certified);
  return { ...fields, certifyAttest: certified.attest, certifySignature: certified.signature };
}

function offerOf(tpm: SoftwareTpm, nonce: Buffer) {
  const { attest, signature } = tpm.certify(nonce);
  return {
    akPublic: tpm.ak.public,
    signingPublic: tpm.signing.public,
    certifyAttest: attest,
    certifySignature: signature,
  };
}
