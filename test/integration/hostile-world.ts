import assert from 'node:assert/strict';
import { type ChildProcess, execFile, spawn } from 'node:child_process';
import { once } from 'node:events';
import { mkdir, mkdtemp, readFile, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import { promisify } from 'node:util';
import { ChannelCredentials, Client } from '@grpc/grpc-js';
import { type ContainerResult, callUnary, ResultService } from '@holdfast/proto';
import {
  listBusyboxEntries,
  type OciImageOptions,
  type RunningContainer,
  startContainerd,
  type TarEntry,
  type TestContainerd,
} from '@holdfast/scripts';
import { parseVerifierConfig, type RunningVerifier, startVerifier } from '@holdfast/verifier';
import { ekTemplate, openTpm } from 'tpm2-tss-node';
import { type Swtpm, startSwtpm } from '../support/swtpm.ts';
import { type AgentWorld, createAgentWorld } from './agent-world.ts';

const run = promisify(execFile);
const IDLE = { Cmd: ['sleep', '100000'] };
const ATTACKER = join(import.meta.dirname, '../support/attacker.c');
const AGENT = join(import.meta.dirname, 'agent-process.ts');
/** A container whose changes wait longer than this is undecided at the verifier (design §4.6). */
const ON_TIME_MS = 5_000;
/** Of docs/operations.md. */
const MAX_MAIN_MIB = 384;
const MAX_HELPER_MIB = 512;

/** A container that attacks, and what came of it. */
export interface Attack {
  readonly container: RunningContainer;
  /** The verifier's word on it, once it is what is waited for. */
  waitForResult(isWanted: (result: ContainerResult) => boolean, timeoutMs?: number): Promise<ContainerResult>;
  /** Content of a file as the container sees it. Undefined where it is not there. */
  read(path: string): Promise<string | undefined>;
  /** Notices from now on who opens or reads these paths of its upper directory. The answer is the list of those that were. */
  guard(paths: readonly string[]): Promise<readonly string[]>;
  stop(): Promise<void>;
}

/**
 * An agent as a process of its own, a verifier, a containerd, a neighbour that nobody attacks and a file of the host that
 * nobody may read.
 */
export interface HostileWorld {
  readonly containerd: TestContainerd;
  /** A directory of the host with a file `canary`; every look into it is noticed. */
  readonly canary: string;
  readonly agentPid: number;
  /** Runs a container of busybox and the attacker's program, and waits until that has done or begun its work. */
  attack(args: readonly string[], image?: Partial<OciImageOptions> & { entries?: TarEntry[] }): Promise<Attack>;
  /** Changes a file in the neighbour and fails unless the verifier names the change in time. Returns milliseconds. */
  assertNeighbourOnTime(): Promise<number>;
  /** Fails where anything looked at the canary, or the agent ended. */
  assertUntouched(): void;
  /** Fails where the agent, or one of the processes that scan for it, ever held more memory than docs/operations.md says. */
  assertMemoryBound(): Promise<{ readonly mainMib: number; readonly helperMib: number }>;
  findResult(container: RunningContainer): Promise<ContainerResult | undefined>;
  close(): Promise<void>;
}

/** Starts all of it and waits until the neighbour was scanned and proven. */
export async function startHostileWorld(): Promise<HostileWorld> {
  const closers: (() => Promise<unknown>)[] = [];
  try {
    return await new WorldBuilder(closers).build();
  } catch (error) {
    for (const close of closers.reverse()) await close();
    throw error;
  }
}

class WorldBuilder {
  readonly #closers: (() => Promise<unknown>)[];

  constructor(closers: (() => Promise<unknown>)[]) {
    this.#closers = closers;
  }

  async build(): Promise<HostileWorld> {
    const directory = await mkdtemp(join(tmpdir(), 'hf-hostile-'));
    this.#closers.push(() => rm(directory, { recursive: true, force: true }));
    const program = join(directory, 'attacker');
    await run('cc', ['-O2', '-static', '-o', program, ATTACKER]);
    const guard = await this.#startGuard(directory, program);
    const swtpm = await this.#keep(startSwtpm({ ekCertificates: false }));
    const containerd = await this.#keep(startContainerd());
    const world = await this.#keep(createAgentWorld());
    const verifier = await this.#startVerifier(world, swtpm);
    const client = await this.#dial(world, verifier);
    const agent = await this.#startAgent(world, verifier, swtpm, containerd);
    const hostile = new StartedWorld({ containerd, client, agent, guard, program, closers: this.#closers });
    hostile.watchHelpers();
    await hostile.startNeighbour();
    return hostile;
  }

  async #keep<T extends { close(): Promise<unknown> }>(starting: Promise<T>): Promise<T> {
    const started = await starting;
    this.#closers.push(() => started.close());
    return started;
  }

  async #startGuard(directory: string, program: string): Promise<Guard> {
    const canary = join(directory, 'host');
    await mkdir(canary);
    await writeFile(join(canary, 'canary'), 'outside: the host must never be read');
    await writeFile(join(canary, 'passwd'), 'outside: the host must never be read');
    const watched = [canary, join(canary, 'canary'), join(canary, 'passwd'), '/etc/shadow'];
    const guard: Guard = { canary, touched: await startWatching(program, watched, this.#closers) };
    return guard;
  }

  async #startVerifier(world: AgentWorld, swtpm: Swtpm): Promise<RunningVerifier> {
    const tls = await world.ca.issueFiles(join(world.directory, 'tls'), 'real-verifier', {
      commonName: 'verifier',
      roles: ['verifier'],
      hosts: ['127.0.0.1'],
    });
    const trustFile = join(world.directory, 'trust.json');
    const trust = {
      format: 'holdfast-trust-v1',
      version: 1,
      expires: new Date(Date.now() + 86_400_000).toISOString(),
      environment: 'development',
      keys: [],
      eks: [{ kubeNode: 'worker-1', ekName: await readEkName(swtpm.tcti) }],
      ekRoots: [],
    };
    await writeFile(trustFile, JSON.stringify(trust));
    const logLevel = process.env['HOLDFAST_TEST_LOG'] ?? 'silent';
    const stateDir = join(world.directory, 'verifier');
    const listen = '127.0.0.1:0';
    return await this.#keep(startVerifier(parseVerifierConfig({ listen, stateDir, tls, trustFile, logLevel })));
  }

  async #dial(world: AgentWorld, verifier: RunningVerifier): Promise<Client> {
    const issued = { commonName: 'operator', roles: ['operator'] as const };
    const files = await world.ca.issueFiles(join(world.directory, 'tls'), 'operator', {
      ...issued,
      roles: [...issued.roles],
    });
    const [ca, key, cert] = [await readFile(files.ca), await readFile(files.key), await readFile(files.cert)];
    const client = new Client(verifier.listenAddress, ChannelCredentials.createSsl(ca, key, cert));
    this.#closers.push(async () => client.close());
    return client;
  }

  async #startAgent(
    world: AgentWorld,
    verifier: RunningVerifier,
    swtpm: Swtpm,
    containerd: TestContainerd,
  ): Promise<ChildProcess> {
    const config = world.configure({
      tpm: { tcti: swtpm.tcti },
      verifier: { address: verifier.listenAddress },
      runtime: { containerd: containerd.address },
      listen: '127.0.0.1:0',
      heartbeatMs: 5_000,
    });
    const file = join(world.directory, 'agent.json');
    await writeFile(file, JSON.stringify(config));
    const child = spawn(process.execPath, [AGENT, file], { stdio: ['ignore', 'pipe', 'inherit'] });
    this.#closers.push(async () => {
      child.kill('SIGTERM');
      if (child.exitCode === null && child.signalCode === null) await once(child, 'close');
    });
    await once(child.stdout, 'data');
    return child;
  }
}

