import assert from 'node:assert/strict';
import { createHash, randomBytes } from 'node:crypto';
import { readFile } from 'node:fs/promises';
import { join } from 'node:path';
import { after, before, test } from 'node:test';
import { create } from '@bufbuild/protobuf';
import { ChannelCredentials, Client, type ClientDuplexStream, Metadata } from '@grpc/grpc-js';
import { type RunningAgent, startAgent } from '@holdfast/agent';
import { checkNonce, parseBundle, parseToken, verifyToken } from '@holdfast/evidence';
import {
  EvidenceService,
  openBidiStream,
  openServerStream,
  parseSnapshotFile,
  type SubscribeRequest,
  SubscribeRequestSchema,
  type SubscribeResponse,
} from '@holdfast/proto';
import type { TlsRole } from '@holdfast/scripts';
import { missingSwtpm, type Swtpm, startSwtpm } from '../support/swtpm.ts';
import { AgentPeer, type AttesterStep } from './agent-peer.ts';
import { type AgentWorld, createAgentWorld } from './agent-world.ts';

const skip = missingSwtpm() ?? false;
const options = { skip, timeout: 60_000 };
let swtpm: Swtpm;
let world: AgentWorld;
let agent: RunningAgent;

before(async () => {
  if (skip !== false) return;
  swtpm = await startSwtpm({ ekCertificates: false });
  world = await createAgentWorld();
  agent = await startAgent(world.configure({ tpm: { tcti: swtpm.tcti }, listen: '127.0.0.1:0', heartbeatMs: 500 }));
  await world.peer.waitForRounds(1);
});

after(async () => {
  await agent?.close();
  await world?.close();
  await swtpm?.close();
});

async function connect(name: string, roles: TlsRole[]): Promise<Client> {
  const files = await world.ca.issueFiles(join(world.directory, 'tls'), name, { commonName: name, roles });
  const [ca, key, cert] = [await readFile(files.ca), await readFile(files.key), await readFile(files.cert)];
  const channel = { 'grpc.use_local_subchannel_pool': 1 };
  return new Client(agent.listenAddress, ChannelCredentials.createSsl(ca, key, cert), channel);
}

async function pull(client: Client, nonce: string): Promise<Buffer> {
  const chunks: Uint8Array[] = [];
  for await (const { chunk } of openServerStream(client, EvidenceService.method.getSnapshot, { nonce }))
    chunks.push(chunk);
  return Buffer.concat(chunks);
}

test('a responder pulls a snapshot that verifies by itself and leaves the chain alone', options, async () => {
  const client = await connect('responder', ['responder']);
  const nonce = randomBytes(32).toString('base64url');
  const snapshot = parseSnapshotFile(await pull(client, nonce));
  client.close();
  assert.equal(snapshot.kubeNode, 'worker-1');
  assert.equal(snapshot.nonce, nonce);
  assert.ok(world.peer.keys);
  assert.deepEqual(Buffer.from(snapshot.akPublic), Buffer.from(world.peer.keys.akPublic ?? []));
  const bundle = parseBundle(Buffer.from(snapshot.evidence?.token.value ?? ''));
  const token = verifyToken(bundle.token, world.peer.keys);
  checkNonce(token.claims, nonce);
  assert.equal(token.claims.holdfast.seq, null);
  assert.equal(token.claims.holdfast.chain, snapshot.headChain);
  assert.equal(token.claims.holdfast.prev, Buffer.from(snapshot.headEvidenceId).toString('hex'));
  const head = world.peer.rounds.find(({ token: { evidenceId } }) => evidenceId === token.claims.holdfast.prev);
  assert.equal(BigInt(head?.token.claims.holdfast.seq ?? -1), snapshot.headSeq);
  assert.deepEqual([...bundle.sets.keys()].sort(), ['boot', 'containers', 'host', 'ima', 'kernel']);
});

test('a call without its role is refused', options, async () => {
  for (const role of ['verifier', 'operator', 'agent', 'auditor', 'builder'] as const) {
    const client = await connect(`no-responder-${role}`, [role]);
    await assert.rejects(pull(client, randomBytes(32).toString('base64url')), /PERMISSION_DENIED/);
    client.close();
  }
  const client = await connect('no-verifier', ['responder']);
  const stream = openBidiStream(client, EvidenceService.method.subscribe);
  await assert.rejects(async () => {
    for await (const _ of stream) assert.fail('an answer without a role');
  }, /PERMISSION_DENIED/);
  client.close();
});

