import assert from 'node:assert/strict';
import { generateKeyPairSync } from 'node:crypto';
import { after, before, test } from 'node:test';
import { setTimeout as sleep } from 'node:timers/promises';
import { status } from '@grpc/grpc-js';
import { encodeAkTemplate } from '@holdfast/evidence';
import { AttestationStatus, callUnary, type Result, ResultService } from '@holdfast/proto';
import { createClaimsContent } from '../support/claims-fixture.ts';
import { certifyEk, createEkCa, EK_EXTENSIONS, type EkCertificatePlan, toDer } from '../support/ek-ca.ts';
import { SoftwareAttester } from '../support/software-attester.ts';
import { createKey, SoftwareTpm } from '../support/software-tpm.ts';
import { AttestStream, enrolSoftware } from '../support/verifier-client.ts';
import { createVerifierWorld, type DialledClient, KUBE_NODE, type VerifierWorld } from '../support/verifier-world.ts';

let world: VerifierWorld;
let agent: DialledClient;
let responder: DialledClient;

const root = createEkCa('Root');
const middle = createEkCa('Middle', root);

before(async () => {
  world = await createVerifierWorld();
});
after(async () => await world.close());

type Trust = NonNullable<Parameters<VerifierWorld['writeTrust']>[0]>;

const ekName = () => world.tpm.ek.name.toString('hex');
const certify = (plan: EkCertificatePlan = {}, issuer = middle) => certifyEk(world.tpm.ek.publicKey, issuer, plan);
const middleDer = toDer(middle.certificate);

async function configure(trust: Trust): Promise<void> {
  await world.writeTrust({ ekRoots: [root.certificate], ...trust });
  await world.restart();
  agent = await world.dial('agent', ['agent']);
  responder = await world.dial('responder', ['responder']);
}

async function enrolWith(ekCertificates: Uint8Array[]): Promise<unknown> {
  return await enrolSoftware(agent, world.tpm, KUBE_NODE, { begin: (fields) => ({ ...fields, ekCertificates }) });
}

async function assertRefused(code: string, enrolment: Promise<unknown>): Promise<void> {
  await assert.rejects(enrolment, (error: unknown) => {
    assert.ok(error instanceof Error && 'details' in error && 'code' in error, String(error));
    assert.match(String(error.details), new RegExp(`^ERR_VERIFIER_${code}: `));
    assert.equal(error.code, code.endsWith('MALFORMED') ? status.INVALID_ARGUMENT : status.PERMISSION_DENIED);
    return true;
  });
}

