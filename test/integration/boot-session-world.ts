import { randomUUID } from 'node:crypto';
import { once } from 'node:events';
import { cp, mkdir, readFile, writeFile } from 'node:fs/promises';
import { connect } from 'node:net';
import { join } from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import { ChannelCredentials, Client } from '@grpc/grpc-js';
import { type AgentDeps, type RunningAgent, startAgent } from '@holdfast/agent';
import { callUnary, openServerStream, type Result, ResultService } from '@holdfast/proto';
import { parseVerifierConfig, type RunningVerifier, startVerifier } from '@holdfast/verifier';
import { ekTemplate, openTpm } from 'tpm2-tss-node';
import { type Swtpm, startSwtpm } from '../support/swtpm.ts';
import { startTpmProxy, type TpmProxy } from '../support/tpm-proxy.ts';
import { type AgentWorld, createAgentWorld } from './agent-world.ts';

const HEARTBEAT_MS = 250;
const DAY_MS = 86_400_000;
const WAIT_MS = 25_000;
/** TPM2_Shutdown (part 3, 9.4) with TPM_SU_CLEAR and TPM_SU_STATE. */
const SHUTDOWN = {
  clear: Buffer.from('80010000000c000001450000', 'hex'),
  state: Buffer.from('80010000000c000001450001', 'hex'),
};
/** TPM2_Clear (part 3, 24.6) by the platform's empty auth value. */
const CLEAR = Buffer.from('80020000001b000001264000000c0000000940000009000000' + '0000', 'hex');

/** TPM2_ClockSet (part 3, 29.2) to one hour, by the owner's empty auth value: later than any copy made before comes to. */
const CLOCK_SET = Buffer.from('800200000023000001284000000100000009400000090000000000000000000036ee80', 'hex');

/** A software TPM with its agent, a verifier, and all the results that it ever gave. */
export interface BootSessionWorld {
  readonly agents: AgentWorld;
  readonly swtpm: Swtpm;
  readonly results: readonly Result[];
  /** Starts the agent; with other settings it is another one. The world closes it. */
  startAgent(settings?: Record<string, unknown>): Promise<RunningAgent>;
  /** Ends power to the TPM: after TPM2_Shutdown, or in the midst of what it does. */
  powerOff(how: 'dirty' | 'clear' | 'state'): Promise<void>;
  /** Gives the kernel's random id of a boot another value. */
  writeBootId(): Promise<void>;
  /** Sets the wall clock of the kube node back. */
  setClockBack(ms: number): void;
  /** Lets the TPM's clock be an hour ahead of a copy's, as if it had run for so much longer. */
  advanceTpmClock(): Promise<void>;
  /** TPM2_Clear behind the agent's back. */
  clearTpm(): Promise<void>;
  /** Waits for a result later than `after` that is as it should be. */
  waitFor(what: string, after: number, isRight: (result: Result) => boolean): Promise<Result>;
  /** Waits until evidence that came later than now was accepted. */
  waitForRound(withinMs?: number): Promise<void>;
  acknowledge(code: string): Promise<void>;
  copyOf(directory: string, name: string): Promise<string>;
  close(): Promise<void>;
}

export const codesOf = ({ findings }: Result): string[] => findings.map(({ code }) => code);

/** Makes a world without an agent yet. The caller closes it. */
export async function createBootSessionWorld(): Promise<BootSessionWorld> {
  const swtpm = await startSwtpm({ ekCertificates: false });
  const agents = await createAgentWorld();
  await writeTrust(agents, await readEkName(swtpm));
  const verifier = await launchVerifier(agents);
  const proxy = await startTpmProxy(swtpm.socketPath);
  const client = await dial(agents, verifier);
  const results: Result[] = [];
  const feed = collect(client, results);
  const hostRoot = join(agents.directory, 'host');
  await writeBootId(hostRoot);
  let behindMs = 0;
  const running: RunningAgent[] = [];
  const address = verifier.listenAddress;
  return {
    agents,
    swtpm,
    results,
    startAgent: async (settings = {}) => {
      const tpm = { tcti: proxy.tcti };
      const fixed = { tpm, verifier: { address }, heartbeatMs: HEARTBEAT_MS, hostRoot };
      const clock = createClock(() => Date.now() - behindMs);
      const agent = await startAgent(agents.configure({ ...fixed, ...settings }), { clock });
      running.push(agent);
      return agent;
    },
    powerOff: async (how) => await powerOff(swtpm, proxy, how),
    writeBootId: async () => await writeBootId(hostRoot),
    setClockBack: (ms) => {
      behindMs = ms;
    },
    advanceTpmClock: async () => await sendCommand(swtpm, CLOCK_SET),
    clearTpm: async () => await sendCommand(swtpm, CLEAR),
    waitFor: async (what, after, isRight) => await waitForResult(results, what, after, isRight),
    waitForRound: async (withinMs = WAIT_MS) => await waitForRound(client, withinMs),
    acknowledge: async (code) => {
      const request = { kubeNode: 'worker-1', code, reason: 'a test' };
      await callUnary(client, ResultService.method.acknowledgeIncident, request);
    },
    copyOf: async (directory, name) => {
      const copy = join(agents.directory, name);
      await cp(directory, copy, { recursive: true });
      return copy;
    },
    close: async () => {
      for (const agent of running) await agent.close();
      feed();
      client.close();
      await verifier.close();
      await proxy.close();
      await agents.close();
      await swtpm.close();
    },
  };
}

