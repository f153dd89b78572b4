import type { AgentFilesClaims, ContainersClaims, SubmoduleName } from '@holdfast/evidence';
import { collectBootClaims, readEventLog } from '../boot/boot-claims.ts';
import { collectImaClaims, isImaActive } from '../boot/ima-claims.ts';
import { listLoggedPcrs } from '../boot/logged-pcrs.ts';
import { listUserspacePcrs, readUserspaceLog } from '../boot/userspace-log.ts';
import type { Clock } from '../clock.ts';
import type { ContainerCollector } from '../container/container-collector.ts';
import { collectHostClaims, type HardwareFacts } from '../host/host-claims.ts';
import { type HostFiles, readHostTexts } from '../host/host-files.ts';
import { KernelCollector } from '../kernel/kernel-claims.ts';
import { type EncodedSet, SetEncoder } from './encoded-set.ts';
import type { RoundContent } from './round.ts';

/** What a round claims, with what of it stands in the token itself. */
export interface CollectedClaims {
  readonly content: RoundContent;
  readonly secureBoot: boolean | null;
  /** Vendor and model as one text; undefined where either is unknown. */
  readonly hardwareModel: string | undefined;
  readonly bootId: string;
  readonly uptimeSeconds: number;
  readonly pending: [string, number][];
  readonly oldestScanMs: number | null;
}

export interface ClaimsCollectorDeps {
  files: HostFiles;
  kubeNode: string;
  hardware: HardwareFacts;
  /** Undefined where the machine has no container runtime. */
  containers: ContainerCollector | undefined;
  clock: Clock;
  /** What this agent runs; asked for once, and only where IMA measures. */
  readAgentFiles(): Promise<AgentFilesClaims | null>;
  /** Told of containers that ended or came and went unseen. */
  onLost(lost: readonly string[]): void;
}

type EncodedSets = Record<SubmoduleName, EncodedSet>;

/** What was read of the machine at one moment. */
interface MachineFacts {
  readonly sets: Omit<EncodedSets, 'containers'>;
  readonly secureBoot: boolean | null;
  readonly bootId: string;
  /** At `atMs` of the clock that never goes back; 0 where it cannot be read. */
  readonly uptimeSeconds: number;
  readonly atMs: number;
  readonly runtimes: string;
}

const PCR_OF_IMA = 10;
const BOOT_ID = '/proc/sys/kernel/random/boot_id';
const UPTIME = '/proc/uptime';
const MAX_TIME_BYTES = 64;
/** Kernel parameters give no event when they change; they are read again at most this often. */
const MACHINE_SETS_MS = 5_000;
const WITHOUT_RUNTIME: ContainersClaims = { type: 'containers', limits: ['runtime:none'], containers: {} };

/**
 * Gathers the claims-sets of a round. Facts of the machine are read anew when they are older than 5 s; containers are
 * whatever their collector knows by now.
 */