test('every reason why EK certificates do not count has its own code', async (t) => {
  const expired = createEkCa('Root', undefined, { days: -1 });
  const below = createEkCa('Middle', expired);
  const impostor = createEkCa('Root');
  const noCa = createEkCa('Middle', root, { extensions: ['basicConstraints=critical,CA:FALSE'] });
  const noSigning = createEkCa('Middle', root, {
    extensions: ['basicConstraints=critical,CA:TRUE', 'keyUsage=digitalSignature'],
  });
  const short = createEkCa('Short', undefined, { extensions: ['basicConstraints=critical,CA:TRUE,pathlen:0'] });
  const belowShort = createEkCa('Middle', short);
  const narrow = createEkCa('Narrow', undefined, {
    extensions: [
      'basicConstraints=critical,CA:TRUE',
      'nameConstraints=critical,permitted;dirName:only',
      '[only]',
      'O=Other',
    ],
  });
  const stranger = generateKeyPairSync('ec', { namedCurve: 'P-256' }).publicKey;
  const cases: [name: string, code: string, trust: Trust, certificates: Buffer[]][] = [
    [
      'a row that asks for a chain, and none',
      'EK_CERTIFICATE_MISSING',
      { eks: [{ kubeNode: null, ekName: ekName(), endorsement: 'chain' }] },
      [],
    ],
    ['bytes that are no DER', 'EK_CERTIFICATE_MALFORMED', {}, [Buffer.from('-----BEGIN CERTIFICATE-----')]],
    ['a certificate that is cut off', 'EK_CERTIFICATE_MALFORMED', {}, [certify().subarray(0, -1), middleDer]],
    ['a certificate of another key', 'EK_CERTIFICATE_KEY', {}, [certifyEk(stranger, middle), middleDer]],
    ['a certificate of the AK', 'EK_CERTIFICATE_KEY', {}, [certifyEk(world.tpm.ak.publicKey, middle), middleDer]],
    ['a certificate that has ended', 'EK_CERTIFICATE_EXPIRED', {}, [certify({ days: -1 }), middleDer]],
    [
      'a CA in the place of the EK',
      'EK_CERTIFICATE_CA',
      {},
      [certify({ extensions: ['basicConstraints=critical,CA:TRUE'] }), middleDer],
    ],
    [
      'a certificate for something else',
      'EK_CERTIFICATE_USAGE',
      {},
      [certify({ extensions: ['extendedKeyUsage=2.23.133.8.3'] }), middleDer],
    ],
    [
      'a certificate for signing',
      'EK_CERTIFICATE_USAGE',
      {},
      [certify({ extensions: ['keyUsage=digitalSignature'] }), middleDer],
    ],
    ['a missing intermediate', 'EK_CHAIN_ISSUER', {}, [certify()]],
    [
      'the root of another maker',
      'EK_CHAIN_ISSUER',
      { ekRoots: [createEkCa('Other').certificate] },
      [certify(), middleDer],
    ],
    ['another root of that name', 'EK_CHAIN_SIGNATURE', { ekRoots: [impostor.certificate] }, [certify(), middleDer]],
    ['a maker whom nobody knows', 'EK_CHAIN_ISSUER', {}, [certify({}, createEkCa('Unknown'))]],
    [
      'an expired root',
      'EK_CHAIN_EXPIRED',
      { ekRoots: [expired.certificate] },
      [certify({}, below), toDer(below.certificate)],
    ],
    ['an intermediate that is no CA', 'EK_CHAIN_CA', {}, [certify({}, noCa), toDer(noCa.certificate)]],
    ['an intermediate that may not sign', 'EK_CHAIN_CA', {}, [certify({}, noSigning), toDer(noSigning.certificate)]],
    [
      'a path that is too long',
      'EK_CHAIN_LENGTH',
      { ekRoots: [short.certificate] },
      [certify({}, belowShort), toDer(belowShort.certificate)],
    ],
    [
      'names that the issuer may not certify',
      'EK_CHAIN_NAMES',
      { ekRoots: [narrow.certificate] },
      [certify({}, narrow)],
    ],
    [
      'a critical extension that is not known',
      'EK_CHAIN_CRITICAL',
      {},
      [certify({ extensions: [...EK_EXTENSIONS, '1.3.6.1.4.1.99999.1=critical,DER:0500'] }), middleDer],
    ],
    ['a signature with SHA-1', 'EK_CHAIN_ALGORITHM', {}, [certify({ digest: 'sha1' }), middleDer]],
  ];
  for (const [name, code, trust, certificates] of cases) {
    await t.test(`${name} is refused with ${code}`, async () => {
      await configure(trust);
      await assertRefused(code, enrolWith(certificates));
    });
  }
});

test('another EK of an enrolled machine is refused until the first one is removed', async () => {
  const other = new SoftwareTpm();
  await configure({ eks: [{ kubeNode: null, ekNames: [ekName(), other.ek.name.toString('hex')] }] });
  await enrolSoftware(agent, world.tpm, KUBE_NODE);
  await assertRefused('EK_OTHER_MACHINE', enrolSoftware(agent, other, 'worker-2'));
  const operator = await world.dial('operator', ['operator']);
  const removal = { kubeNode: KUBE_NODE, reason: 'a test' };
  await callUnary(operator.client, ResultService.method.removeKubeNode, removal);
  await enrolSoftware(agent, other, 'worker-2');
  await assertRefused('EK_OTHER_MACHINE', enrolSoftware(agent, world.tpm, KUBE_NODE));
  await callUnary(operator.client, ResultService.method.removeKubeNode, { ...removal, kubeNode: 'worker-2' });
});

