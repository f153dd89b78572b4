import { randomBytes } from 'node:crypto';
import { readFiles } from '@holdfast/rootfs';
import { destination, type Logger, pino } from 'pino';
import { AgentError } from './agent-error.ts';
import { type AgentLog, createAgentLog } from './agent-log.ts';
import { collectAgentFiles, findOwnProcess } from './boot/agent-files-source.ts';
import { ImaReader } from './boot/ima-claims.ts';
import type { Clock } from './clock.ts';
import type { AgentConfig, TpmConfig } from './config/agent-config.ts';
import type { ContainerCollector } from './container/container-collector.ts';
import { describeError } from './describe-error.ts';
import { Enroller } from './enrolment/enroller.ts';
import { readHardwareFacts } from './host/hardware-source.ts';
import { createHostFiles } from './host/host-files-source.ts';
import { ChainStore } from './round/chain-store.ts';
import { ClaimsCollector } from './round/claims-collector.ts';
import { createRandomPool } from './round/random-pool.ts';
import { RoundEngine } from './round/round-engine.ts';
import { RoundLoop } from './round/round-loop.ts';
import { makeSnapshotFile } from './snapshot/snapshot-maker.ts';
import type { StateDirectory } from './state/state-directory.ts';
import { openStateDirectory } from './state/state-directory-source.ts';
import { AttestClient } from './stream/attest-client.ts';
import { ConversationHub } from './stream/conversation-hub.ts';
import { describeReceipt } from './stream/describe-receipt.ts';
import { startEvidenceServer } from './stream/evidence-server.ts';
import { createSystemClock } from './system-clock-source.ts';
import { loadTlsIdentity, type TlsIdentity } from './tls/tls-files-source.ts';
import { createSoftwareSealer } from './tpm/software-sealer.ts';
import type { TokenSealer } from './tpm/token-sealer.ts';
import { openTpmDevice, readEkTemplate } from './tpm/tpm-device-source.ts';
import { TpmKeyRing } from './tpm/tpm-key-ring.ts';
import { TpmQueue } from './tpm/tpm-queue.ts';
import { createTpmSealer } from './tpm/tpm-sealer.ts';

/** What a caller may hand in; everything that is left out is made from the settings. */
export interface AgentDeps {
  logger?: Logger;
  clock?: Clock;
  /** In the place of a collector over `config.runtime`. The agent starts and closes it. */
  containers?: ContainerCollector;
}

/** A running agent. */
export interface RunningAgent {
  /** `host:port` on which the agent's services listen, empty where `listen` was not set. */
  readonly listenAddress: string;
  /** Ends streams, services, collectors and the TPM context; safe to call twice. */
  close(): Promise<void>;
}

/** What was opened so far, closed in the opposite order. */
type Closers = (() => Promise<void>)[];

interface Base {
  config: AgentConfig;
  clock: Clock;
  log: AgentLog;
  tls: TlsIdentity;
  state: StateDirectory;
  closers: Closers;
}

interface Claims {
  collector: ClaimsCollector;
  ima: ImaReader;
  containers: ContainerCollector | undefined;
}

interface Keys {
  sealer: TokenSealer;
  /** Undefined without a TPM. */
  ring: TpmKeyRing | undefined;
}

interface Rounds {
  hub: ConversationHub;
  engine: RoundEngine;
  loop: RoundLoop;
}

const PEER_MESSAGES = {
  subscribed: 'peer subscribed',
  unsubscribed: 'peer unsubscribed',
  snapshot: 'peer pulls snapshot',
  refused: 'peer refused',
} as const;
const RANDOM_RANGE = 2 ** 32;
const drawBytes = createRandomPool(randomBytes);

/**
 * Starts one agent: loads or makes the TPM-resident keys, serves `EvidenceService`, dials the Verifier and begins rounds.
 *
 * Resolves once the keys are usable and the port listens; the Verifier need not be reachable. Start the process with
 * `--disable-sigusr1` (no inspector by signal) and a cleaned environment. Throws `AgentError`.
 */
export async function startAgent(config: AgentConfig, deps: AgentDeps = {}): Promise<RunningAgent> {
  const closers: Closers = [];
  let closing: Promise<void> | undefined;
  const close = () => {
    closing ??= closeAll(closers);
    return closing;
  };
  try {
    const listenAddress = await composeAgent(config, deps, closers);
    return { listenAddress, close };
  } catch (error) {
    await close();
    throw error;
  }
}

