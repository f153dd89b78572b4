import assert from 'node:assert/strict';
import { after, before, test } from 'node:test';
import { Client, credentials } from '@grpc/grpc-js';
import { RoundOutcome } from '@holdfast/proto';
import type { DevCa } from '@holdfast/scripts';
import { createClaimsContent } from '../support/claims-fixture.ts';
import { SoftwareAttester } from '../support/software-attester.ts';
import { SoftwareTpm } from '../support/software-tpm.ts';
import { AttestStream, enrolSoftware } from '../support/verifier-client.ts';
import { createVerifierWorld, type DialledClient, type VerifierWorld } from '../support/verifier-world.ts';

/** More than the streams of one peer by default. */
const NODES = 24;
const DEFAULT_STREAMS = 16;
const JUNK = { token: { case: 'jwt' as const, value: 'e30.e30.e30' }, blobs: [] };

interface Node extends DialledClient {
  readonly name: string;
  readonly tpm: SoftwareTpm;
}

let world: VerifierWorld;
let issued: Awaited<ReturnType<DevCa['issue']>>;
const nodes: Node[] = [];
const open: AttestStream[] = [];

/** Another connection with the one certificate, as each node of a cluster has one. */
function dial(): DialledClient {
  const [ca, key, certificate] = [world.ca.certificate, issued.key, issued.certificate].map((pem) => Buffer.from(pem));
  const channel = credentials.createSsl(ca, key, certificate);
  const client = new Client(world.verifier.listenAddress, channel, { 'grpc.use_local_subchannel_pool': 1 });
  return { client, spkiSha256: issued.spkiSha256 };
}

before(async () => {
  world = await createVerifierWorld({ maxMessagesPerSecond: 50 });
  issued = await world.ca.issue({ commonName: 'agents', roles: ['agent'], hosts: [] });
  const machines = Array.from({ length: NODES }, (_, index) => ({ name: `node-${index}`, tpm: new SoftwareTpm() }));
  await world.writeTrust({
    eks: machines.map(({ name, tpm }) => ({ kubeNode: name, ekName: tpm.ek.name.toString('hex') })),
  });
  await world.restart();
  nodes.push(...machines.map((machine) => ({ ...machine, ...dial() })));
});
after(async () => {
  for (const stream of open) stream.close();
  for (const { client } of nodes) client.close();
  await world.close();
});

const nodeAt = (index: number): Node => nodes[index] ?? assert.fail();

/** Holds a conversation until the test ends. */
async function converse({ name, tpm, client, spkiSha256 }: Node) {
  const stream = new AttestStream({ client, spkiSha256 });
  open.push(stream);
  const { nonce } = await stream.open(tpm, name);
  return { stream, nonce };
}

test('agents that share a certificate enrol and attest side by side, more than one peer has streams', async () => {
  await Promise.all(nodes.map((node) => enrolSoftware(node, node.tpm, node.name)));
  const held = await Promise.all(nodes.map(async (node) => ({ node, ...(await converse(node)) })));
  const receipts = await Promise.all(
    held.map(async ({ node, stream, nonce }) => {
      const attester = new SoftwareAttester(node.tpm, node.name, issued.spkiSha256);
      return await stream.send(attester.makeRound(nonce, createClaimsContent(node.name, [])));
    }),
  );
  assert.equal(receipts.length, NODES);
  for (const { outcome, detail } of receipts) assert.equal(outcome, RoundOutcome.APPRAISED, detail);
});

test('one node has no more streams than a peer, and takes none of the others', async () => {
  for (let count = 1; count < DEFAULT_STREAMS; count += 1) await converse(nodeAt(0));
  await assert.rejects(converse(nodeAt(0)), /ERR_VERIFIER_LIMIT/);
  await converse(nodeAt(1));
});

test('who is not enrolled gets no place of its own, whatever it calls itself', async () => {
  const running = await converse(nodeAt(4));
  const { client, spkiSha256 } = dial();
  const stranger = { name: 'node-0', client, spkiSha256 };
  try {
    await assert.rejects(converse({ ...stranger, tpm: new SoftwareTpm() }), /ERR_VERIFIER_NOT_ENROLLED/);
    // Streams that say nothing count for the key until they run into their time.
    for (let count = 0; count < DEFAULT_STREAMS; count += 1) open.push(new AttestStream({ client, spkiSha256 }));
    await assert.rejects(converse({ ...stranger, tpm: new SoftwareTpm() }), /ERR_VERIFIER_LIMIT/);
    const receipt = await running.stream.sendEvidence(JUNK);
    assert.equal(receipt.outcome, RoundOutcome.REFUSED, 'those that are identified go on');
  } finally {
    for (const stream of open.splice(-DEFAULT_STREAMS)) stream.close();
    client.close();
  }
});

test('a node that sends too much is refused alone', async () => {
  const { stream } = await converse(nodeAt(2));
  await assert.rejects(async () => {
    for (let count = 0; count < 2_000; count += 1) await stream.sendEvidence(JUNK);
  }, /ERR_VERIFIER_RATE/);
  await converse(nodeAt(3));
});
