import assert from 'node:assert/strict';
import { mkdtemp, readFile, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { after, before, test } from 'node:test';
import { setTimeout as sleep } from 'node:timers/promises';
import { timestampMs } from '@bufbuild/protobuf/wkt';
import { Client, credentials } from '@grpc/grpc-js';
import { parseAgentConfig, type RunningAgent, startAgent } from '@holdfast/agent';
import { callUnary, Freshness, type Result, ResultService } from '@holdfast/proto';
import { createDevCa, type DevCa, type IssuedFiles, type TlsRole } from '@holdfast/scripts';
import { loadVerifierKeys, parseVerifierConfig, type RunningVerifier, startVerifier } from '@holdfast/verifier';
import { ekTemplate, openTpm } from 'tpm2-tss-node';
import { missingSwtpm, type Swtpm, startSwtpm } from '../support/swtpm.ts';

const skip = missingSwtpm() ?? false;
const options = { skip, timeout: 60_000 };
const HOSTS = ['127.0.0.1', 'localhost'];
const DAY_MS = 86_400_000;
const HOUR_MS = 3_600_000;
let directory: string;
let ca: DevCa;
let agentTls: IssuedFiles;
let swtpm: Swtpm;
let first: RunningVerifier;
let second: RunningVerifier;
let agent: RunningAgent;
const clients: Client[] = [];

before(async () => {
  if (skip !== false) return;
  directory = await mkdtemp(join(tmpdir(), 'hf-second-'));
  ca = await createDevCa();
  swtpm = await startSwtpm({ ekCertificates: false });
  await writeTrust('first', 1, []);
  first = await launchVerifier('first', ['verifier']);
  const identity = { commonName: 'agent', roles: ['agent' as const], hosts: HOSTS };
  agentTls = await ca.issueFiles(join(directory, 'tls'), 'agent', identity);
  await launchAgent('127.0.0.1:0');
});

after(async () => {
  for (const client of clients) client.close();
  await agent?.close();
  await second?.close();
  await first?.close();
  await swtpm?.close();
  if (directory !== undefined) await rm(directory, { recursive: true, force: true });
});

async function launchAgent(listen: string): Promise<void> {
  agent = await startAgent(
    parseAgentConfig({
      kubeNode: 'worker-1',
      tpm: { tcti: swtpm.tcti },
      runtime: 'none',
      stateDir: join(directory, 'agent'),
      verifier: { address: first.listenAddress },
      listen,
      tls: agentTls,
      heartbeatMs: 300,
      keyLifetimeMs: HOUR_MS,
      logLevel: process.env['HOLDFAST_TEST_LOG'] ?? 'silent',
    }),
  );
}

async function launchVerifier(
  name: string,
  roles: TlsRole[],
  subscribeTo?: string,
  listen = '127.0.0.1:0',
): Promise<RunningVerifier> {
  const tls = await ca.issueFiles(join(directory, 'tls'), name, { commonName: name, roles, hosts: HOSTS });
  return await startVerifier(
    parseVerifierConfig({
      listen,
      stateDir: join(directory, name),
      tls,
      trustFile: join(directory, `${name}.json`),
      verifierId: name,
      subscriptions: subscribeTo === undefined ? [] : [{ address: subscribeTo }],
      logLevel: process.env['HOLDFAST_TEST_LOG'] ?? 'silent',
    }),
  );
}

async function writeTrust(name: string, version: number, keys: unknown[]): Promise<void> {
  const trust = {
    format: 'holdfast-trust-v1',
    version,
    expires: new Date(Date.now() + DAY_MS).toISOString(),
    environment: 'development',
    keys,
    eks: [{ kubeNode: 'worker-1', ekName: await readEkName() }],
    ekRoots: [],
  };
  await writeFile(join(directory, `${name}.json`), JSON.stringify(trust));
}

async function readEkName(): Promise<string> {
  const tpm = await openTpm({ tcti: swtpm.tcti });
  try {
    const { name } = await tpm.createPrimary({ hierarchy: 'endorsement', template: ekTemplate('L-1') });
    return name.toString('hex');
  } finally {
    await tpm.close();
  }
}

async function dial(verifier: RunningVerifier): Promise<Client> {
  const issued = await ca.issue({ commonName: 'operator', roles: ['operator'] });
  const channel = credentials.createSsl(
    await readFile(join(directory, 'tls', 'ca.pem')),
    Buffer.from(issued.key),
    Buffer.from(issued.certificate),
  );
  const client = new Client(verifier.listenAddress, channel);
  clients.push(client);
  return client;
}

async function waitForResult(verifier: RunningVerifier, isIt: (result: Result) => boolean): Promise<Result> {
  const client = await dial(verifier);
  const end = Date.now() + 30_000;
  for (;;) {
    const request = callUnary(client, ResultService.method.getKubeNode, { kubeNode: 'worker-1' });
    const { result } = await request.catch(() => ({ result: undefined }));
    if (result !== undefined && isIt(result)) return result;
    assert.ok(Date.now() < end, 'no such result in time');
    await new Promise((resolve) => setTimeout(resolve, 100));
  }
}

/** Waits until a verifier took evidence that came later than now. */
async function waitForRound(verifier: RunningVerifier): Promise<void> {
  const client = await dial(verifier);
  const begin = Date.now();
  for (;;) {
    const { kubeNodes } = await callUnary(client, ResultService.method.listKubeNodes, {});
    const [node] = kubeNodes;
    if (node?.lastGoodAt !== undefined && timestampMs(node.lastGoodAt) > begin) return;
    assert.ok(Date.now() < begin + 20_000, 'no round came in time');
    await sleep(50);
  }
}

test('a second verifier subscribes, takes the enrolment over and gets the same evidence', options, async () => {
  await waitForResult(first, ({ freshness }) => freshness === Freshness.FRESH);
  const { published } = await loadVerifierKeys(join(directory, 'first'), 'first');
  const enrolment = published.find(({ role }) => role === 'enrolment');
  assert.ok(enrolment?.role === 'enrolment');
  const { id, role, certificate } = enrolment;
  const validity = { validFrom: new Date(Date.now() - DAY_MS), validUntil: new Date(Date.now() + DAY_MS) };
  await writeTrust('second', 1, [{ id, role, certificate, environment: 'development', scope: ['*'], ...validity }]);
  second = await launchVerifier('second', ['verifier', 'responder'], agent.listenAddress);
  const there = await waitForResult(second, ({ freshness }) => freshness === Freshness.FRESH);
  const here = await waitForResult(first, ({ chain }) => chain === there.chain);
  assert.equal(there.ueid, here.ueid);
  assert.deepEqual(
    there.findings.map(({ code }) => code),
    here.findings.map(({ code }) => code),
  );
  assert.ok(!there.findings.some(({ code }) => code === 'CHAIN_GAP'));
});

test('the second verifier follows the chain without a gap', options, async () => {
  await waitForRound(second);
  const { findings } = await waitForResult(second, () => true);
  assert.ok(!findings.some(({ code }) => code === 'CHAIN_GAP'));
});

/** Makes a file of the agent's state older than it is. */
async function age(file: string, field: string, ms: number): Promise<void> {
  const path = join(directory, 'agent', file);
  const fields = JSON.parse(await readFile(path, 'utf8'));
  await writeFile(path, JSON.stringify({ ...fields, [field]: fields[field] - ms }));
}

const readKid = async () => JSON.parse(await readFile(join(directory, 'agent', 'enrolment.json'), 'utf8')).kid;

test('the second verifier follows an ordinary rotation of keys without an incident', options, async () => {
  const before = await waitForResult(second, () => true);
  const kid = await readKid();
  const addresses = [agent.listenAddress, first.listenAddress] as const;
  await agent.close();
  await first.close();
  await age('enrolment.json', 'enrolledAtMs', 30 * HOUR_MS);
  await age('keys.json', 'createdAtMs', 2 * HOUR_MS);
  await launchAgent(addresses[0]);
  await waitForRound(second);
  // The agent is in the midst of a conversation with the second one when the first one lets it rotate.
  first = await launchVerifier('first', ['verifier'], undefined, addresses[1]);
  for (const end = Date.now() + 20_000; (await readKid()) === kid; await sleep(100)) assert.ok(Date.now() < end);
  await waitForRound(first);
  await waitForRound(second);
  const there = await waitForResult(second, () => true);
  assert.equal(there.chain, before.chain);
  const incidents = there.findings.map(({ code }) => code).filter((code) => /^(?:AK_|CHAIN_|TPM_ROLLBACK)/.test(code));
  assert.deepEqual(incidents, []);
});

test('a verifier whose trust file lacks the enrolment key takes nothing over', options, async () => {
  await writeTrust('third', 1, []);
  const third = await launchVerifier('third', ['verifier', 'responder'], agent.listenAddress);
  try {
    await new Promise((resolve) => setTimeout(resolve, 2000));
    const { kubeNodes } = await callUnary(await dial(third), ResultService.method.listKubeNodes, {});
    assert.deepEqual(kubeNodes, []);
  } finally {
    await third.close();
  }
});
