import assert from 'node:assert/strict';
import { mkdtemp, readFile, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { after, before, test } from 'node:test';
import { timestampMs } from '@bufbuild/protobuf/wkt';
import { Client, credentials } from '@grpc/grpc-js';
import { parseAgentConfig, type RunningAgent, startAgent } from '@holdfast/agent';
import { callUnary, Freshness, type Result, ResultService } from '@holdfast/proto';
import { createDevCa, type DevCa, type TlsRole } from '@holdfast/scripts';
import { loadVerifierKeys, parseVerifierConfig, type RunningVerifier, startVerifier } from '@holdfast/verifier';
import { ekTemplate, openTpm } from 'tpm2-tss-node';
import { missingSwtpm, type Swtpm, startSwtpm } from '../support/swtpm.ts';

const skip = missingSwtpm() ?? false;
const options = { skip, timeout: 60_000 };
const HOSTS = ['127.0.0.1', 'localhost'];
const DAY_MS = 86_400_000;
let directory: string;
let ca: DevCa;
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
  agent = await startAgent(
    parseAgentConfig({
      kubeNode: 'worker-1',
      tpm: { tcti: swtpm.tcti },
      runtime: 'none',
      stateDir: join(directory, 'agent'),
      verifier: { address: first.listenAddress },
      listen: '127.0.0.1:0',
      tls: await ca.issueFiles(join(directory, 'tls'), 'agent', {
        commonName: 'agent',
        roles: ['agent'],
        hosts: HOSTS,
      }),
      heartbeatMs: 300,
      logLevel: process.env['HOLDFAST_TEST_LOG'] ?? 'silent',
    }),
  );
});

after(async () => {
  for (const client of clients) client.close();
  await agent?.close();
  await second?.close();
  await first?.close();
  await swtpm?.close();
  if (directory !== undefined) await rm(directory, { recursive: true, force: true });
});

async function launchVerifier(name: string, roles: TlsRole[], subscribeTo?: string): Promise<RunningVerifier> {
  const tls = await ca.issueFiles(join(directory, 'tls'), name, { commonName: name, roles, hosts: HOSTS });
  return await startVerifier(
    parseVerifierConfig({
      listen: '127.0.0.1:0',
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
  const client = await dial(second);
  const readLastGood = async (): Promise<number> => {
    const { kubeNodes } = await callUnary(client, ResultService.method.listKubeNodes, {});
    assert.ok(kubeNodes[0]?.lastGoodAt);
    return timestampMs(kubeNodes[0].lastGoodAt);
  };
  const before = await readLastGood();
  await new Promise((resolve) => setTimeout(resolve, 1500));
  assert.ok((await readLastGood()) > before, 'no round came after the first');
  const { findings } = await waitForResult(second, () => true);
  assert.ok(!findings.some(({ code }) => code === 'CHAIN_GAP'));
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
