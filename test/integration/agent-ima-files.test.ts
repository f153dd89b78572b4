import assert from 'node:assert/strict';
import { createHash, generateKeyPairSync, type KeyObject } from 'node:crypto';
import { mkdir, readFile, readlink, symlink, writeFile } from 'node:fs/promises';
import { dirname, join } from 'node:path';
import { after, before, test } from 'node:test';
import { setTimeout as sleep } from 'node:timers/promises';
import { ChannelCredentials, Client } from '@grpc/grpc-js';
import { type RunningAgent, startAgent } from '@holdfast/agent';
import { type ImaClaims, type KernelClaims, parseBundle, parseClaimsSet, parseImaList } from '@holdfast/evidence';
import {
  callUnary,
  EvidenceService,
  openServerStream,
  parseSnapshotFile,
  type Result,
  ResultService,
} from '@holdfast/proto';
import {
  AGENT_PREDICATE_TYPE,
  loadTrust,
  loadVerifierKeys,
  parseVerifierConfig,
  type RunningVerifier,
  signStatement,
  startVerifier,
  verifySnapshot,
} from '@holdfast/verifier';
import { ekTemplate, openTpm } from 'tpm2-tss-node';
import { encodeImaEntry } from '../support/ima-list.ts';
import { listImaEnds, splitEventLog } from '../support/measured-machine.ts';
import { missingSwtpm, type Swtpm, startSwtpm } from '../support/swtpm.ts';
import { createTrustKey } from '../support/verifier-world.ts';
import { type AgentWorld, createAgentWorld } from './agent-world.ts';

const EV_NO_ACTION = 3;
const HOUR_MS = 3_600_000;
const CHECKOUT = join(import.meta.dirname, '../..');
const boot = join(import.meta.dirname, '../vectors/measured-boot/plain-uki');
const skip = missingSwtpm() ?? false;
const options = { skip, timeout: 60_000 };
const BPF = 'prog_type:\t15\nprog_tag:\t6deef7357e7b4530\nprog_id:\t7\n';

let swtpm: Swtpm;
let world: AgentWorld;
let verifier: RunningVerifier;
let agent: RunningAgent;
let client: Client;
let channel: ChannelCredentials;
let trust: Record<string, unknown> & { keys: object[] };
let key: KeyObject;
let snapshot: Buffer;
/** Files of this process that a build would have, by their paths in the checkout. */
const files: Record<string, string> = {};

async function hashFile(path: string): Promise<string> {
  return createHash('sha256')
    .update(await readFile(path))
    .digest('hex');
}

async function writeHostFile(path: string, content: Buffer | string): Promise<void> {
  const file = join(world.directory, 'host', path);
  await mkdir(dirname(file), { recursive: true });
  await writeFile(file, content);
}

/** What a kernel measures of this very process: its program, the script that was started, the native add-ons. */
async function listOwnFiles(): Promise<string[]> {
  const maps = await readFile('/proc/self/maps', 'latin1');
  const modules = [...maps.matchAll(/ r-xp .* (\/\S+\.node)$/gm)].map(([, path = '']) => path);
  const addons = ['tpm2-tss-node/build/Release/tpm2_tss.node', 'rootfs/build/Release/rootfs.node'];
  const known = addons.map((name) => join(CHECKOUT, 'native', name));
  return [...new Set([await readlink('/proc/self/exe'), process.argv[1] ?? '', ...modules, ...known])];
}

before(async () => {
  if (skip !== false) return;
  swtpm = await startSwtpm({ ekCertificates: false });
  world = await createAgentWorld();
  await writeHostFile('proc/version', 'Linux version 6.1.0\n');
  await writeHostFile('proc/sys/kernel/osrelease', '6.1.0\n');
  await writeHostFile('proc/cmdline', await readFile(join(boot, 'cmdline')));
  await writeHostFile('proc/modules', 'loop 40960 0 - Live 0x0\nnvidia 9 0 - Live 0x0 (POE)\n');
  await writeHostFile('lib/modules/6.1.0/modules.dep', 'kernel/drivers/block/loop.ko:\nupdates/nvidia.ko.xz:\n');
  await writeHostFile('lib/modules/6.1.0/kernel/drivers/block/loop.ko', 'not signed');
  await writeHostFile('proc/1/fdinfo/3', BPF);
  await mkdir(join(world.directory, 'host/proc/1/fd'), { recursive: true });
  await symlink('anon_inode:bpf-prog', join(world.directory, 'host/proc/1/fd/3'));
  trust = await measureMachine();
  await launch();
});

