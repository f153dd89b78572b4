import assert from 'node:assert/strict';
import { createHash, generateKeyPairSync, randomBytes } from 'node:crypto';
import { mkdir, readFile, writeFile } from 'node:fs/promises';
import { dirname, join } from 'node:path';
import { after, before, test } from 'node:test';
import { setTimeout as sleep } from 'node:timers/promises';
import { ChannelCredentials, Client } from '@grpc/grpc-js';
import { type RunningAgent, startAgent } from '@holdfast/agent';
import { BOOT_PREDICATE_TYPE, type BootReference } from '@holdfast/evidence';
import { callUnary, EvidenceService, openServerStream, type Result, ResultService } from '@holdfast/proto';
import {
  loadTrust,
  loadVerifierKeys,
  parseVerifierConfig,
  type RunningVerifier,
  signStatement,
  startVerifier,
  verifySnapshot,
} from '@holdfast/verifier';
import { ekTemplate, openTpm, type Tpm } from 'tpm2-tss-node';
import { splitEventLog } from '../support/measured-machine.ts';
import { missingSwtpm, type Swtpm, startSwtpm } from '../support/swtpm.ts';
import { type AgentWorld, createAgentWorld } from './agent-world.ts';

const EVENT_LOG = 'sys/kernel/security/tpm0/binary_bios_measurements';
const USERSPACE_LOG = 'run/log/systemd/tpm2-measure.log';
const EV_NO_ACTION = 3;
const HOUR_MS = 3_600_000;
const boot = join(import.meta.dirname, '../vectors/measured-boot/plain-uki');
const skip = missingSwtpm() ?? false;
const options = { skip, timeout: 60_000 };

let swtpm: Swtpm;
let world: AgentWorld;
let verifier: RunningVerifier;
let agent: RunningAgent;
let client: Client;
let channel: ChannelCredentials;
let hostRoot: string;
let trust: { keys: object[] };
/** What systemd would have logged by now. */
let log = '';

async function withTpm(use: (tpm: Tpm) => Promise<void>): Promise<void> {
  const tpm = await openTpm({ tcti: swtpm.tcti });
  try {
    await use(tpm);
  } finally {
    await tpm.close();
  }
}

/** TPML_DIGEST_VALUES with one SHA-256 digest. */
async function extend(tpm: Tpm, pcr: number, digest: Buffer): Promise<void> {
  await tpm.pcrExtend(pcr, Buffer.concat([Buffer.from('00000001000b', 'hex'), digest]));
}

