import assert from 'node:assert/strict';
import { createHash } from 'node:crypto';
import { appendFile, mkdir, readFile, writeFile } from 'node:fs/promises';
import { dirname, join } from 'node:path';
import { after, before, test } from 'node:test';
import { setTimeout as sleep } from 'node:timers/promises';
import { timestampMs } from '@bufbuild/protobuf/wkt';
import { ChannelCredentials, Client } from '@grpc/grpc-js';
import { type RunningAgent, startAgent } from '@holdfast/agent';
import { parseImaList } from '@holdfast/evidence';
import { callUnary, type Result, ResultService } from '@holdfast/proto';
import { parseVerifierConfig, type RunningVerifier, startVerifier } from '@holdfast/verifier';
import { ekTemplate, openTpm, type Tpm } from 'tpm2-tss-node';
import { listImaEnds, splitEventLog } from '../support/measured-machine.ts';
import { missingSwtpm, type Swtpm, startSwtpm } from '../support/swtpm.ts';
import { type AgentWorld, createAgentWorld } from './agent-world.ts';

const EVENT_LOG = 'sys/kernel/security/tpm0/binary_bios_measurements';
const IMA_LIST = 'sys/kernel/security/ima/binary_runtime_measurements';
const EV_NO_ACTION = 3;
const boot = join(import.meta.dirname, '../vectors/measured-boot/plain-uki');
const skip = missingSwtpm() ?? false;
const options = { skip, timeout: 60_000 };

let swtpm: Swtpm;
let tpm: Tpm;
let world: AgentWorld;
let verifier: RunningVerifier;
let agent: RunningAgent;
let client: Client;
let hostRoot: string;
let list: Buffer;
let ends: number[];

const entries = (from: number, to: number) => list.subarray(ends[from], ends[to]);

/** TPML_DIGEST_VALUES with one SHA-256 digest. */
async function extend(pcr: number, digest: Buffer): Promise<void> {
  await tpm.pcrExtend(pcr, Buffer.concat([Buffer.from('00000001000b', 'hex'), digest]));
}

async function measure(from: number, to: number): Promise<void> {
  for (const { hashed } of parseImaList(entries(from, to))) {
    await extend(10, createHash('sha256').update(hashed).digest());
  }
}

async function writeHostFile(path: string, content: Buffer | string): Promise<void> {
  const file = join(hostRoot, path);
  await mkdir(dirname(file), { recursive: true });
  await writeFile(file, content);
}

async function readResult(): Promise<Result | undefined> {
  try {
    return (await callUnary(client, ResultService.method.getKubeNode, { kubeNode: 'worker-1' })).result;
  } catch {
    return undefined;
  }
}

async function readLastGoodMs(): Promise<number> {
  const { kubeNodes } = await callUnary(client, ResultService.method.listKubeNodes, { pageSize: 10 });
  const lastGoodAt = kubeNodes.find(({ name }) => name === 'worker-1')?.lastGoodAt;
  return lastGoodAt === undefined ? 0 : timestampMs(lastGoodAt);
}

async function waitFor(condition: (result: Result) => boolean): Promise<Result> {
  const end = Date.now() + 20_000;
  for (;;) {
    const result = await readResult();
    if (result !== undefined && condition(result)) return result;
    if (Date.now() > end) throw new Error(`no such result: ${result?.findings.map(({ code }) => code).join()}`);
    await sleep(50);
  }
}

const codesOf = ({ findings }: Result) => findings.map(({ code }) => code);