export class ClaimsCollector {
  readonly #deps: ClaimsCollectorDeps;
  readonly #eventLog: Buffer | undefined;
  readonly #loggedPcrs: ReadonlySet<number>;
  readonly #kernel: KernelCollector;
  readonly #encoders: Record<SubmoduleName, SetEncoder> = {
    host: new SetEncoder(),
    boot: new SetEncoder(),
    ima: new SetEncoder(),
    kernel: new SetEncoder(),
    containers: new SetEncoder(),
  };
  #agentFiles: Promise<AgentFilesClaims | null> | undefined;
  #machine: MachineFacts | undefined;

  constructor(deps: ClaimsCollectorDeps) {
    this.#deps = deps;
    this.#eventLog = readEventLog(deps.files);
    const logged = this.#eventLog === undefined ? new Set<number>() : listLoggedPcrs(this.#eventLog);
    if (isImaActive(deps.files)) logged.add(PCR_OF_IMA);
    this.#loggedPcrs = logged;
    this.#kernel = new KernelCollector(deps.files, deps.clock);
  }

  /** The firmware's event log; it does not change after boot. */
  get eventLog(): Buffer | undefined {
    return this.#eventLog;
  }

  /** What the operating system measured after the boot, where firmware has a log that it goes on from. It grows. */
  readUserspaceLog(): Buffer | undefined {
    return this.#eventLog === undefined ? undefined : readUserspaceLog(this.#deps.files);
  }

  /** PCRs that the event log, the IMA list or the operating system's log explains. */
  get loggedPcrs(): ReadonlySet<number> {
    const log = this.readUserspaceLog();
    return log === undefined ? this.#loggedPcrs : new Set([...this.#loggedPcrs, ...listUserspacePcrs(log)]);
  }

  async collect(): Promise<CollectedClaims> {
    const { containers, clock } = this.#deps;
    const snapshot = await containers?.collect();
    if (snapshot !== undefined && snapshot.lost.length > 0) this.#deps.onLost(snapshot.lost);
    const machine = await this.#readMachine();
    const index = this.#encoders.containers.encode(snapshot?.index ?? WITHOUT_RUNTIME);
    const sets: EncodedSets = { ...machine.sets, containers: index };
    const { system } = this.#deps.hardware;
    const isNamed = system !== null && system.vendor !== '' && system.model !== '';
    return {
      content: {
        sets: mapSets(sets, ({ bytes }) => bytes),
        digests: mapSets(sets, ({ sha256 }) => sha256),
        containerSets: snapshot?.sets ?? new Map(),
        blobs: snapshot?.blobs ?? new Map(),
      },
      secureBoot: machine.secureBoot,
      bootId: machine.bootId,
      uptimeSeconds: tellUptime(machine, clock.monotonicMs()),
      hardwareModel: isNamed ? `${system.vendor}\0${system.model}` : undefined,
      pending: containers?.pending() ?? [],
      oldestScanMs: isEmpty(snapshot?.index) ? null : (containers?.oldestScanMs() ?? null),
    };
  }

  async #readMachine(): Promise<MachineFacts> {
    const { files, kubeNode, hardware, clock, containers } = this.#deps;
    const runtimes = containers?.runtimes() ?? [];
    const key = JSON.stringify(runtimes);
    const nowMs = clock.monotonicMs();
    if (this.#machine !== undefined && nowMs - this.#machine.atMs < MACHINE_SETS_MS && this.#machine.runtimes === key) {
      return this.#machine;
    }
    if (isImaActive(files)) this.#agentFiles ??= this.#deps.readAgentFiles();
    const agentFiles = (await this.#agentFiles) ?? null;
    await this.#kernel.refresh();
    const boot = collectBootClaims(files, this.#eventLog);
    const encoders = this.#encoders;
    const sets = {
      host: encoders.host.encode(collectHostClaims(files, kubeNode, hardware, runtimes)),
      boot: encoders.boot.encode(boot),
      ima: encoders.ima.encode(collectImaClaims(files, agentFiles)),
      kernel: encoders.kernel.encode(this.#kernel.collect()),
    };
    const [bootId = '', uptime = '0'] = readHostTexts(files, [BOOT_ID, UPTIME], MAX_TIME_BYTES);
    const uptimeSeconds = Number.parseFloat(uptime) || 0;
    const { secureBoot } = boot;
    this.#machine = { sets, secureBoot, bootId, uptimeSeconds, atMs: clock.monotonicMs(), runtimes: key };
    return this.#machine;
  }
}

function tellUptime({ uptimeSeconds, atMs }: MachineFacts, nowMs: number): number {
  return uptimeSeconds === 0 ? 0 : Math.floor(uptimeSeconds + (nowMs - atMs) / 1000);
}

function isEmpty(index: ContainersClaims | undefined): boolean {
  return index === undefined || Object.keys(index.containers).length === 0;
}

function mapSets<T>({ host, boot, ima, kernel, containers }: EncodedSets, map: (set: EncodedSet) => T) {
  return {
    host: map(host),
    boot: map(boot),
    ima: map(ima),
    kernel: map(kernel),
    containers: map(containers),
  } satisfies Record<SubmoduleName, T>;
}
