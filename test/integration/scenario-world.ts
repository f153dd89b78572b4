import { generateKeyPairSync, type KeyObject } from 'node:crypto';
import { mkdir, readFile, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { setTimeout as delay } from 'node:timers/promises';
import { timestampMs } from '@bufbuild/protobuf/wkt';
import { ChannelCredentials, Client } from '@grpc/grpc-js';
import { collectInventory, openImageView, type RunningAgent, startAgent } from '@holdfast/agent';
import { callUnary, openServerStream, type Result, ResultService } from '@holdfast/proto';
import { type OciImage, type OciImageOptions, startContainerd, type TestContainerd } from '@holdfast/scripts';
import {
  inventoryToCycloneDx,
  parseVerifierConfig,
  type RunningVerifier,
  signStatement,
  startVerifier,
} from '@holdfast/verifier';
import { ekTemplate, openTpm } from 'tpm2-tss-node';
import { type Swtpm, startSwtpm } from '../support/swtpm.ts';
import { createTrustKey } from '../support/verifier-world.ts';
import { type AgentWorld, createAgentWorld } from './agent-world.ts';
import { ScenarioContainer } from './scenario-container.ts';

/** A machine of its own: containerd, software TPM, agent and verifier, and whoever watches the verifier's results. */
export interface ScenarioWorld {
  readonly containerd: TestContainerd;
  /** The newest published result. */
  readonly latest: Result | undefined;
  /** Ids of all containers that a published result ever told of. */
  readonly toldContainers: ReadonlySet<string>;
  /** Imports an image; its SBOM is made of it, signed and given to the verifier. */
  addImage(options: OciImageOptions): Promise<OciImage>;
  /** Starts a container and waits until it is affirming, which each of these images allows. */
  start(image: string, options?: StartOptions): Promise<ScenarioContainer>;
  /** Waits until the newest published result satisfies a condition. */
  waitFor(condition: (result: Result) => boolean, what: string): Promise<Result>;
  /** Waits until the verifier accepted so many further rounds of evidence; an unchanged one publishes nothing. */
  waitForRounds(count: number): Promise<void>;
  close(): Promise<void>;
}

interface StartOptions {
  readonly id?: string;
  readonly args?: readonly string[];
  readonly flags?: readonly string[];
}

type Closers = (() => Promise<void>)[];

const KUBE_NODE = 'worker-1';
/** From a change in a container to the published result, with room for a busy machine. */
const RESULT_TIMEOUT_MS = 60_000;
const DAY_MS = 86_400_000;

/** Starts all of it. The caller closes it. */
export async function startScenarioWorld(): Promise<ScenarioWorld> {
  const closers: Closers = [];
  const opened = async <T extends { close(): Promise<void> }>(starting: Promise<T>): Promise<T> => {
    const started = await starting;
    closers.unshift(() => started.close());
    return started;
  };
  try {
    const swtpm = await opened(startSwtpm({ ekCertificates: false }));
    const containerd = await opened(startContainerd());
    const world = await opened(createAgentWorld());
    const sbomKey = generateKeyPairSync('ec', { namedCurve: 'P-256' });
    const verifier = await opened(launchVerifier(world, swtpm, sbomKey.publicKey));
    await opened(launchAgent(world, swtpm, containerd, verifier));
    const feed = await opened(openFeed(world, verifier));
    return new StartedWorld({
      containerd,
      feed,
      sbomKey: sbomKey.privateKey,
      references: referencesOf(world),
      closers,
    });
  } catch (error) {
    for (const close of closers) await close();
    throw error;
  }
}

interface WorldParts {
  readonly containerd: TestContainerd;
  readonly feed: ResultFeed;
  readonly sbomKey: KeyObject;
  readonly references: string;
  readonly closers: Closers;
}

class StartedWorld implements ScenarioWorld {
  readonly #parts: WorldParts;

  constructor(parts: WorldParts) {
    this.#parts = parts;
  }

  get containerd(): TestContainerd {
    return this.#parts.containerd;
  }

  get latest(): Result | undefined {
    return this.#parts.feed.latest;
  }

  get toldContainers(): ReadonlySet<string> {
    return this.#parts.feed.toldContainers;
  }

  async addImage(options: OciImageOptions): Promise<OciImage> {
    const image = await this.containerd.addImage(options);
    const { sbomKey, references } = this.#parts;
    const file = join(references, `${image.manifestDigest.replace(':', '-')}.json`);
    await writeFile(file, await signImageSbom(image, sbomKey));
    return image;
  }

  async start(image: string, options: StartOptions = {}): Promise<ScenarioContainer> {
    const container = await this.containerd.run({ image, ...options });
    const started = new ScenarioContainer(this, container);
    await started.expectAffirming();
    return started;
  }

  async waitFor(condition: (result: Result) => boolean, what: string): Promise<Result> {
    const deadlineMs = performance.now() + RESULT_TIMEOUT_MS;
    for (;;) {
      const { latest, error } = this.#parts.feed;
      if (error !== undefined) throw error;
      if (latest !== undefined && condition(latest)) return latest;
      if (performance.now() > deadlineMs) throw new Error(`no result says: ${what}`);
      await delay(20);
    }
  }

  async waitForRounds(count: number): Promise<void> {
    const { feed } = this.#parts;
    const deadlineMs = performance.now() + RESULT_TIMEOUT_MS;
    let last = await feed.readLastRound();
    for (let seen = 0; seen < count; ) {
      if (performance.now() > deadlineMs) throw new Error('the verifier accepts no more evidence');
      await delay(30);
      const now = await feed.readLastRound();
      if (now !== last) seen += 1;
      last = now;
    }
  }

  async close(): Promise<void> {
    for (const close of this.#parts.closers) await close();
  }
}

/** The SBOM that the build of an image would have made of it. */
async function signImageSbom(image: OciImage, key: KeyObject): Promise<string> {
  const view = await openImageView(image.directory);
  try {
    const subject = { name: image.name, digest: image.manifestDigest, toolVersion: '0.1.0' };
    const document = inventoryToCycloneDx(collectInventory(view), subject);
    return signStatement({
      subjects: [{ name: image.name, digest: { sha256: image.manifestDigest.replace('sha256:', '') } }],
      predicateType: 'https://cyclonedx.org/bom',
      predicate: JSON.parse(document),
      key,
      keyId: 'builder',
    });
  } finally {
    view.close();
  }
}

function referencesOf(world: AgentWorld): string {
  return join(world.directory, 'references');
}

async function launchVerifier(world: AgentWorld, swtpm: Swtpm, sbomKey: KeyObject): Promise<RunningVerifier> {
  const identity = { commonName: 'verifier', roles: ['verifier' as const], hosts: ['127.0.0.1'] };
  const tls = await world.ca.issueFiles(join(world.directory, 'tls'), 'real-verifier', identity);
  const trustFile = join(world.directory, 'trust.json');
  const trust = {
    format: 'holdfast-trust-v1',
    version: 1,
    expires: new Date(Date.now() + DAY_MS).toISOString(),
    environment: 'development',
    keys: [createTrustKey('builder', sbomKey)],
    eks: [{ kubeNode: KUBE_NODE, ekName: await readEkName(swtpm.tcti) }],
    ekRoots: [],
  };
  await writeFile(trustFile, JSON.stringify(trust));
  await mkdir(referencesOf(world));
  return await startVerifier(
    parseVerifierConfig({
      listen: '127.0.0.1:0',
      stateDir: join(world.directory, 'verifier'),
      tls,
      trustFile,
      referencesDir: referencesOf(world),
      logLevel: process.env['HOLDFAST_TEST_LOG'] ?? 'silent',
    }),
  );
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

async function launchAgent(
  world: AgentWorld,
  swtpm: Swtpm,
  containerd: TestContainerd,
  verifier: RunningVerifier,
): Promise<RunningAgent> {
  return await startAgent(
    world.configure({
      tpm: { tcti: swtpm.tcti },
      runtime: { containerd: containerd.address, namespaces: [containerd.namespace] },
      verifier: { address: verifier.listenAddress },
      heartbeatMs: 400,
    }),
  );
}

/** Results as the verifier streams them. */
interface ResultFeed {
  readonly latest: Result | undefined;
  readonly toldContainers: ReadonlySet<string>;
  readonly error: Error | undefined;
  /** When the verifier accepted the newest evidence, as it says. */
  readLastRound(): Promise<number>;
  close(): Promise<void>;
}

async function openFeed(world: AgentWorld, verifier: RunningVerifier): Promise<ResultFeed> {
  const files = await world.ca.issueFiles(join(world.directory, 'tls'), 'responder', {
    commonName: 'responder',
    roles: ['responder'],
  });
  const [ca, key, cert] = [await readFile(files.ca), await readFile(files.key), await readFile(files.cert)];
  const client = new Client(verifier.listenAddress, ChannelCredentials.createSsl(ca, key, cert));
  const stream = openServerStream(client, ResultService.method.watchResults, { kubeNode: '' });
  let latest: Result | undefined;
  let error: Error | undefined;
  const toldContainers = new Set<string>();
  stream.on('data', ({ result }) => {
    if (result === undefined) return;
    latest = result;
    for (const { id } of result.containers) toldContainers.add(id);
  });
  stream.on('error', (reason: Error) => {
    error = reason;
  });
  return {
    toldContainers,
    get latest() {
      return latest;
    },
    get error() {
      return error;
    },
    readLastRound: async () => {
      const { kubeNodes } = await callUnary(client, ResultService.method.listKubeNodes, { pageSize: 10 });
      const lastGoodAt = kubeNodes.find(({ name }) => name === KUBE_NODE)?.lastGoodAt;
      return lastGoodAt === undefined ? 0 : timestampMs(lastGoodAt);
    },
    close: async () => {
      stream.cancel();
      client.close();
    },
  };
}