async function composeAgent(config: AgentConfig, deps: AgentDeps, closers: Closers): Promise<string> {
  const base = await openBase(config, deps, closers);
  const claims = await openClaims(base, deps);
  const keys = await openKeys(base, claims);
  const rounds = await openRounds(base, claims, keys);
  const enroller = await openEnroller(base, keys);
  const listenAddress = await openServer(base, claims, rounds, enroller);
  dialVerifier(base, rounds, enroller);
  claims.containers?.onDirty(() => rounds.loop.request('change'));
  rounds.loop.start();
  return listenAddress;
}

async function openBase(config: AgentConfig, deps: AgentDeps, closers: Closers): Promise<Base> {
  const logger = deps.logger ?? pino({ level: config.logLevel }, destination({ fd: 2, sync: true }));
  const log = createAgentLog(logger.child({ kubeNode: config.kubeNode }));
  const tls = await loadTlsIdentity(config.tls);
  const state = await openStateDirectory(config.stateDir);
  closers.push(() => state.close());
  return { config, log, tls, state, closers, clock: deps.clock ?? createSystemClock() };
}

async function openClaims({ config, log, clock, closers }: Base, deps: AgentDeps): Promise<Claims> {
  const files = createHostFiles(config.hostRoot, readFiles);
  if (files.read('/proc/version', 4_096) === undefined) {
    throw new AgentError('ERR_AGENT_CONFIG', `hostRoot ${config.hostRoot} is not the root of a host: it has no /proc`);
  }
  const containers = deps.containers ?? (await createCollector(config));
  if (containers !== undefined) {
    closers.push(() => containers.close());
    await containers.start();
  }
  const collector = new ClaimsCollector({
    files,
    kubeNode: config.kubeNode,
    hardware: await readHardwareFacts(),
    containers,
    clock,
    readAgentFiles: () => collectAgentFiles(findOwnProcess()),
    onLost: (lost) => log.warn('containers were not captured', { lost }),
  });
  return { collector, ima: new ImaReader(files), containers };
}

/** The module is loaded only now: it brings native code with it. */
async function createCollector({ runtime, hostRoot }: AgentConfig): Promise<ContainerCollector | undefined> {
  if (runtime === 'none') return undefined;
  const { createContainerCollector } = await import('./container/create-container-collector.ts');
  const { containerd: address, containersStorage, namespaces } = runtime;
  const options = { address, containersStorage, hostRoot, areConfirmed: true };
  return createContainerCollector(namespaces === undefined ? options : { ...options, namespaces });
}

async function openKeys(base: Base, { collector }: Claims): Promise<Keys> {
  const { config, state, log } = base;
  const keys =
    config.tpm === 'none' ? await openSoftwareKeys(state, log) : await openTpmKeys(base, config.tpm, collector);
  const { ueid, kid } = await keys.sealer.readFacts();
  log.info('keys ready', { ueid, kid, tpm: keys.ring !== undefined });
  return keys;
}

async function openSoftwareKeys(state: StateDirectory, log: AgentLog): Promise<Keys> {
  log.warn('no tpm is used: evidence proves nothing of this machine');
  return { sealer: await createSoftwareSealer(state), ring: undefined };
}

async function openTpmKeys(
  { state, log, clock, closers }: Base,
  tpm: TpmConfig,
  collector: ClaimsCollector,
): Promise<Keys> {
  const ekTemplate = { name: tpm.ekTemplate, public: await readEkTemplate(tpm.ekTemplate) };
  const queue = new TpmQueue({
    open: () => openTpmDevice(tpm),
    clock,
    onLost: (error) => log.error('tpm lost', describeError(error)),
  });
  closers.push(() => queue.close());
  const onReplaced = (reason: string) => log.warn('new keys made', { reason });
  const ring = new TpmKeyRing({ queue, state, ekTemplate, randomBytes, nowMs: () => clock.nowMs(), onReplaced });
  return { ring, sealer: createTpmSealer({ keys: ring, listLoggedPcrs: () => collector.loggedPcrs }) };
}