async function writeBootId(hostRoot: string): Promise<void> {
  const directory = join(hostRoot, 'proc/sys/kernel/random');
  await mkdir(directory, { recursive: true });
  await writeFile(join(directory, 'boot_id'), `${randomUUID()}\n`);
  await writeFile(join(hostRoot, 'proc/version'), 'Linux version 6.1.0\n');
}

function createClock(nowMs: () => number): NonNullable<AgentDeps['clock']> {
  return {
    nowMs,
    monotonicMs: () => performance.now(),
    setTimer: (delayMs, callback) => {
      const timer = setTimeout(callback, delayMs);
      return () => clearTimeout(timer);
    },
  };
}

/** The agent must not send between the shutdown and the loss of power: that would take the shutdown back. */
async function powerOff(swtpm: Swtpm, proxy: TpmProxy, how: 'dirty' | 'clear' | 'state'): Promise<void> {
  if (how !== 'dirty') {
    proxy.setRules({ onCommand: () => 'disconnect' });
    await sendCommand(swtpm, SHUTDOWN[how]);
  }
  await swtpm.kill();
  proxy.setRules({});
}

/** Between two commands of the agent: each comes over a connection of its own. */
async function sendCommand({ socketPath }: Swtpm, command: Buffer): Promise<void> {
  const socket = connect(socketPath);
  socket.write(command);
  const [response]: Buffer[] = await once(socket, 'data');
  socket.destroy();
  const rc = response?.readUInt32BE(6) ?? -1;
  if (rc !== 0) throw new Error(`the TPM answered 0x${rc.toString(16)}`);
}

async function readEkName({ tcti }: Swtpm): Promise<string> {
  const tpm = await openTpm({ tcti });
  try {
    return (await tpm.createPrimary({ hierarchy: 'endorsement', template: ekTemplate('L-1') })).name.toString('hex');
  } finally {
    await tpm.close();
  }
}

async function writeTrust({ directory }: AgentWorld, ekName: string): Promise<void> {
  const trust = {
    format: 'holdfast-trust-v1',
    version: 1,
    expires: new Date(Date.now() + DAY_MS).toISOString(),
    environment: 'development',
    keys: [],
    eks: [{ kubeNode: 'worker-1', ekName }],
    ekRoots: [],
  };
  await writeFile(join(directory, 'trust.json'), JSON.stringify(trust));
}

async function launchVerifier({ ca, directory }: AgentWorld): Promise<RunningVerifier> {
  const identity = { commonName: 'verifier', roles: ['verifier' as const], hosts: ['127.0.0.1'] };
  return await startVerifier(
    parseVerifierConfig({
      listen: '127.0.0.1:0',
      stateDir: join(directory, 'verifier'),
      tls: await ca.issueFiles(join(directory, 'tls'), 'real-verifier', identity),
      trustFile: join(directory, 'trust.json'),
      logLevel: process.env['HOLDFAST_TEST_LOG'] ?? 'silent',
    }),
  );
}

async function dial({ ca, directory }: AgentWorld, verifier: RunningVerifier): Promise<Client> {
  const identity = { commonName: 'operator', roles: ['operator' as const, 'responder' as const] };
  const files = await ca.issueFiles(join(directory, 'tls'), 'operator', identity);
  const [root, key, certificate] = [await readFile(files.ca), await readFile(files.key), await readFile(files.cert)];
  return new Client(verifier.listenAddress, ChannelCredentials.createSsl(root, key, certificate));
}

/** Keeps every result: a finding of one round may be gone before anybody asks. */
function collect(client: Client, results: Result[]): () => void {
  const stream = openServerStream(client, ResultService.method.watchResults, {});
  stream.on('error', () => undefined);
  stream.on('data', ({ result }: { result?: Result }) => {
    if (result !== undefined) results.push(result);
  });
  return () => stream.cancel();
}

async function waitForResult(
  results: readonly Result[],
  what: string,
  after: number,
  isRight: (result: Result) => boolean,
): Promise<Result> {
  for (const end = Date.now() + WAIT_MS; Date.now() < end; await sleep(25)) {
    const found = results.slice(after).find(isRight);
    if (found !== undefined) return found;
  }
  throw new Error(`no result ${what}: ${JSON.stringify(results.slice(after).map(codesOf))}`);
}

async function waitForRound(client: Client, withinMs: number): Promise<void> {
  const begin = Date.now();
  for (; Date.now() < begin + withinMs; await sleep(25)) {
    const { kubeNodes } = await callUnary(client, ResultService.method.listKubeNodes, {});
    const seconds = Number(kubeNodes[0]?.lastGoodAt?.seconds ?? 0);
    const nanos = kubeNodes[0]?.lastGoodAt?.nanos ?? 0;
    if (seconds * 1000 + nanos / 1e6 > begin) return;
  }
  throw new Error('no evidence was accepted');
}