interface Guard {
  readonly canary: string;
  readonly touched: readonly string[];
}

interface Parts {
  readonly containerd: TestContainerd;
  readonly client: Client;
  readonly agent: ChildProcess;
  readonly guard: Guard;
  readonly program: string;
  readonly closers: (() => Promise<unknown>)[];
}

class StartedWorld implements HostileWorld {
  readonly #parts: Parts;
  #neighbour: RunningContainer | undefined;
  #changes = 0;
  #images = 0;
  #helperMib = 0;

  constructor(parts: Parts) {
    this.#parts = parts;
  }

  get containerd(): TestContainerd {
    return this.#parts.containerd;
  }

  get canary(): string {
    return this.#parts.guard.canary;
  }

  get agentPid(): number {
    return this.#parts.agent.pid ?? 0;
  }

  async startNeighbour(): Promise<void> {
    const { containerd } = this.#parts;
    const layers = [{ entries: await listBusyboxEntries() }];
    await containerd.addImage({ name: 'docker.io/holdfast/neighbour:1', layers, config: IDLE });
    this.#neighbour = await containerd.run({ image: 'docker.io/holdfast/neighbour:1' });
    const { id } = this.#neighbour;
    await this.#waitForResult(id, ({ findings }) => !findings.some(({ code }) => code.startsWith('SCAN')), 30_000);
  }

