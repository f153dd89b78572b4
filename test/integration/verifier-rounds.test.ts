import assert from 'node:assert/strict';
import { createHash } from 'node:crypto';
import { after, before, test } from 'node:test';
import {
  AttestationStatus,
  callUnary,
  Freshness,
  openServerStream,
  type Result,
  ResultService,
  RoundOutcome,
} from '@holdfast/proto';
import {
  BASE_PACKAGES,
  createClaimsContent,
  createInventory,
  createPackage,
  MANIFEST,
} from '../support/claims-fixture.ts';
import { createBareEvidence, SoftwareAttester } from '../support/software-attester.ts';
import { AttestStream, enrolSoftware } from '../support/verifier-client.ts';
import { createVerifierWorld, type DialledClient, KUBE_NODE, type VerifierWorld } from '../support/verifier-world.ts';

let world: VerifierWorld;
let agent: DialledClient;
let responder: DialledClient;

before(async () => {
  world = await createVerifierWorld();
  await world.writeSbom('app');
  await world.restart();
  agent = await world.dial('agent', ['agent']);
  responder = await world.dial('responder', ['responder']);
  await enrolSoftware(agent, world.tpm, KUBE_NODE);
});
after(async () => await world.close());

async function readResult(): Promise<Result> {
  const { result } = await callUnary(responder.client, ResultService.method.getKubeNode, { kubeNode: KUBE_NODE });
  assert.ok(result);
  return result;
}

const codes = (list: readonly { code: string }[]) => list.map(({ code }) => code).toSorted();

test('an enrolled attester is appraised, and the next round needs nothing but its token', async () => {
  const attester = new SoftwareAttester(world.tpm, KUBE_NODE, agent.spkiSha256);
  const stream = new AttestStream(agent);
  const { nonce } = await stream.open(world.tpm, KUBE_NODE);
  const content = createClaimsContent(KUBE_NODE, [{ id: 'c1' }, { id: 'c2' }]);
  const first = attester.makeRound(nonce, content);
  const receipt = await stream.send(first);
  assert.equal(receipt.detail, '');
  assert.equal(receipt.outcome, RoundOutcome.APPRAISED);
  assert.equal(receipt.status, AttestationStatus.WARNING);
  assert.equal(Buffer.from(receipt.evidenceId).toString('hex'), first.evidenceId);
  attester.advance(first);

  const result = await readResult();
  assert.equal(result.status, AttestationStatus.WARNING);
  assert.equal(result.freshness, Freshness.FRESH);
  assert.equal(result.base, 'tpm');
  assert.deepEqual(codes(result.findings), [
    'BOOT_LOG_MISSING',
    'CONTAINERS_NOT_COMPARED',
    'EK_NOT_ENDORSED',
    'IMA_INACTIVE',
    'KERNEL_BASELINE_NOTE',
    'KERNEL_BASELINE_UNKNOWN',
    'KERNEL_LOCKDOWN_NONE',
  ]);
  for (const container of result.containers) {
    assert.deepEqual(container.findings, []);
    assert.equal(container.status, AttestationStatus.AFFIRMING);
    assert.equal(container.manifestDigest, MANIFEST);
    assert.equal(container.packages, 2);
    assert.match(container.sbomDigest, /^sha256:/);
  }

  assert.ok(receipt.next);
  const second = attester.makeRound(receipt.next.nonce, content);
  const again = await stream.sendEvidence(createBareEvidence(second.token));
  assert.equal(again.outcome, RoundOutcome.APPRAISED);
  attester.advance(second);
  stream.close();

  const drifted = createClaimsContent(KUBE_NODE, [
    {
      id: 'c1',
      baseline: createInventory(BASE_PACKAGES),
      inventory: createInventory([...BASE_PACKAGES, createPackage('nmap', '7.93')]),
    },
    { id: 'c2' },
  ]);
  const later = new AttestStream(agent);
  const challenge = await later.open(world.tpm, KUBE_NODE);
  const third = attester.makeRound(challenge.nonce, drifted);
  later.say({ case: 'evidence', value: createBareEvidence(third.token) });
  for (let answer = await later.next(); answer?.case !== 'receipt'; answer = await later.next()) {
    assert.equal(answer?.case, 'need');
    const wanted = new Set(answer.value.digests.map((digest) => Buffer.from(digest).toString('hex')));
    const blobs = [...Object.values(drifted.sets), ...drifted.blobs].filter((blob) => wanted.has(sha256(blob)));
    later.say({
      case: 'supply',
      value: { evidenceId: answer.value.evidenceId, blobs: blobs.map((b) => ({ content: b })) },
    });
  }
  const turned = await readResult();
  assert.deepEqual(
    turned.containers.map(({ id, status }) => [id, status]),
    [
      ['c1', AttestationStatus.CONTRAINDICATED],
      ['c2', AttestationStatus.AFFIRMING],
    ],
  );
  const [finding] = turned.containers[0]?.findings ?? [];
  assert.equal(finding?.code, 'PACKAGE_ADDED');
  assert.equal(finding?.purl, 'pkg:deb/debian/nmap@7.93?arch=amd64');
  later.close();
});

test('results are streamed and survive a restart', async () => {
  await world.restart();
  const fresh = await world.dial('responder-2', ['responder']);
  const stream = openServerStream(fresh.client, ResultService.method.watchResults, { currentOnly: true });
  const seen: string[] = [];
  for await (const { result } of stream as AsyncIterable<{ result?: Result }>) seen.push(result?.kubeNode ?? '');
  assert.deepEqual(seen, [KUBE_NODE]);
});

function sha256(bytes: Buffer): string {
  return createHash('sha256').update(bytes).digest('hex');
}
