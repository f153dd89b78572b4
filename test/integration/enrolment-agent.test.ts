import assert from 'node:assert/strict';
import { readFile, rm, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { after, before, test } from 'node:test';
import { setTimeout as sleep } from 'node:timers/promises';
import { timestampMs } from '@bufbuild/protobuf/wkt';
import { ChannelCredentials, Client } from '@grpc/grpc-js';
import { type RunningAgent, startAgent } from '@holdfast/agent';
import { callUnary, EvidenceService, openServerStream, type Result, ResultService } from '@holdfast/proto';
import {
  loadTrust,
  loadVerifierKeys,
  parseVerifierConfig,
  type RunningVerifier,
  startVerifier,
  verifySnapshot,
} from '@holdfast/verifier';
import { ekTemplate, openTpm } from 'tpm2-tss-node';
import { createEkCa } from '../support/ek-ca.ts';
import { missingSwtpm, type Swtpm, startSwtpm } from '../support/swtpm.ts';
import { type AgentWorld, createAgentWorld } from './agent-world.ts';

const skip = missingSwtpm() ?? false;
const options = { skip, timeout: 60_000 };
const HOUR_MS = 3_600_000;
let swtpm: Swtpm;
let world: AgentWorld;
let verifier: RunningVerifier;
let agent: RunningAgent | undefined;
let trust: Record<string, unknown>;
let client: Client;
let channel: ChannelCredentials;

async function readEkName(): Promise<string> {
  const tpm = await openTpm({ tcti: swtpm.tcti });
  try {
    return (await tpm.createPrimary({ hierarchy: 'endorsement', template: ekTemplate('L-1') })).name.toString('hex');
  } finally {
    await tpm.close();
  }
}

before(async () => {
  if (skip !== false) return;
  swtpm = await startSwtpm();
  world = await createAgentWorld();
  const [issuer = '', root = ''] = await swtpm.caCertificates();
  trust = {
    format: 'holdfast-trust-v1',
    version: 1,
    expires: new Date(Date.now() + 24 * HOUR_MS).toISOString(),
    environment: 'development',
    keys: [],
    eks: [{ kubeNode: 'worker-1', ekName: await readEkName(), endorsement: 'chain' }],
    ekRoots: [root],
    ekIntermediates: [issuer],
  };
  await writeFile(join(world.directory, 'trust.json'), JSON.stringify(trust));
  const identity = { commonName: 'verifier', roles: ['verifier' as const], hosts: ['127.0.0.1'] };
  verifier = await startVerifier(
    parseVerifierConfig({
      listen: '127.0.0.1:0',
      stateDir: join(world.directory, 'verifier'),
      tls: await world.ca.issueFiles(join(world.directory, 'tls'), 'real-verifier', identity),
      trustFile: join(world.directory, 'trust.json'),
      logLevel: process.env['HOLDFAST_TEST_LOG'] ?? 'silent',
    }),
  );
  const issued = await world.ca.issue({ commonName: 'op', roles: ['responder', 'operator'], hosts: [] });
  const parts = [world.ca.certificate, issued.key, issued.certificate].map((pem) => Buffer.from(pem));
  const [ca = null, key = null, certificate = null] = parts;
  channel = ChannelCredentials.createSsl(ca, key, certificate);
  client = new Client(verifier.listenAddress, channel);
});
after(async () => {
  if (skip !== false) return;
  client.close();
  await agent?.close();
  await verifier.close();
  await world.close();
  await swtpm.close();
});

const statePath = (name: string) => join(world.directory, 'agent', name);

async function runAgent(address = verifier.listenAddress): Promise<void> {
  await agent?.close();
  const settings = {
    tpm: { tcti: swtpm.tcti },
    verifier: { address },
    heartbeatMs: 300,
    keyLifetimeMs: HOUR_MS,
    listen: '127.0.0.1:0',
  };
  agent = await startAgent(world.configure(settings));
}

async function readResult(): Promise<Result | undefined> {
  const answer = await callUnary(client, ResultService.method.getKubeNode, { kubeNode: 'worker-1' }).catch(
    () => undefined,
  );
  return answer?.result;
}

/** Waits until a result is as it should be. */
async function waitFor(what: string, isRight: (result: Result) => boolean): Promise<Result> {
  for (const deadline = Date.now() + 20_000; Date.now() < deadline; await sleep(100)) {
    const result = await readResult();
    if (result !== undefined && isRight(result)) return result;
  }
  return assert.fail(`${what}: ${JSON.stringify((await readResult())?.findings.map(({ code }) => code))}`);
}

/** Waits until evidence was accepted that is younger than this call. */
async function waitForEvidence(): Promise<void> {
  const start = Date.now();
  for (; Date.now() < start + 20_000; await sleep(100)) {
    const { kubeNodes } = await callUnary(client, ResultService.method.listKubeNodes, {});
    const [node] = kubeNodes;
    if (node?.lastGoodAt !== undefined && timestampMs(node.lastGoodAt) > start) return;
  }
  assert.fail('no evidence came');
}

/** Waits until the agent made a token that no verifier has. */
async function waitForUnsent(): Promise<void> {
  for (const deadline = Date.now() + 20_000; Date.now() < deadline; await sleep(100)) {
    const last = (await readFile(statePath('chain.journal'), 'utf8')).trimEnd().split('\n').at(-1);
    if (last !== undefined && JSON.parse(last).event === 'token') return;
  }
  assert.fail('no round was made');
}

async function pullSnapshot(): Promise<Buffer> {
  const peer = new Client(agent?.listenAddress ?? '', channel);
  try {
    const nonce = Buffer.alloc(32, 7).toString('base64url');
    const chunks: Uint8Array[] = [];
    for await (const { chunk } of openServerStream(peer, EvidenceService.method.getSnapshot, { nonce }))
      chunks.push(chunk);
    return Buffer.concat(chunks);
  } finally {
    peer.close();
  }
}

const has = (result: Result, code: string) => result.findings.some((finding) => finding.code === code);

async function readEnrolment(): Promise<Record<string, unknown>> {
  return JSON.parse(await readFile(statePath('enrolment.json'), 'utf8'));
}

async function age(file: string, field: string, ms: number): Promise<void> {
  const fields = JSON.parse(await readFile(statePath(file), 'utf8'));
  await writeFile(statePath(file), JSON.stringify({ ...fields, [field]: fields[field] - ms }));
}

test('an agent whose TPM has a certificate of its maker is endorsed by its chain', options, async () => {
  await runAgent();
  const result = await waitFor('a first result', () => true);
  assert.ok(!has(result, 'EK_NOT_ENDORSED'));
});

test('a snapshot brings the chain along, and offline it counts as the trust file says', options, async () => {
  const snapshot = await pullSnapshot();
  const { published } = await loadVerifierKeys(join(world.directory, 'verifier'), 'holdfast-verifier');
  const [validFrom, validUntil] = [-1, 1].map((sign) => new Date(Date.now() + sign * HOUR_MS).toISOString());
  const terms = { environment: 'development', scope: ['*'], validFrom, validUntil };
  const keys = published.map((key) => ({ ...key, ...terms }));
  const verify = async (changes: Record<string, unknown>) => {
    const file = loadTrust(Buffer.from(JSON.stringify({ ...trust, keys, ...changes })));
    return (await verifySnapshot(snapshot, { trust: file, references: [], now: Date.now() })).result;
  };
  assert.ok(!has(await verify({}), 'EK_NOT_ENDORSED'));
  const other = [createEkCa('Other').certificate];
  await assert.rejects(verify({ ekRoots: other }), { code: 'ERR_VERIFIER_EK_REVOKED' });
  const eks = [{ kubeNode: 'worker-1', ekName: await readEkName() }];
  assert.ok(has(await verify({ ekRoots: other, eks }), 'EK_NOT_ENDORSED'));
});

test(
  'old keys are rotated at a renewal; what no verifier had is sent, nothing is lost, no incident is left',
  options,
  async () => {
    // Nobody listens there: a round is made all the same, by the keys that are about to be replaced.
    await runAgent('127.0.0.1:1');
    await waitForUnsent();
    await agent?.close();
    const before = await readResult();
    const { kid } = await readEnrolment();
    await age('enrolment.json', 'enrolledAtMs', 30 * HOUR_MS);
    await age('keys.json', 'createdAtMs', 2 * HOUR_MS);
    await runAgent();
    await waitForEvidence();
    await waitForEvidence();
    const after = await waitFor('a result', () => true);
    assert.notEqual((await readEnrolment())['kid'], kid);
    assert.equal(after.chain, before?.chain);
    for (const code of ['AK_REPLACED', 'CHAIN_GAP', 'EVIDENCE_LOST', 'EK_NOT_ENDORSED'])
      assert.ok(!has(after, code), code);
    await assert.rejects(readFile(statePath('keys.next.json')), { code: 'ENOENT' });
  },
);

test('an agent that lost its keys is told of until an operator acknowledges it', options, async () => {
  await agent?.close();
  for (const name of ['keys.json', 'enrolment.json']) await rm(statePath(name));
  await runAgent();
  await waitFor('a replaced AK', (result) => has(result, 'AK_REPLACED'));
  const request = { kubeNode: 'worker-1', code: 'AK_REPLACED', reason: 'the disk was lost' };
  const { incident } = await callUnary(client, ResultService.method.acknowledgeIncident, request);
  assert.equal(incident?.code, 'AK_REPLACED');
  assert.equal(incident?.count, 1);
  await waitFor('no replaced AK', (result) => !has(result, 'AK_REPLACED'));
  await assert.rejects(callUnary(client, ResultService.method.acknowledgeIncident, request), /ERR_VERIFIER_NOT_FOUND/);
});

test('an agent that was removed enrols again by itself while its EK is pinned', options, async () => {
  const before = await waitFor('a result', () => true);
  await callUnary(client, ResultService.method.removeKubeNode, { kubeNode: 'worker-1', reason: 'moved' });
  const after = await waitFor('a result after the removal', ({ appraisedAt }) => (appraisedAt?.seconds ?? 0n) > 0n);
  assert.equal(after.ueid, before.ueid);
  await waitForEvidence();
});