  async attack(
    args: readonly string[],
    image: Partial<OciImageOptions> & { entries?: TarEntry[] } = {},
  ): Promise<Attack> {
    const { containerd, program } = this.#parts;
    this.#images += 1;
    const name = `docker.io/holdfast/attacker:${this.#images}`;
    const own = [{ path: 'attacker', content: await readFile(program), mode: 0o755 }, ...(image.entries ?? [])];
    const layers = [{ entries: await listBusyboxEntries() }, { entries: own }, ...(image.layers ?? [])];
    await containerd.addImage({ ...image, name, layers });
    const container = await containerd.run({ image: name, args: ['/attacker', ...args] });
    const read = async (path: string) =>
      await readFile(`/proc/${container.pid}/root${path}`, 'utf8').catch(() => undefined);
    await waitUntil('the attack begins', async () => (await read('/ready')) !== undefined, 1_800_000);
    return {
      container,
      waitForResult: (isWanted, timeoutMs = 30_000) => this.#waitForResult(container.id, isWanted, timeoutMs),
      read,
      guard: async (paths) => {
        const upper = await readUpper(container.pid);
        return await startWatching(
          program,
          paths.map((path) => `${upper}${path}`),
          this.#parts.closers,
        );
      },
      stop: () => containerd.remove(container),
    };
  }

  async assertNeighbourOnTime(): Promise<number> {
    const neighbour = this.#neighbour;
    assert.ok(neighbour !== undefined);
    this.#changes += 1;
    const path = `/etc/changed-${this.#changes}`;
    await this.#parts.containerd.exec(neighbour, ['/bin/sh', '-c', `echo x > ${path}`]);
    const since = performance.now();
    await this.#waitForResult(neighbour.id, ({ findings }) => findings.some((found) => found.path === path), 60_000);
    const ms = performance.now() - since;
    assert.ok(ms < ON_TIME_MS, `the neighbour's change was seen after ${Math.round(ms)} ms`);
    return ms;
  }

  assertUntouched(): void {
    const { guard, agent } = this.#parts;
    assert.deepEqual(guard.touched, []);
    assert.deepEqual([agent.exitCode, agent.signalCode], [null, null]);
  }