/** Extends a PCR by a text, and gives the record of it as systemd 255 writes it. */
async function measure(pcr: number, text: string): Promise<string> {
  const digest = createHash('sha256').update(text).digest();
  await withTpm(async (tpm) => await extend(tpm, pcr, digest));
  const content = {
    eventType: 'phase',
    bootId: '0'.repeat(32),
    timestamp: Math.round(performance.now()),
    string: text,
  };
  const digests = [{ hashAlg: 'sha256', digest: digest.toString('hex') }];
  return `\x1e${JSON.stringify({ pcr, digests, content_type: 'systemd', content })}\n`;
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

async function waitFor(condition: (result: Result) => boolean): Promise<Result> {
  const end = Date.now() + 20_000;
  for (;;) {
    const result = await readResult();
    if (result !== undefined && condition(result)) return result;
    if (Date.now() > end) throw new Error(`no such result: ${result?.findings.map(({ code }) => code).join()}`);
    await sleep(50);
  }
}

const find = ({ findings }: Result, code: string) => findings.find((finding) => finding.code === code)?.actual;
const textsOf = (wanted: string) => (result: Result) => find(result, 'BOOT_PHASES_LOGGED') === wanted;

before(async () => {
  if (skip !== false) return;
  swtpm = await startSwtpm({ ekCertificates: false });
  world = await createAgentWorld();
  hostRoot = join(world.directory, 'host');
  const eventLog = await readFile(join(boot, 'binary_bios_measurements'));
  await writeHostFile(EVENT_LOG, eventLog);
  await writeHostFile('proc/version', 'Linux version 6.1.0\n');
  await writeHostFile('proc/cmdline', await readFile(join(boot, 'cmdline')));
  let ekName = '';
  await withTpm(async (tpm) => {
    const { events } = splitEventLog(eventLog);
    for (const { pcr, type, digest } of events) if (type !== EV_NO_ACTION) await extend(tpm, pcr, digest);
    const { object, name } = await tpm.createPrimary({ hierarchy: 'endorsement', template: ekTemplate('L-1') });
    await tpm.flush(object);
    ekName = name.toString('hex');
  });
  // No log yet: as a systemd of before version 255 would leave it.
  log += await measure(11, 'enter-initrd');
  log += await measure(11, 'leave-initrd');
  await launch(ekName);
});

async function pullSnapshot(): Promise<Buffer> {
  const nonce = randomBytes(32).toString('base64url');
  const peer = new Client(agent.listenAddress, channel);
  try {
    const chunks: Uint8Array[] = [];
    for await (const { chunk } of openServerStream(peer, EvidenceService.method.getSnapshot, { nonce }))
      chunks.push(chunk);
    return Buffer.concat(chunks);
  } finally {
    peer.close();
  }
}

async function launch(ekName: string): Promise<void> {
  const trustFile = join(world.directory, 'trust.json');
  const made = {
    format: 'holdfast-trust-v1',
    version: 1,
    expires: new Date(Date.now() + 86_400_000).toISOString(),
    environment: 'development',
    keys: [],
    eks: [{ kubeNode: 'worker-1', ekName }],
    ekRoots: [],
  };
  trust = made;
  await writeFile(trustFile, JSON.stringify(trust));
  const issue = async (name: string, roles: ('verifier' | 'operator' | 'responder')[]) =>
    await world.ca.issueFiles(join(world.directory, 'tls'), name, { commonName: name, roles, hosts: ['127.0.0.1'] });
  const tls = await issue('real-verifier', ['verifier']);
  const stateDir = join(world.directory, 'verifier');
  const settings = { listen: '127.0.0.1:0', stateDir, tls, trustFile, logLevel: 'silent' };
  verifier = await startVerifier(parseVerifierConfig(settings));
  const files = await issue('operator', ['operator', 'responder']);
  const [ca, key, cert] = [await readFile(files.ca), await readFile(files.key), await readFile(files.cert)];
  channel = ChannelCredentials.createSsl(ca, key, cert);
  client = new Client(verifier.listenAddress, channel);
  const agentSettings = {
    tpm: { tcti: swtpm.tcti },
    verifier: { address: verifier.listenAddress },
    heartbeatMs: 400,
    listen: '127.0.0.1:0',
  };
  agent = await startAgent(world.configure({ ...agentSettings, hostRoot }));
}

after(async () => {
  client?.close();
  await agent?.close();
  await verifier?.close();
  await world?.close();
  await swtpm?.close();
});

test('phases that no log tells of are taken for those of systemd, and said to be', options, async () => {
  const result = await waitFor(({ base }) => base === 'boot');
  assert.equal(find(result, 'BOOT_PHASES_ASSUMED'), 'enter-initrd, leave-initrd');
});

test('a log explains phases and the machine, as far as the quote has them', options, async () => {
  log += await measure(15, 'machine-id:0123456789abcdef0123456789abcdef');
  await writeHostFile(USERSPACE_LOG, log);
  const result = await waitFor(textsOf('enter-initrd, leave-initrd, machine-id in PCR 15'));
  assert.equal(result.base, 'boot');
  assert.equal(find(result, 'BOOT_PHASES_ASSUMED'), undefined);
});

test('a log that is ahead of the TPM counts up to the quote, and a growing one goes on', options, async () => {
  const record = `\x1e${JSON.stringify({ pcr: 11, digests: [{ hashAlg: 'sha256', digest: 'ab'.repeat(32) }], content: {} })}`;
  log += await measure(11, 'sysinit');
  await writeHostFile(USERSPACE_LOG, `${log}${record}\n`);
  const result = await waitFor(textsOf('enter-initrd, leave-initrd, machine-id in PCR 15, sysinit'));
  assert.equal(result.base, 'boot');
});

test('a snapshot has the log, and offline its boot is compared with signed references', options, async () => {
  const snapshot = await pullSnapshot();
  const { privateKey, publicKey } = generateKeyPairSync('ec', { namedCurve: 'P-256' });
  const { published } = await loadVerifierKeys(join(world.directory, 'verifier'), 'holdfast-verifier');
  const [validFrom, validUntil] = [-1, 1].map((sign) => new Date(Date.now() + sign * HOUR_MS).toISOString());
  const terms = { environment: 'development', scope: ['*'], validFrom, validUntil };
  const signer = { id: 'boots', role: 'boot', publicKey: publicKey.export({ type: 'spki', format: 'pem' }) };
  const keys = [...published, signer].map((key) => ({ ...key, ...terms }));
  const file = loadTrust(Buffer.from(JSON.stringify({ ...trust, keys })));
  const verify = async (...references: BootReference[]) => {
    const inputs = references.map((predicate, at) => {
      const subjects = [{ name: 'worker-1', digest: { sha256: 'a'.repeat(64) } }];
      const statement = { subjects, predicateType: BOOT_PREDICATE_TYPE, predicate, key: privateKey, keyId: 'boots' };
      return { name: String(at), bytes: Buffer.from(signStatement(statement)) };
    });
    const verified = await verifySnapshot(snapshot, { trust: file, references: inputs, now: Date.now() });
    assert.deepEqual(verified.refusedReferences, []);
    return verified.result.findings.map(({ code }) => code).filter((code) => /REFERENCED|UNEXPECTED|PHASES/.test(code));
  };
  assert.deepEqual(await verify(), ['BOOT_NOT_REFERENCED', 'BOOT_PHASES_LOGGED']);
  const digest = 'ab'.repeat(32);
  const value = createHash('sha256').update(Buffer.alloc(32)).update(Buffer.from(digest, 'hex')).digest('hex');
  const event = { pcr: 12, kind: 'section', name: 'configuration', digest } as const;
  const other = { version: 1, commandLine: null, secureBoot: null, pcrs: { 12: [value] }, events: [event] } as const;
  assert.deepEqual(await verify(other), ['BOOT_EVENT_UNEXPECTED', 'BOOT_PHASES_LOGGED']);
});

test('what was measured and is in no log is found', options, async () => {
  await writeHostFile(USERSPACE_LOG, log);
  await withTpm(async (tpm) => await extend(tpm, 11, Buffer.alloc(32, 7)));
  const result = await waitFor(({ base }) => base === 'tpm');
  assert.equal(find(result, 'BOOT_PHASES_LOGGED'), undefined);
  assert.ok(result.findings.some(({ code }) => code === 'BOOT_LOG_MISMATCH'));
});
