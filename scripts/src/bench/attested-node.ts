import { mkdir, readdir, readFile, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { setTimeout as delay } from 'node:timers/promises';
import { Client, credentials } from '@grpc/grpc-js';
import { openServerStream, type Result, ResultService } from '@holdfast/proto';
import { ekTemplate, openTpm } from 'tpm2-tss-node';
import { startSwtpm } from '../../../test/support/swtpm.ts';
import { createDevCa, type DevCa } from '../dev-ca/create-dev-ca.ts';
import { type HoldfastProcess, startHoldfast } from '../world/holdfast-process.ts';
import { isRunning, type NamedProcess, stopProcess } from '../world/named-process.ts';
import { type RunningContainer, startContainerd, type TestContainerd } from '../world/test-containerd.ts';
import type { BenchContext } from './bench-context.ts';
import { addBenchImage } from './bench-image.ts';
import { buildHoldfast } from './built-holdfast.ts';
import { createSbomSigner } from './verifier-core.ts';

const KUBE_NODE = 'bench';
const DAY_MS = 86_400_000;
const HOSTS = ['127.0.0.1', 'localhost'];
const SETTLE_MS = 120_000;
const AT_ONCE = 4;

/** A software TPM, a containerd with real containers, a verifier and an agent, each a process of its own. */
export interface AttestedNode {
  readonly containers: readonly RunningContainer[];
  readonly verifierAddress: string;
  readonly agent: HoldfastProcess;
  readonly runtimeDirectory: string;
  /** Ends the agent and starts it again with another heartbeat. */
  restartAgent(heartbeatMs: number): Promise<void>;
  /** Kills the verifier, runs `whileDown`, and starts it again at its address. */
  restartVerifier(whileDown: () => Promise<void>): Promise<void>;
  /** Losses of the agent's chain that it had to declare, by its journal. */
  countLosses(): Promise<number>;
  /** Rounds that the verifier answered since the agent's first start, by the agent's log. */
  countRounds(): Promise<number>;
  /** The newest result; calls back with each new one. */
  onResult(listener: (result: Result) => void): void;
  /** Waits until every container has a verdict. */
  settle(): Promise<void>;
}

export interface AttestedNodeOptions {
  readonly containers: number;
  readonly heartbeatMs: number;
}

/** Starts all of it. Whatever is started ends with the context. */
export async function startAttestedNode(context: BenchContext, options: AttestedNodeOptions): Promise<AttestedNode> {
  const containerd = await startContainerd();
  context.defer(() => containerd.close());
  const image = await addBenchImage(containerd);
  const containers = await runMany(containerd, image, options.containers);
  const swtpm = await startSwtpm({ ekCertificates: false });
  context.defer(() => swtpm.close());
  const command = await buildHoldfast(context);
  const services = new Services({ context, ca: await createDevCa(), tcti: swtpm.tcti, containerd, command });
  await services.startVerifier(await readEkName(swtpm.tcti));
  await services.startAgent(options.heartbeatMs);
  const node = await services.open(containers);
  await node.settle();
  return node;
}

async function runMany(containerd: TestContainerd, image: string, count: number): Promise<RunningContainer[]> {
  const started: RunningContainer[] = [];
  for (let at = 0; at < count; at += AT_ONCE) {
    const group = Array.from({ length: Math.min(AT_ONCE, count - at) }, () => containerd.run({ image }));
    started.push(...(await Promise.all(group)));
  }
  return started;
}

/** As an operator does before a machine is admitted: from the TPM, not from the agent. */
async function readEkName(tcti: string): Promise<string> {
  await using tpm = await openTpm({ tcti, exclusive: true });
  const { name } = await tpm.createPrimary({ hierarchy: 'endorsement', template: ekTemplate('L-1') });
  return name.toString('hex');
}

interface ServiceDeps {
  readonly context: BenchContext;
  readonly ca: DevCa;
  readonly tcti: string;
  readonly containerd: TestContainerd;
  /** Out of dist/: what the image runs, without the machinery that strips types. */
  readonly command: string;
}

class Services {
  readonly #context: BenchContext;
  readonly #deps: ServiceDeps;
  #verifier = '';
  #verifierProcess: NamedProcess | undefined;
  #agent: HoldfastProcess | undefined;

  constructor(deps: ServiceDeps) {
    const { context } = deps;
    this.#context = context;
    this.#deps = deps;
    context.defer(async () => {
      if (this.#agent !== undefined) await stopProcess(this.#agent.process);
    });
  }

  async startVerifier(ekName: string): Promise<void> {
    const trustFile = this.#path('trust.json');
    await mkdir(this.#path('.'), { recursive: true });
    const trust = { format: 'holdfast-trust-v1', version: 1, environment: 'development', ekRoots: [] };
    const expires = new Date(Date.now() + DAY_MS).toISOString();
    const [keys, eks] = [[createSbomSigner().row], [{ kubeNode: KUBE_NODE, ekName }]];
    await writeFile(trustFile, JSON.stringify({ ...trust, expires, keys, eks }));
    await this.#launchVerifier();
  }

  async #launchVerifier(): Promise<void> {
    const tls = await this.#issue('verifier');
    const [stateDir, trustFile] = [this.#path('verifier'), this.#path('trust.json')];
    const listen = this.#verifier === '' ? '127.0.0.1:0' : this.#verifier;
    const settings = { listen, stateDir, tls, trustFile, logLevel: 'warn' };
    const { process, listenAddress } = await this.#start('verifier', settings);
    this.#context.defer(() => stopProcess(process));
    this.#verifier = listenAddress;
    this.#verifierProcess = process;
  }

  async #killVerifier(): Promise<void> {
    const named = this.#verifierProcess;
    if (named === undefined) throw new TypeError('the verifier was started');
    if (await isRunning(named)) process.kill(named.pid, 'SIGKILL');
    while (await isRunning(named)) await delay(25);
  }

  async startAgent(heartbeatMs: number): Promise<void> {
    if (this.#agent !== undefined) await stopProcess(this.#agent.process);
    this.#agent = await this.#start('agent', {
      kubeNode: KUBE_NODE,
      tpm: { tcti: this.#deps.tcti },
      runtime: { containerd: this.#deps.containerd.address, namespaces: [this.#deps.containerd.namespace] },
      stateDir: this.#path('agent'),
      verifier: { address: this.#verifier },
      listen: '127.0.0.1:0',
      tls: await this.#issue('agent'),
      heartbeatMs,
      logLevel: 'info',
    });
  }

  async open(containers: readonly RunningContainer[]): Promise<AttestedNode> {
    const feed = await this.#watch();
    const agentOf = (): HoldfastProcess => {
      if (this.#agent === undefined) throw new TypeError('the agent was started');
      return this.#agent;
    };
    return {
      containers,
      verifierAddress: this.#verifier,
      runtimeDirectory: this.#deps.containerd.directory,
      get agent() {
        return agentOf();
      },
      restartAgent: (heartbeatMs) => this.startAgent(heartbeatMs),
      restartVerifier: async (whileDown) => {
        await this.#killVerifier();
        await whileDown();
        await this.#launchVerifier();
        await this.#follow(feed);
      },
      countLosses: async () => (await readAll(this.#path('agent'))).split('"event":"lost"').length - 1,
      countRounds: async () => (await readFile(this.#path('agent.log'), 'utf8')).split('"round answered"').length - 1,
      onResult: (listener) => void feed.listeners.add(listener),
      settle: () => this.#settle(feed, containers.length),
    };
  }

  async #settle(feed: ResultFeed, containers: number): Promise<void> {
    const end = performance.now() + SETTLE_MS;
    const isSettled = ({ containers: found }: Result) =>
      found.length === containers && found.every(({ findings }) => !findings.some(({ code }) => UNSETTLED.has(code)));
    while (feed.latest === undefined || !isSettled(feed.latest)) {
      if (performance.now() > end) {
        const log = (await readFile(this.#path('agent.log'), 'utf8')).trim().split('\n').slice(-4).join('\n');
        throw new Error(`no verdict on every container: ${describe(feed.latest)}; the agent's last words:\n${log}`);
      }
      await delay(100);
    }
  }

  async #watch(): Promise<ResultFeed> {
    const feed: ResultFeed = { latest: undefined, listeners: new Set() };
    await this.#follow(feed);
    return feed;
  }

  async #follow(feed: ResultFeed): Promise<void> {
    const files = await this.#issue('responder');
    const [ca, key, cert] = await Promise.all([readFile(files.ca), readFile(files.key), readFile(files.cert)]);
    const client = new Client(this.#verifier, credentials.createSsl(ca, key, cert));
    const stream = openServerStream(client, ResultService.method.watchResults, { kubeNode: KUBE_NODE });
    stream.on('error', () => undefined);
    stream.on('data', ({ result }: { result?: Result }) => {
      if (result === undefined) return;
      feed.latest = result;
      for (const listener of feed.listeners) listener(result);
    });
    this.#context.defer(async () => {
      stream.cancel();
      client.close();
    });
  }

  async #issue(role: 'agent' | 'verifier' | 'responder') {
    return await this.#deps.ca.issueFiles(this.#path('tls'), role, { commonName: role, roles: [role], hosts: HOSTS });
  }

  async #start(name: 'agent' | 'verifier', settings: object): Promise<HoldfastProcess> {
    const config = this.#path(`${name}.json`);
    await writeFile(config, JSON.stringify({ serve: { [name]: settings } }), { mode: 0o600 });
    return await startHoldfast([name, '--config', config], this.#path(`${name}.log`), this.#deps.command);
  }

  #path(name: string): string {
    return join(this.#context.directory, 'node', name);
  }
}

interface ResultFeed {
  latest: Result | undefined;
  readonly listeners: Set<(result: Result) => void>;
}

/** Findings of a container that is not scanned or proven yet. */
const UNSETTLED: ReadonlySet<string> = new Set([
  'SCAN_INCOMPLETE',
  'SCAN_PENDING',
  'LAYER_NOT_PROVEN',
  'CLAIMS_MISSING',
]);

function describe(result: Result | undefined): string {
  if (result === undefined) return 'no result came';
  const codes = new Set(result.containers.flatMap(({ findings }) => findings.map(({ code }) => code)));
  return `${result.containers.length} containers, ${[...codes].join(' ')}`;
}

/** Every regular file of a directory as one text. */
async function readAll(directory: string): Promise<string> {
  const entries = await readdir(directory, { withFileTypes: true });
  const files = entries.filter((entry) => entry.isFile()).map(({ name }) => readFile(join(directory, name), 'utf8'));
  return (await Promise.all(files)).join('\n');
}