before(async () => {
  if (skip !== false) return;
  swtpm = await startSwtpm({ ekCertificates: false });
  world = await createAgentWorld();
  hostRoot = join(world.directory, 'host');
  list = await readFile(join(boot, 'ima_quote'));
  ends = listImaEnds(list);
  const log = await readFile(join(boot, 'binary_bios_measurements'));
  await writeHostFile(EVENT_LOG, log);
  await writeHostFile(IMA_LIST, entries(0, 60));
  await writeHostFile('proc/version', 'Linux version 6.1.0\n');
  await writeHostFile('proc/cmdline', await readFile(join(boot, 'cmdline')));
  tpm = await openTpm({ tcti: swtpm.tcti });
  for (const { pcr, type, digest } of splitEventLog(log).events) if (type !== EV_NO_ACTION) await extend(pcr, digest);
  await measure(0, 47);
  const { object, name } = await tpm.createPrimary({ hierarchy: 'endorsement', template: ekTemplate('L-1') });
  await tpm.flush(object);
  await tpm.close();
  await launch(name.toString('hex'));
});

async function launch(ekName: string): Promise<void> {
  const trustFile = join(world.directory, 'trust.json');
  const trust = {
    format: 'holdfast-trust-v1',
    version: 1,
    expires: new Date(Date.now() + 86_400_000).toISOString(),
    environment: 'development',
    keys: [],
    eks: [{ kubeNode: 'worker-1', ekName }],
    ekRoots: [],
  };
  await writeFile(trustFile, JSON.stringify(trust));
  const issue = async (name: string, roles: ('verifier' | 'operator')[]) =>
    await world.ca.issueFiles(join(world.directory, 'tls'), name, { commonName: name, roles, hosts: ['127.0.0.1'] });
  const tls = await issue('real-verifier', ['verifier']);
  const stateDir = join(world.directory, 'verifier');
  verifier = await startVerifier(
    parseVerifierConfig({ listen: '127.0.0.1:0', stateDir, tls, trustFile, logLevel: 'silent' }),
  );
  const files = await issue('operator', ['operator']);
  const [ca, key, cert] = [await readFile(files.ca), await readFile(files.key), await readFile(files.cert)];
  client = new Client(verifier.listenAddress, ChannelCredentials.createSsl(ca, key, cert));
  const settings = { tpm: { tcti: swtpm.tcti }, verifier: { address: verifier.listenAddress }, heartbeatMs: 400 };
  agent = await startAgent(world.configure({ ...settings, hostRoot }));
}

after(async () => {
  client?.close();
  await agent?.close();
  await verifier?.close();
  await world?.close();
  await swtpm?.close();
});

test('a measured machine rests on boot log and IMA list, and goes on as the list grows', options, async () => {
  const result = await waitFor(({ base }) => base === 'boot+ima');
  assert.ok(codesOf(result).includes('SECURE_BOOT_OFF'));
  assert.ok(!codesOf(result).some((code) => /MISMATCH|FORGED|MISSING|UNEXPLAINED/.test(code)), codesOf(result).join());
  await appendFile(join(hostRoot, IMA_LIST), entries(60, 115));
  tpm = await openTpm({ tcti: swtpm.tcti });
  await measure(47, 90);
  await tpm.close();
  // An unchanged result is not signed again, so that only the time of the last good evidence moves.
  const measuredMs = Date.now();
  while ((await readLastGoodMs()) < measuredMs + 400) await sleep(50);
  const later = await readResult();
  assert.ok(later);
  assert.equal(later.base, 'boot+ima', codesOf(later).join());
});

test('an entry that was measured and is in no list is found', options, async () => {
  tpm = await openTpm({ tcti: swtpm.tcti });
  await extend(10, Buffer.alloc(32, 7));
  await tpm.close();
  const result = await waitFor((next) => codesOf(next).includes('IMA_LOG_MISMATCH'));
  assert.equal(result.base, 'boot');
});

test('a boot PCR that was extended later is found', options, async () => {
  tpm = await openTpm({ tcti: swtpm.tcti });
  await extend(4, Buffer.alloc(32, 7));
  await tpm.close();
  const result = await waitFor((next) => codesOf(next).includes('BOOT_LOG_MISMATCH'));
  assert.equal(result.base, 'tpm');
});