/** Boots a machine in the TPM whose IMA measured this process; gives the trust file that pins it. */
async function measureMachine(): Promise<typeof trust> {
  const log = await readFile(join(boot, 'binary_bios_measurements'));
  await writeHostFile('sys/kernel/security/tpm0/binary_bios_measurements', log);
  const recorded = await readFile(join(boot, 'ima_quote'));
  const entries: Buffer[] = [recorded.subarray(0, listImaEnds(recorded)[20])];
  for (const path of await listOwnFiles()) {
    const sha256 = await hashFile(path);
    if (path.startsWith(`${CHECKOUT}/`)) files[path.slice(CHECKOUT.length + 1)] = sha256;
    entries.push(encodeImaEntry(path, sha256));
  }
  const list = Buffer.concat(entries);
  await writeHostFile('sys/kernel/security/ima/binary_runtime_measurements', list);
  const tpm = await openTpm({ tcti: swtpm.tcti });
  const extend = async (pcr: number, digest: Buffer) =>
    await tpm.pcrExtend(pcr, Buffer.concat([Buffer.from('00000001000b', 'hex'), digest]));
  for (const { pcr, type, digest } of splitEventLog(log).events) if (type !== EV_NO_ACTION) await extend(pcr, digest);
  for (const { hashed } of parseImaList(list)) await extend(10, createHash('sha256').update(hashed).digest());
  const { object, name } = await tpm.createPrimary({ hierarchy: 'endorsement', template: ekTemplate('L-1') });
  await tpm.flush(object);
  await tpm.close();
  const pair = generateKeyPairSync('ec', { namedCurve: 'P-256' });
  key = pair.privateKey;
  return {
    format: 'holdfast-trust-v1',
    version: 1,
    expires: new Date(Date.now() + HOUR_MS).toISOString(),
    environment: 'development',
    keys: [createTrustKey('agent-builder', pair.publicKey, { role: 'agent' })],
    eks: [{ kubeNode: 'worker-1', ekName: name.toString('hex') }],
    ekRoots: [],
  };
}

async function launch(): Promise<void> {
  const trustFile = join(world.directory, 'trust.json');
  await writeFile(trustFile, JSON.stringify(trust));
  const identity = { commonName: 'verifier', roles: ['verifier' as const], hosts: ['127.0.0.1'] };
  const tls = await world.ca.issueFiles(join(world.directory, 'tls'), 'real-verifier', identity);
  const stateDir = join(world.directory, 'verifier');
  const settings = { listen: '127.0.0.1:0', stateDir, tls, trustFile, logLevel: 'silent' };
  verifier = await startVerifier(parseVerifierConfig(settings));
  const issued = await world.ca.issue({ commonName: 'op', roles: ['responder', 'operator'], hosts: [] });
  const parts = [world.ca.certificate, issued.key, issued.certificate].map((pem) => Buffer.from(pem));
  const [ca = null, private_ = null, certificate = null] = parts;
  channel = ChannelCredentials.createSsl(ca, private_, certificate);
  client = new Client(verifier.listenAddress, channel);
  const own = { tpm: { tcti: swtpm.tcti }, verifier: { address: verifier.listenAddress }, listen: '127.0.0.1:0' };
  agent = await startAgent(world.configure({ ...own, heartbeatMs: 400, hostRoot: join(world.directory, 'host') }));
}

after(async () => {
  client?.close();
  await agent?.close();
  await verifier?.close();
  await world?.close();
  await swtpm?.close();
});

async function waitForWhole(): Promise<Result> {
  for (const deadline = Date.now() + 30_000; Date.now() < deadline; await sleep(50)) {
    const answer = await callUnary(client, ResultService.method.getKubeNode, { kubeNode: 'worker-1' }).catch(
      () => null,
    );
    if (answer?.result?.base === 'boot+ima') return answer.result;
  }
  return assert.fail('no result that rests on boot and IMA');
}

