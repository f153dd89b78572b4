import assert from 'node:assert/strict';
import { generateKeyPairSync } from 'node:crypto';
import { rename, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { after, before, test } from 'node:test';
import { type Client, Metadata, status } from '@grpc/grpc-js';
import {
  AttestationStatus,
  callUnary,
  Freshness,
  openServerStream,
  ReferenceService,
  type Result,
  ResultService,
  RoundOutcome,
  type WatchResultsResponse,
} from '@holdfast/proto';
import { createClaimsContent, MANIFEST } from '../support/claims-fixture.ts';
import { SoftwareAttester } from '../support/software-attester.ts';
import { AttestStream, enrolSoftware } from '../support/verifier-client.ts';
import {
  createTrustKey,
  createVerifierWorld,
  type DialledClient,
  KUBE_NODE,
  signSbom,
  type VerifierWorld,
} from '../support/verifier-world.ts';

const OTHER_MANIFEST = `sha256:${'9'.repeat(64)}`;
const DAY_MS = 86_400_000;
let world: VerifierWorld;
let agent: DialledClient;
let operator: Client;
let builder: Client;
let attester: SoftwareAttester;
let stream: AttestStream;
let nonce: string;

before(async () => {
  world = await createVerifierWorld({ staleAfterMs: 1000 });
  agent = await world.dial('agent', ['agent']);
  operator = (await world.dial('operator', ['operator'])).client;
  builder = (await world.dial('builder', ['builder'])).client;
  await enrolSoftware(agent, world.tpm, KUBE_NODE);
  attester = new SoftwareAttester(world.tpm, KUBE_NODE, agent.spkiSha256);
  stream = new AttestStream(agent);
  ({ nonce } = await stream.open(world.tpm, KUBE_NODE));
});
after(async () => await world.close());

async function attest(): Promise<void> {
  const round = attester.makeRound(nonce, createClaimsContent(KUBE_NODE, [{ id: 'c1' }]));
  const receipt = await stream.send(round);
  assert.equal(receipt.outcome, RoundOutcome.APPRAISED, receipt.detail);
  attester.advance(round);
  nonce = receipt.next?.nonce ?? '';
}

async function readResult(): Promise<Result> {
  const { result } = await callUnary(operator, ResultService.method.getKubeNode, { kubeNode: KUBE_NODE });
  assert.ok(result);
  return result;
}

/** Waits for a result of which this is true. */
async function waitForResult(isIt: (result: Result) => boolean): Promise<Result> {
  const end = Date.now() + 15_000;
  for (;;) {
    const result = await readResult();
    if (isIt(result)) return result;
    assert.ok(Date.now() < end, `still ${JSON.stringify(result.containers)}`);
    await new Promise((resolve) => setTimeout(resolve, 50));
  }
}

const hasFinding = (result: Result, code: string) =>
  result.containers.some(({ findings }) => findings.some((finding) => finding.code === code));
const isAffirming = (result: Result) => result.containers[0]?.status === AttestationStatus.AFFIRMING;

async function assertStatus(call: Promise<unknown>, code: status, details: RegExp): Promise<void> {
  await assert.rejects(call, (error: unknown) => {
    assert.ok(error instanceof Error && 'code' in error && 'details' in error);
    assert.equal(error.code, code);
    assert.match(String(error.details), details);
    return true;
  });
}

test('a kube node is listed before its first result, and has none', async () => {
  const { kubeNodes } = await callUnary(operator, ResultService.method.listKubeNodes, {});
  assert.deepEqual(
    kubeNodes.map(({ name, freshness, status: tier }) => [name, freshness, tier]),
    [[KUBE_NODE, Freshness.NEVER, AttestationStatus.NONE]],
  );
  const call = callUnary(operator, ResultService.method.getKubeNode, { kubeNode: KUBE_NODE });
  await assertStatus(call, status.NOT_FOUND, /ERR_VERIFIER_NOT_FOUND/);
});

test('an SBOM that is put later turns the standing result, and its revocation turns it back', async () => {
  await attest();
  assert.ok(hasFinding(await readResult(), 'SBOM_MISSING'));
  const envelope = Buffer.from(signSbom({ key: world.sbomKey, keyId: 'builder', manifest: MANIFEST }));
  const { reference } = await callUnary(builder, ReferenceService.method.putReference, { envelope });
  assert.equal(reference?.subjectDigest, MANIFEST);
  const affirmed = await waitForResult(isAffirming);
  assert.equal(affirmed.containers[0]?.sbomDigest, reference?.digest);

  const again = await callUnary(builder, ReferenceService.method.putReference, { envelope });
  assert.equal(again.reference?.digest, reference?.digest);
  const { references } = await callUnary(operator, ReferenceService.method.listReferences, {});
  assert.deepEqual(
    references.map(({ digest }) => digest),
    [reference?.digest],
  );

  const request = { digest: reference?.digest ?? '', reason: 'wrong build' };
  const { reference: revoked } = await callUnary(operator, ReferenceService.method.revokeReference, request);
  assert.equal(revoked?.revocationReason, 'wrong build');
  await waitForResult((result) => hasFinding(result, 'SBOM_MISSING'));
  await callUnary(builder, ReferenceService.method.putReference, { envelope });
  assert.ok(hasFinding(await readResult(), 'SBOM_MISSING'), 'a revoked reference does not come back');
});

test('an SBOM by an unknown key, of another image, or that is none, changes nothing', async () => {
  const { privateKey } = generateKeyPairSync('ec', { namedCurve: 'P-256' });
  const forged = signSbom({ key: privateKey, keyId: 'builder', manifest: MANIFEST });
  const unknown = signSbom({ key: privateKey, keyId: 'nobody', manifest: MANIFEST });
  const put = (text: string) =>
    callUnary(builder, ReferenceService.method.putReference, { envelope: Buffer.from(text) });
  await assertStatus(put(forged), status.INVALID_ARGUMENT, /ERR_VERIFIER_REFERENCE_SIGNATURE/);
  await assertStatus(put(unknown), status.PERMISSION_DENIED, /ERR_VERIFIER_REFERENCE_KEY/);
  await assertStatus(put('{}'), status.INVALID_ARGUMENT, /ERR_VERIFIER_REFERENCE/);
  await put(signSbom({ key: world.sbomKey, keyId: 'builder', manifest: OTHER_MANIFEST }));
  await attest();
  assert.ok(hasFinding(await readResult(), 'SBOM_MISSING'));
});

test('a file that comes into the directory of references later counts, a damaged one once it is whole', async () => {
  const text = signSbom({ key: world.sbomKey, keyId: 'late', manifest: MANIFEST });
  const path = join(world.directory, 'references', 'late.json');
  await writeFile(path, text.slice(0, 100));
  await new Promise((resolve) => setTimeout(resolve, 1500));
  await writeFile(`${path}.part`, text);
  await rename(`${path}.part`, path);
  const { publicKey } = generateKeyPairSync('ec', { namedCurve: 'P-256' });
  await new Promise((resolve) => setTimeout(resolve, 1500));
  assert.ok(hasFinding(await readResult(), 'SBOM_MISSING'), 'nobody trusts that key id yet');
  await world.writeTrust({
    keys: [createTrustKey('late', world.sbomPublicKey), createTrustKey('other', publicKey)],
  });
  await waitForResult(isAffirming);
});

test('a key that is revoked in the trust file turns the standing result', async () => {
  const revokedAt = new Date(Date.now() - DAY_MS / 2).toISOString();
  await world.writeTrust({ keys: [createTrustKey('late', world.sbomPublicKey, { revokedAt })] });
  await waitForResult((result) => hasFinding(result, 'SBOM_MISSING'));
});

test('a damaged or older trust file is not taken', async () => {
  await writeFile(join(world.directory, 'trust.json'), '{');
  await new Promise((resolve) => setTimeout(resolve, 1500));
  await attest();
  assert.equal((await readResult()).freshness, Freshness.FRESH);
});

test('those who watch get the current results, each new one, and hear of silence', async () => {
  const call = openServerStream(operator, ResultService.method.watchResults, { kubeNode: KUBE_NODE });
  const watched: AsyncIterator<WatchResultsResponse> = call[Symbol.asyncIterator]();
  call.on('error', () => undefined);
  const next = async (): Promise<Result> => {
    const { value } = await watched.next();
    assert.ok(value?.result);
    return value.result;
  };
  const first = await next();
  assert.equal(first.kubeNode, KUBE_NODE);
  let result = first;
  while (result.freshness !== Freshness.STALE) result = await next();
  assert.equal(result.status, first.status, 'silence does not soften a verdict');
  await world.writeTrust({ keys: [createTrustKey('late', world.sbomPublicKey)] });
  while (!isAffirming(result)) result = await next();
  assert.equal(result.freshness, Freshness.STALE);
  call.cancel();
});

test('everything that is known can be explained by any of its names', async () => {
  const result = await readResult();
  const explain = (subject: string) => callUnary(operator, ResultService.method.explain, { subject });
  for (const subject of [KUBE_NODE, 'c1', MANIFEST, result.evidenceId]) {
    const { results, references } = await explain(subject);
    assert.equal(results[0]?.kubeNode, KUBE_NODE, subject);
    assert.ok(
      references.some(({ subjectDigest }) => subjectDigest === MANIFEST),
      subject,
    );
  }
  await assertStatus(explain('nothing'), status.NOT_FOUND, /ERR_VERIFIER_NOT_FOUND/);
});

test('every call needs its role, and a missing method is unimplemented', async () => {
  const auditor = (await world.dial('auditor', ['auditor'])).client;
  const nobody = (await world.dial('nobody', [])).client;
  const { putReference, revokeReference, listReferences, listPolicies } = ReferenceService.method;
  const denied = [
    () => callUnary(nobody, ResultService.method.listKubeNodes, {}),
    () => callUnary(agent.client, ResultService.method.listKubeNodes, {}),
    () => callUnary(auditor, putReference, {}),
    () => callUnary(operator, putReference, {}),
    () => callUnary(builder, revokeReference, {}),
    () => callUnary(agent.client, listReferences, {}),
  ];
  for (const call of denied) await assertStatus(call(), status.PERMISSION_DENIED, /ERR_VERIFIER_ROLE/);
  await assertStatus(callUnary(operator, listPolicies, {}), status.UNIMPLEMENTED, /./);
});

test('what does not parse is the fault of whoever sent it', async () => {
  const call = new Promise((resolve, reject) => {
    operator.makeUnaryRequest(
      '/holdfast.v1.ResultService/GetKubeNode',
      (bytes: Buffer) => bytes,
      (bytes: Buffer) => bytes,
      Buffer.from('ffffff', 'hex'),
      new Metadata(),
      (error, answer) => (error ? reject(error) : resolve(answer)),
    );
  });
  await assertStatus(call, status.INVALID_ARGUMENT, /ERR_VERIFIER_MESSAGE/);
});

test('the standard health service answers', async () => {
  const check = (service: string) =>
    new Promise<Buffer>((resolve, reject) => {
      operator.makeUnaryRequest(
        '/grpc.health.v1.Health/Check',
        (name: string) => Buffer.concat([Buffer.of(0x0a, name.length), Buffer.from(name)]),
        (bytes: Buffer) => bytes,
        service,
        new Metadata(),
        (error, answer) => (error || answer === undefined ? reject(error) : resolve(answer)),
      );
    });
  assert.deepEqual(await check(''), Buffer.from('0801', 'hex'));
  assert.deepEqual(await check('holdfast.v1.ResultService'), Buffer.from('0801', 'hex'));
  await assertStatus(check('nothing'), status.NOT_FOUND, /./);
});