  async assertMemoryBound(): Promise<{ mainMib: number; helperMib: number }> {
    const peaks = { mainMib: await readPeakMib(this.agentPid), helperMib: this.#helperMib };
    assert.ok(peaks.mainMib > 50 && peaks.mainMib < MAX_MAIN_MIB, JSON.stringify(peaks));
    assert.ok(peaks.helperMib > 50 && peaks.helperMib < MAX_HELPER_MIB, JSON.stringify(peaks));
    return peaks;
  }

  /** Processes that scan come and go: their peak is read as often as may be. */
  watchHelpers(): void {
    const look = async () => {
      const file = `/proc/${this.agentPid}/task/${this.agentPid}/children`;
      const pids = (await readFile(file, 'utf8').catch(() => '')).split(' ').filter(Boolean);
      for (const pid of pids) this.#helperMib = Math.max(this.#helperMib, await readPeakMib(Number(pid)));
    };
    const timer = setInterval(() => void look(), 50);
    this.#parts.closers.push(async () => clearInterval(timer));
  }

  findResult({ id }: RunningContainer): Promise<ContainerResult | undefined> {
    return this.#findResult(id);
  }

  async #findResult(id: string): Promise<ContainerResult | undefined> {
    try {
      const { result } = await callUnary(this.#parts.client, ResultService.method.getKubeNode, {
        kubeNode: 'worker-1',
      });
      return result?.containers.find((container) => container.id.endsWith(id));
    } catch {
      return undefined;
    }
  }

  async #waitForResult(
    id: string,
    isWanted: (result: ContainerResult) => boolean,
    timeoutMs: number,
  ): Promise<ContainerResult> {
    let last: ContainerResult | undefined;
    const ask = async () => {
      last = await this.#findResult(id);
      return last !== undefined && isWanted(last);
    };
    await waitUntil('the verifier says so', ask, timeoutMs, () =>
      JSON.stringify(last?.findings.map(({ code, path, actual }) => [code, path, actual.slice(0, 300)]).slice(0, 12)),
    );
    if (last === undefined) throw new TypeError('there is a result after it was wanted');
    return last;
  }

  async close(): Promise<void> {
    for (const close of this.#parts.closers.reverse()) await close();
  }
}

/** Lists what is opened or read of some paths, which are not followed, until the end of the world. */
async function startWatching(
  program: string,
  paths: readonly string[],
  closers: (() => Promise<unknown>)[],
): Promise<string[]> {
  const child = spawn(program, ['watch', ...paths], { stdio: ['ignore', 'pipe', 'inherit'] });
  closers.push(async () => child.kill('SIGKILL'));
  child.stdout.setEncoding('utf8');
  const touched: string[] = [];
  await once(child.stdout, 'data');
  child.stdout.on('data', (text: string) => touched.push(text));
  return touched;
}

/** Most memory that a process ever held; 0 where it is gone. */
async function readPeakMib(pid: number): Promise<number> {
  const status = await readFile(`/proc/${pid}/status`, 'utf8').catch(() => '');
  return Number(/^VmHWM:\s+(\d+) kB/m.exec(status)?.[1] ?? 0) / 1024;
}

async function readUpper(pid: number): Promise<string> {
  const mounts = await readFile(`/proc/${pid}/mountinfo`, 'utf8');
  const upper = /upperdir=([^,\s]+)/.exec(mounts)?.[1];
  if (upper === undefined) throw new Error('the container has no upper directory');
  return upper;
}

async function waitUntil(
  what: string,
  ask: () => Promise<boolean>,
  timeoutMs: number,
  describe: () => string = () => '',
): Promise<void> {
  const deadline = performance.now() + timeoutMs;
  while (!(await ask())) {
    if (performance.now() > deadline) throw new Error(`waited for: ${what}; last ${describe()}`);
    await sleep(20);
  }
}

async function readEkName(tcti: string): Promise<string> {
  const tpm = await openTpm({ tcti });
  try {
    const { name } = await tpm.createPrimary({ hierarchy: 'endorsement', template: ekTemplate('L-1') });
    return name.toString('hex');
  } finally {
    await tpm.close();
  }
}

/** The limits that the verifier names for a container. */
export function listLimits({ findings }: ContainerResult): string {
  return findings
    .filter(({ code }) => code === 'SCAN_INCOMPLETE')
    .map(({ actual }) => actual)
    .join('; ');
}