async function pullSnapshot(): Promise<Buffer> {
  const peer = new Client(agent.listenAddress, channel);
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

function readSets(): { ima: ImaClaims; kernel: KernelClaims } {
  const token = parseSnapshotFile(snapshot).evidence?.token;
  const sets = token?.case === 'bundle' ? parseBundle(token.value).sets : assert.fail('a snapshot holds its claims');
  const [ima, kernel] = [sets.get('ima'), sets.get('kernel')];
  assert.ok(ima && kernel);
  return { ima: parseClaimsSet(ima, 'ima'), kernel: parseClaimsSet(kernel, 'kernel') };
}

const codesOf = ({ findings }: Result) => findings.map(({ code }) => code).filter((code) => code.startsWith('AGENT_'));

test('an agent that IMA measured says what it runs, and it is found in the list', options, async () => {
  const result = await waitForWhole();
  assert.deepEqual(codesOf(result), ['AGENT_NOT_REFERENCED']);
  snapshot = await pullSnapshot();
  const { agent: own } = readSets().ima;
  assert.ok(own);
  assert.equal(own.root, CHECKOUT);
  assert.equal(own.executable.sha256, await hashFile(process.execPath));
  assert.equal(own.main?.path, process.argv[1]);
  assert.ok(own.modules.some(({ path }) => path.endsWith('/tpm2_tss.node')));
  for (const { path, sha256 } of own.modules) assert.equal(files[path.slice(CHECKOUT.length + 1)], sha256);
});

test("the kernel claims are those of the host's root directory", options, () => {
  const { kernel } = readSets();
  assert.deepEqual(kernel.modules, [
    { name: 'loop', size: 40_960, taint: '', signature: 'none', signer: null },
    { name: 'nvidia', size: 9, taint: 'POE', signature: null, signer: null },
  ]);
  assert.deepEqual(kernel.bpf, [{ id: 7, type: 15, tag: '6deef7357e7b4530' }]);
  assert.ok(kernel.limits.includes('modules:compressed'));
  assert.ok(!kernel.limits.some((limit) => limit.startsWith('bpf:')));
});

test('offline a signed list vouches for these files, and another one convicts them', options, async () => {
  const { published } = await loadVerifierKeys(join(world.directory, 'verifier'), 'holdfast-verifier');
  const [validFrom, validUntil] = [-1, 1].map((sign) => new Date(Date.now() + sign * HOUR_MS).toISOString());
  const terms = { environment: 'development', scope: ['*'], validFrom, validUntil };
  const keys = [...trust.keys, ...published.map((each) => ({ ...each, ...terms }))];
  const file = loadTrust(Buffer.from(JSON.stringify({ ...trust, keys })));
  const verify = async (...lists: Record<string, string>[]) => {
    const references = lists.map((list, at) => ({ name: String(at), bytes: Buffer.from(signList(list)) }));
    const verified = await verifySnapshot(snapshot, { trust: file, references, now: Date.now() });
    assert.deepEqual(verified.refusedReferences, []);
    return codesOf(verified.result);
  };
  assert.deepEqual(await verify(), ['AGENT_NOT_REFERENCED']);
  // A Node of the machine's own is part of no build.
  const foreign = process.execPath.startsWith(`${CHECKOUT}/`) ? [] : ['AGENT_UNKNOWN'];
  assert.deepEqual(await verify(files), foreign);
  assert.deepEqual(await verify({ ...files, 'native/tpm2-tss-node/build/Release/tpm2_tss.node': '0'.repeat(64) }), [
    ...foreign,
    'AGENT_UNKNOWN',
  ]);
});

function signList(list: Record<string, string>): string {
  return signStatement({
    subjects: [{ name: 'holdfast-agent', digest: { sha256: '0'.repeat(64) } }],
    predicateType: AGENT_PREDICATE_TYPE,
    predicate: { version: '0.1.0', files: list },
    key,
    keyId: 'agent-builder',
  });
}