async function openRounds(
  { config, state, log, clock, tls, closers }: Base,
  claims: Claims,
  keys: Keys,
): Promise<Rounds> {
  const { sealer } = keys;
  const { owner } = await sealer.readFacts();
  const chain = await ChainStore.open(
    { state, randomBytes, onBegun: (reason) => log.warn('chain begun', { reason }) },
    owner,
  );
  // A token may then be sent once more by the next run: nothing that should keep an agent from stopping.
  closers.push(() => chain.close().catch((error: unknown) => log.warn('receipts not written', describeError(error))));
  const { kubeNode, heartbeatMs, image = null } = config;
  const hub = new ConversationHub({
    chain,
    clock,
    kubeNode,
    readFacts: () => sealer.readFacts(),
    requestRound: () => loop.request('challenge'),
    readEventLog: () => claims.collector.eventLog,
    readUserspaceLog: () => claims.collector.readUserspaceLog(),
    readImaSegment: (offset) => claims.ima.read(offset),
    onTaken: ({ containerSets }) => claims.containers?.confirm(containerSets),
  });
  const engine = new RoundEngine({
    collector: claims.collector,
    sealer,
    chain,
    clock,
    randomBytes: drawBytes,
    kubeNode,
    image,
    tlsSpkiSha256: tls.spkiSha256,
    listNonces: () => hub.listNonces(),
  });
  const loop = new RoundLoop({
    engine,
    clock,
    random: drawRandom,
    heartbeatMs,
    isWatched: () => hub.isWatched,
    publish: (round) => hub.publish(round),
    log,
  });
  closers.push(() => loop.close());
  return { hub, engine, loop };
}

async function openEnroller({ config, state, clock, log, tls }: Base, { ring }: Keys): Promise<Enroller | undefined> {
  const { verifier, kubeNode, keyLifetimeMs } = config;
  if (ring === undefined || verifier === undefined) return undefined;
  return await Enroller.open({
    state,
    keys: ring,
    clock,
    kubeNode,
    tlsSpkiSha256: tls.spkiSha256,
    verifier: verifier.address,
    ...(keyLifetimeMs === undefined ? {} : { keyLifetimeMs }),
    onEnrolled: ({ kid }) => log.info('enrolled', { kid, address: verifier.address }),
    onRotationFailed: (error) => log.warn('keys not rotated', describeError(error)),
  });
}

async function openServer(
  { config, tls, clock, log, closers }: Base,
  { collector, ima }: Claims,
  { hub, engine }: Rounds,
  enroller: Enroller | undefined,
): Promise<string> {
  const { listen, kubeNode } = config;
  if (listen === undefined) return '';
  const source = {
    engine,
    kubeNode,
    ima,
    readEventLog: () => collector.eventLog,
    readUserspaceLog: () => collector.readUserspaceLog(),
    listCertificates: () => enroller?.certificates ?? [],
    listEkCertificates: () => enroller?.ekCertificates ?? [],
  };
  const server = await startEvidenceServer({
    listen,
    tls,
    hub,
    clock,
    subscribersConfirm: config.verifier === undefined,
    makeSnapshot: (nonce) => makeSnapshotFile(source, nonce),
    onFailure: (method, error) => log.error('call failed', { method, ...describeError(error) }),
    onPeer: (event, peer) => log.info(PEER_MESSAGES[event], { peer }),
  });
  closers.push(() => {
    hub.close();
    return server.close();
  });
  log.info('listening', { address: server.listenAddress });
  return server.listenAddress;
}

function dialVerifier(
  { config, tls, clock, log, closers }: Base,
  { hub }: Rounds,
  enroller: Enroller | undefined,
): void {
  if (config.verifier === undefined) return;
  const { address } = config.verifier;
  const client = new AttestClient({
    address,
    tls,
    hub,
    enroller,
    clock,
    random: drawRandom,
    onConnected: () => log.info('verifier connected', { address }),
    onDisconnected: (failure, retryMs) => log.warn('verifier disconnected', { address, ...failure, retryMs }),
    onReceipt: (receipt) => log.info('round answered', describeReceipt(receipt)),
  });
  closers.push(() => client.close());
  client.start();
}

/** Spreads timers only: nothing secret hangs on it. */
function drawRandom(): number {
  return drawBytes(4).readUInt32BE() / RANDOM_RANGE;
}

/** One part's failure to close must not keep the others open. */
async function closeAll(closers: Closers): Promise<void> {
  const failures: unknown[] = [];
  for (const close of closers.reverse()) await close().catch((error: unknown) => failures.push(error));
  if (failures.length > 0) throw failures[0];
}
