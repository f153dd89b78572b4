import { setImmediate } from 'node:timers/promises';
import type { KernelClaims, KernelModule } from '@holdfast/evidence';
import type { Clock } from '../clock.ts';
import { type HostFiles, readHostText, readHostTexts } from '../host/host-files.ts';
import { type BpfScan, scanBpfPrograms } from './bpf-programs.ts';
import { parseBuildId } from './build-id.ts';
import { ModuleSignatures } from './module-signatures.ts';
import { readSysctls, SYSCTL_SET } from './sysctl-set.ts';

const MAX_SHORT_BYTES = 256;
const MAX_LINE_BYTES = 1_024;
const MAX_CMDLINE_BYTES = 64 * 1024;
const MAX_MODULES = 4_096;
const MAX_VULNERABILITY_BYTES = 1_024;
const MAX_MODULES_BYTES = 1024 * 1024;
const MAX_NOTES_BYTES = 64 * 1024;

/** Looking at every open file of a machine costs; programs come with services, which are started rarely. */
const BPF_SCAN_MS = 300_000;

/** Makes `kernel` claims-sets, and remembers between them what is costly to find out. */
export class KernelCollector {
  readonly #files: HostFiles;
  readonly #clock: Clock;
  readonly #signatures = new ModuleSignatures();
  #bpf: { scan: BpfScan; atMs: number } | undefined;

  constructor(files: HostFiles, clock: Clock) {
    this.#files = files;
    this.#clock = clock;
  }

  /** Looks at BPF programs anew when that was done more than five minutes ago; others go on meanwhile. */
  async refresh(): Promise<void> {
    const nowMs = this.#clock.monotonicMs();
    if (this.#bpf !== undefined && nowMs - this.#bpf.atMs < BPF_SCAN_MS) return;
    const pause = async () => {
      await setImmediate();
    };
    this.#bpf = { scan: await scanBpfPrograms(this.#files, pause), atMs: nowMs };
  }

  collect(): KernelClaims {
    return collectKernelClaims(this.#files, this.#signatures, this.#bpf?.scan);
  }
}

/**
 * Makes the `kernel` claims-set (design §4.3) from the host's /proc and /sys: raw strings that the policy judges. What
 * cannot be read is null and named in `limits`, never left out in silence.
 */
function collectKernelClaims(files: HostFiles, signatures: ModuleSignatures, bpf: BpfScan | undefined): KernelClaims {
  const limits: string[] = [];
  const read = (name: string, path: string, maxBytes = MAX_SHORT_BYTES): string | null => {
    const text = readHostText(files, path, maxBytes);
    if (text === undefined) limits.push(`${name}:unreadable`);
    return text ?? null;
  };
  const { sysctl, limits: sysctlLimits } = readSysctls(files);
  const notes = files.read('/sys/kernel/notes', MAX_NOTES_BYTES);
  const buildId = notes === undefined ? null : parseBuildId(notes);
  if (buildId === null) limits.push('buildId:unreadable');
  const release = read('release', '/proc/sys/kernel/osrelease') ?? '';
  const { programs, limits: bpfLimits } = bpf ?? { programs: null, limits: ['bpf:unread'] };
  return {
    type: 'kernel',
    release,
    version: read('version', '/proc/version', MAX_LINE_BYTES) ?? '',
    buildId,
    cmdline: read('cmdline', '/proc/cmdline', MAX_CMDLINE_BYTES) ?? '',
    tainted: read('tainted', '/proc/sys/kernel/tainted') ?? '',
    lockdown: read('lockdown', '/sys/kernel/security/lockdown'),
    lsm: read('lsm', '/sys/kernel/security/lsm', MAX_LINE_BYTES),
    kexecLoaded: read('kexecLoaded', '/sys/kernel/kexec_loaded'),
    moduleSigEnforce: readHostText(files, '/sys/module/module/parameters/sig_enforce', MAX_SHORT_BYTES) ?? null,
    modules: collectModules(files, (module) => signatures.find(files, release, module), limits),
    bpf: programs,
    sysctlSet: SYSCTL_SET,
    sysctl,
    vulnerabilities: readVulnerabilities(files),
    limits: [...limits, ...sysctlLimits, ...bpfLimits].sort(),
  };
}

type LoadedModule = Omit<KernelModule, 'signature' | 'signer'>;

function collectModules(
  files: HostFiles,
  findSignature: (module: LoadedModule) => ReturnType<ModuleSignatures['find']>,
  limits: string[],
): KernelModule[] | null {
  const text = files.read('/proc/modules', MAX_MODULES_BYTES)?.toString('latin1');
  if (text === undefined) {
    limits.push('modules:unreadable');
    return null;
  }
  const modules = text
    .split('\n')
    .flatMap(parseModule)
    .sort((a, b) => (a.name < b.name ? -1 : 1));
  if (modules.length > MAX_MODULES) limits.push('modules:entries');
  const gaps = new Set<string>();
  const described = modules.slice(0, MAX_MODULES).map((module) => {
    const found = findSignature(module);
    if (typeof found !== 'string') return { ...module, ...found };
    gaps.add(found);
    return { ...module, signature: null, signer: null };
  });
  limits.push(...gaps);
  return described;
}

/** One line of /proc/modules: name, size, references, users, state, address and, in brackets, taint flags. */
function parseModule(line: string): LoadedModule[] {
  const match = /^([\w-]{1,64}) (\d{1,15}) .*?(?: \(([A-Z+-]+)\))?$/.exec(line);
  if (match?.[1] === undefined || match[2] === undefined) return [];
  return [{ name: match[1], size: Number(match[2]), taint: match[3] ?? '' }];
}

function readVulnerabilities(files: HostFiles): Record<string, string> {
  const directory = '/sys/devices/system/cpu/vulnerabilities';
  const names = files.list(directory).map(({ name }) => name);
  const places = names.map((name) => `${directory}/${name}`);
  const texts = readHostTexts(files, places, MAX_VULNERABILITY_BYTES);
  return Object.fromEntries(
    names.flatMap((name, at) => {
      const text = texts[at];
      return text === undefined ? [] : [[name, text]];
    }),
  );
}