test('a peer without a certificate of the CA is not let in', options, async () => {
  const stranger = new Client(agent.listenAddress, ChannelCredentials.createSsl(Buffer.from(world.ca.certificate)), {
    'grpc.use_local_subchannel_pool': 1,
  });
  await assert.rejects(pull(stranger, randomBytes(32).toString('base64url')), /UNAVAILABLE/);
  stranger.close();
});

test('a snapshot needs a nonce of the right form', options, async () => {
  const client = await connect('responder-2', ['responder']);
  for (const nonce of ['', 'short', 'x'.repeat(89), `${'A'.repeat(42)}B`, `${'A'.repeat(42)}=`]) {
    await assert.rejects(pull(client, nonce), /INVALID_ARGUMENT/, nonce);
  }
  client.close();
});

test('a responder that asks too often is told to wait', options, async () => {
  const client = await connect('eager', ['responder']);
  const pulls = Array.from({ length: 12 }, () => pull(client, randomBytes(32).toString('base64url')));
  const results = await Promise.allSettled(pulls);
  client.close();
  assert.ok(results.some(({ status }) => status === 'fulfilled'));
  const refused = results.filter((result) => result.status === 'rejected');
  assert.ok(refused.length >= 6);
  for (const { reason } of refused) assert.match(String(reason), /RESOURCE_EXHAUSTED/);
});

test('a second verifier subscribes and gets the same evidence, fresh for itself', options, async () => {
  const client = await connect('verifier-2', ['verifier']);
  const second = new AgentPeer();
  second.keys = world.peer.keys;
  const stream: ClientDuplexStream<SubscribeRequest, SubscribeResponse> = openBidiStream(
    client,
    EvidenceService.method.subscribe,
  );
  const messages: AsyncIterator<SubscribeResponse> = stream[Symbol.asyncIterator]();
  const next = async (): Promise<AttesterStep> =>
    (await messages.next()).value?.message?.message ?? { case: undefined };
  const conversation = second
    .converse(next, (message) => stream.write(create(SubscribeRequestSchema, { message })))
    .catch(() => undefined);
  const rounds = await second.waitForRounds(3);
  stream.cancel();
  await conversation;
  client.close();
  const first = new Set(world.peer.rounds.map(({ token }) => token.evidenceId));
  assert.ok(rounds.slice(0, 2).every(({ token }) => first.has(token.evidenceId)));
  assert.ok(rounds.some(({ token, nonce }) => [token.claims.eat_nonce].flat().includes(nonce)));
});

test('the health service answers any peer of the CA', options, async () => {
  const client = await connect('anybody', ['auditor']);
  const check = (name: string) =>
    new Promise<Buffer>((resolve, reject) => {
      const request = Buffer.concat([Buffer.of(0x0a, name.length), Buffer.from(name)]);
      const same = (bytes: Buffer) => bytes;
      client.makeUnaryRequest('/grpc.health.v1.Health/Check', same, same, request, new Metadata(), (error, answer) =>
        error === null ? resolve(answer ?? Buffer.alloc(0)) : reject(error),
      );
    });
  assert.deepEqual(await check(''), Buffer.of(8, 1));
  assert.deepEqual(await check('holdfast.v1.EvidenceService'), Buffer.of(8, 1));
  await assert.rejects(check('holdfast.v1.Nothing'), /NOT_FOUND/);
  client.close();
});

test('what the verifier asks for by digest is supplied', options, async () => {
  const last = world.peer.rounds.at(-1);
  const kernel = last?.sets.get('kernel') ?? Buffer.alloc(0);
  const digest = createHash('sha256').update(kernel).digest('hex');
  const unknown = 'ab'.repeat(32);
  world.peer.needs = [digest, unknown];
  const count = world.peer.rounds.length;
  const rounds = await world.peer.waitForRounds(count + 2);
  world.peer.needs = [];
  const round = rounds.at(-1);
  assert.deepEqual(round?.blobs.get(digest), kernel);
  assert.equal(round?.blobs.has(unknown), false);
  assert.ok(parseToken(round?.token.compact ?? ''));
});
