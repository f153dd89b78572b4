import assert from 'node:assert/strict';
import { readFile, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { after, before, test } from 'node:test';
import { setTimeout as sleep } from 'node:timers/promises';
import { timestampMs } from '@bufbuild/protobuf/wkt';
import { ChannelCredentials, Client } from '@grpc/grpc-js';
import { type AgentConfig, type RunningAgent, startAgent } from '@holdfast/agent';
import { AttestationStatus, callUnary, Freshness, type Result, ResultService } from '@holdfast/proto';
import { parseVerifierConfig, type RunningVerifier, startVerifier } from '@holdfast/verifier';
import { ekTemplate, openTpm } from 'tpm2-tss-node';
import { missingSwtpm, type Swtpm, startSwtpm } from '../support/swtpm.ts';
import { type AgentWorld, createAgentWorld } from './agent-world.ts';

const skip = missingSwtpm() ?? false;
const options = { skip, timeout: 60_000 };
let swtpm: Swtpm;
let world: AgentWorld;
let verifier: RunningVerifier;
let agent: RunningAgent;
let client: Client;

async function readEkName(tcti: string): Promise<string> {
  const tpm = await openTpm({ tcti });
  try {
    const { name } = await tpm.createPrimary({ hierarchy: 'endorsement', template: ekTemplate('L-1') });
    return name.toString('hex');
  } finally {
    await tpm.close();
  }
}

async function launchVerifier(listen: string): Promise<RunningVerifier> {
  const tls = await world.ca.issueFiles(join(world.directory, 'tls'), 'real-verifier', {
    commonName: 'verifier',
    roles: ['verifier'],
    hosts: ['127.0.0.1'],
  });
  const trustFile = join(world.directory, 'trust.json');
  const stateDir = join(world.directory, 'verifier');
  const logLevel = process.env['HOLDFAST_TEST_LOG'] ?? 'silent';
  return await startVerifier(parseVerifierConfig({ listen, stateDir, tls, trustFile, logLevel }));
}

async function writeTrust(ekName: string): Promise<void> {
  const trust = {
    format: 'holdfast-trust-v1',
    version: 1,
    expires: new Date(Date.now() + 86_400_000).toISOString(),
    environment: 'development',
    keys: [],
    eks: [{ kubeNode: 'worker-1', ekName }],
    ekRoots: [],
  };
  await writeFile(join(world.directory, 'trust.json'), JSON.stringify(trust));
}

function configure(): AgentConfig {
  const address = verifier.listenAddress;
  return world.configure({ tpm: { tcti: swtpm.tcti }, verifier: { address }, heartbeatMs: 400 });
}

async function readNode(): Promise<{ result: Result; lastGoodMs: number } | undefined> {
  try {
    const { result } = await callUnary(client, ResultService.method.getKubeNode, { kubeNode: 'worker-1' });
    const { kubeNodes } = await callUnary(client, ResultService.method.listKubeNodes, { pageSize: 10 });
    const lastGoodAt = kubeNodes.find(({ name }) => name === 'worker-1')?.lastGoodAt;
    return result && lastGoodAt && { result, lastGoodMs: timestampMs(lastGoodAt) };
  } catch {
    return undefined;
  }
}

/** The result after evidence that came in `afterMs` was accepted. */
async function waitForRound(afterMs: number, condition: (result: Result) => boolean = () => true): Promise<Result> {
  const end = Date.now() + 20_000;
  for (;;) {
    const node = await readNode();
    if (node !== undefined && node.lastGoodMs > afterMs && condition(node.result)) return node.result;
    if (Date.now() > end) throw new Error(`no such result: ${node?.result.findings.map(({ code }) => code).join()}`);
    await sleep(50);
  }
}

function listChainFindings({ findings }: Result): string[] {
  return findings.map(({ code }) => code).filter((code) => code.startsWith('CHAIN_'));
}

before(async () => {
  if (skip !== false) return;
  swtpm = await startSwtpm({ ekCertificates: false });
  world = await createAgentWorld();
  await writeTrust(await readEkName(swtpm.tcti));
  verifier = await launchVerifier('127.0.0.1:0');
  const files = await world.ca.issueFiles(join(world.directory, 'tls'), 'operator', {
    commonName: 'operator',
    roles: ['operator'],
  });
  const [ca, key, cert] = [await readFile(files.ca), await readFile(files.key), await readFile(files.cert)];
  client = new Client(verifier.listenAddress, ChannelCredentials.createSsl(ca, key, cert));
});

after(async () => {
  client?.close();
  await agent?.close();
  await verifier?.close();
  await world?.close();
  await swtpm?.close();
});

test('the verifier enrols the agent and says what its evidence is worth', options, async () => {
  agent = await startAgent(configure());
  const result = await waitForRound(0);
  assert.equal(result.freshness, Freshness.FRESH);
  assert.notEqual(result.status, AttestationStatus.CONTRAINDICATED);
  assert.notEqual(result.status, AttestationStatus.AFFIRMING);
  assert.deepEqual(listChainFindings(await waitForRound(Date.now())), []);
});

test('a verifier that restarts gets the chain without a gap', options, async () => {
  const { chain } = await waitForRound(0);
  const address = verifier.listenAddress;
  await verifier.close();
  await sleep(300);
  verifier = await launchVerifier(address);
  const result = await waitForRound(Date.now() + 500);
  assert.equal(result.chain, chain);
  assert.deepEqual(listChainFindings(result), []);
});

test('an agent that restarts goes on in its chain without a gap', options, async () => {
  const { chain } = await waitForRound(0);
  await agent.close();
  agent = await startAgent(configure());
  const result = await waitForRound(Date.now() + 500);
  assert.equal(result.chain, chain);
  assert.deepEqual(listChainFindings(result), []);
});

test('an agent whose state was lost enrols again and its new chain is a visible gap', options, async () => {
  const { chain } = await waitForRound(0);
  await agent.close();
  agent = await startAgent({ ...configure(), stateDir: join(world.directory, 'agent-anew') });
  const result = await waitForRound(Date.now(), (later) => later.chain !== chain);
  assert.deepEqual(listChainFindings(result), ['CHAIN_GAP']);
});