test('a new AK for which another one vouches is refused', async () => {
  await configure({});
  await enrolSoftware(agent, world.tpm, KUBE_NODE);
  const { ak } = world.tpm;
  const strange = createKey(encodeAkTemplate());
  world.tpm.ak = createKey(encodeAkTemplate());
  const rotateBy = (signer: typeof ak, over?: Buffer) =>
    enrolSoftware(agent, world.tpm, KUBE_NODE, {
      keys: (fields, nonce) => {
        const { attest, signature } = world.tpm.certifyKey(world.tpm.ak, over ?? nonce, signer);
        return { ...fields, rotationAttest: attest, rotationSignature: signature };
      },
    });
  await assertRefused('ROTATION', rotateBy(strange));
  await assertRefused('ROTATION', rotateBy(ak, Buffer.alloc(32)));
  await assertRefused('ROTATION', rotateBy(world.tpm.ak));
  await rotateBy(ak);
  const { kubeNodes } = await callUnary(responder.client, ResultService.method.listKubeNodes, {});
  assert.equal(kubeNodes.length, 1);
});

async function attest(attester: SoftwareAttester): Promise<Result> {
  const stream = new AttestStream(agent);
  const { nonce } = await stream.open(world.tpm, KUBE_NODE);
  const round = attester.makeRound(nonce, createClaimsContent(KUBE_NODE, []), {
    holdfast: { tls: agent.spkiSha256 },
  });
  const receipt = await stream.send(round);
  assert.equal(receipt.code, '', receipt.detail);
  attester.advance(round);
  stream.close();
  const { result } = await callUnary(responder.client, ResultService.method.getKubeNode, { kubeNode: KUBE_NODE });
  return result ?? assert.fail('no result');
}

const codes = (result: Result) => result.findings.map(({ code }) => code);

test('a chain takes the finding away for as long as its root stands in the trust file', async () => {
  await configure({});
  await enrolWith([certify(), middleDer]);
  const attester = new SoftwareAttester(world.tpm, KUBE_NODE, agent.spkiSha256);
  assert.ok(!codes(await attest(attester)).includes('EK_NOT_ENDORSED'));
  await configure({ ekRoots: [] });
  assert.ok(codes(await attest(attester)).includes('EK_NOT_ENDORSED'));
  await configure({});
  assert.ok(!codes(await attest(attester)).includes('EK_NOT_ENDORSED'));
  await configure({ eks: [{ kubeNode: null, ekName: ekName(), endorsement: 'pin' }] });
  assert.ok(codes(await attest(attester)).includes('EK_NOT_ENDORSED'));
});

test('a row that asks for a chain refuses evidence once its root is gone', async () => {
  const eks: Trust['eks'] = [{ kubeNode: null, ekName: ekName(), endorsement: 'chain' }];
  await configure({ eks });
  await enrolWith([certify(), middleDer]);
  const attester = new SoftwareAttester(world.tpm, KUBE_NODE, agent.spkiSha256);
  await attest(attester);
  await world.writeTrust({ eks, ekRoots: [createEkCa('Other').certificate] });
  const deadline = Date.now() + 10_000;
  for (;;) {
    const { result } = await callUnary(responder.client, ResultService.method.getKubeNode, { kubeNode: KUBE_NODE });
    if (result !== undefined && codes(result).includes('EK_WITHDRAWN')) {
      assert.equal(result.status, AttestationStatus.CONTRAINDICATED);
      break;
    }
    assert.ok(Date.now() < deadline, 'the trust file is read again');
    await sleep(100);
  }
  await assert.rejects(attest(attester), /ERR_VERIFIER_EK_REVOKED/);
});

test('without roots, or for a row that goes by the pin, certificates are not looked at', async () => {
  await configure({ ekRoots: [] });
  await enrolWith([Buffer.from('anything')]);
  await configure({ eks: [{ kubeNode: null, ekName: ekName(), endorsement: 'pin' }] });
  await enrolWith([Buffer.from('anything')]);
});

test('an intermediate may come from the operator', async () => {
  await configure({ ekIntermediates: [middle.certificate] });
  await enrolWith([certify()]);
});
