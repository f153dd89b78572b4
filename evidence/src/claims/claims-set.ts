import type { RunningClaims } from './running-claims.ts';

/**
 * The claims-sets of a round, as they stand in JSON. All of it is the Attester's word: verified for origin by the token
 * that names its digest, never for truth.
 *
 * Digests are lower-case hex SHA-256 unless a name says otherwise; OCI digests keep their `sha256:` prefix.
 */

/** Names its own kind, so that no claims-set can stand in for another. */
export type ClaimsSetType = 'host' | 'boot' | 'ima' | 'kernel' | 'containers' | 'container';

export interface HostClaims {
  type: 'host';
  kubeNode: string;
  /** SHA-256 of the machine-id, hex. */
  machineId: string | null;
  vendor: string | null;
  model: string | null;
  /** SHA-256 of the serial number, hex. */
  serial: string | null;
  cpu: { vendor: string; brand: string; cores: number } | null;
  bios: { vendor: string; version: string; date: string } | null;
  os: { id: string; versionId: string; prettyName: string } | null;
  kernelRelease: string;
  runtimes: { name: string; version: string }[];
}

export interface BootClaims {
  type: 'boot';
  /** Digest of the event log, hex; null where the node has none. The log travels beside the token. */
  eventLog: string | null;
  eventLogBytes: number;
  /** What the firmware variables say: the agent's word, the verifier concludes from the log. */
  secureBoot: boolean | null;
}

export interface ImaClaims {
  type: 'ima';
  /** False where the kernel has no IMA. */
  active: boolean;
  template: string | null;
  policy: string | null;
  /** What this agent runs, as it names it itself; null where IMA does not measure or it cannot tell. */
  agent: AgentFilesClaims | null;
}

/** A file by the path that the kernel gives it, and its content. */
export interface AgentFile {
  /** Absolute, in the mount namespace of the agent; bytes that are not UTF-8 are percent-encoded, `%` itself too. */
  path: string;
  sha256: string;
}

/** The files of an agent's process, to be looked for in the verified part of the IMA list. */
export interface AgentFilesClaims {
  /** Directory of the build; everything of it that is measured is compared with the signed list of that build. */
  root: string;
  /** The program: Node. */
  executable: AgentFile;
  /** The script that was started; null where it is not known. */
  main: AgentFile | null;
  /** Native modules below `root` that are mapped. Sorted by path. */
  modules: AgentFile[];
}

export interface KernelClaims {
  type: 'kernel';
  release: string;
  version: string;
  /** GNU build-id, hex. */
  buildId: string | null;
  cmdline: string;
  tainted: string;
  /** Raw text of /sys/kernel/security/lockdown, null where it cannot be read. */
  lockdown: string | null;
  lsm: string | null;
  kexecLoaded: string | null;
  /** Raw text of /sys/module/module/parameters/sig_enforce: whether unsigned modules are refused. */
  moduleSigEnforce: string | null;
  /** Sorted by name; null where /proc/modules cannot be read. */
  modules: KernelModule[] | null;
  /** BPF programs that processes hold open, sorted by id; null where that was not or could not be looked at. */
  bpf: BpfProgram[] | null;
  /** Version of the list of names that sysctl holds. */
  sysctlSet: string;
  sysctl: Record<string, string>;
  vulnerabilities: Record<string, string>;
  /** What could not be read, named. */
  limits: string[];
}

export interface KernelModule {
  name: string;
  /** Bytes in memory. */
  size: number;
  /** Letters of the kernel's taint flags: what the kernel itself says of a module's signature and origin. */
  taint: string;
  /**
   * Whether the module's file has a signature at its end. The file was found by the module's name and need not be the
   * one that was loaded. Null where it could not be read.
   */
  signature: 'appended' | 'none' | null;
  /** Common name of the issuer of the signer's certificate, or the hex id of its key. Not verified. */
  signer: string | null;
}

export interface BpfProgram {
  id: number;
  /** `enum bpf_prog_type` of the kernel; null where only a link to the program is held. */
  type: number | null;
  /** Eight bytes over the program's instructions, hex. */
  tag: string;
}

/** Index of the containers: id to the digest of its claims-set, as nested submodules. */
export interface ContainersClaims {
  type: 'containers';
  /** Runtimes that could not be asked, so that an empty list is never silence. */
  limits: string[];
  containers: Record<string, string>;
}

export type LayerProof = 'content' | 'tarSplit' | 'firstUse' | 'none';

export interface ImageClaims {
  /** Name in the runtime: a label, never authority. */
  reference: string | null;
  /** Index digest, where the name led to one. */
  index: string | null;
  /** Manifest digest found by walking from the running snapshot, null where the chain does not close. */
  manifest: string | null;
  config: string | null;
  chainId: string | null;
  /** Chain that the running root file system shows; equals chainId unless the image record was moved. */
  platform: { os: string; architecture: string; variant?: string } | null;
  /** Bottom first. */
  layers: LayerClaims[];
  /** How each digest was obtained: snapshot, name, images, content. */
  via: Record<string, string>;
  /** True when the image's name now leads to another image (retag under a running container). */
  retagged: boolean;
}

export interface LayerClaims {
  diffId: string;
  chainId: string;
  proof: LayerProof;
  /** The first differences between the directory and what the layer's tar holds; absent where there is none. */
  differing?: LayerDifferenceClaims[];
}

/** One difference between a layer directory and its tar. */
export interface LayerDifferenceClaims {
  /** As `formatBytePath` writes it. */
  path: string;
  /** What differs: `sha256`, `mode`, `missing`, `extra` and so on. */
  field: string;
  /** By the tar; null where it has nothing there. */
  expected: string | null;
  /** In the directory; null where there is nothing. */
  actual: string | null;
}

export interface RootfsClaims {
  driver: string;
  snapshotKey: string | null;
  lowerCount: number;
  upper: boolean;
}

export interface ProcessClaims {
  args: string[];
  cwd: string;
  user: string;
  envNames: string[];
  /** SHA-256 over the sorted NAME=value lines, hex. */
  envDigest: string;
  argsFrom: 'image' | 'pod' | 'unknown';
  /** Names whose value is the image's own word for word; absent where the image is not known. */
  imageEnvNames?: string[];
}

export interface SecurityClaims {
  privileged: boolean;
  readonlyRootfs: boolean;
  noNewPrivileges: boolean;
  userNamespace: boolean;
  seccomp: string;
  apparmor: string | null;
  selinux: string | null;
  capabilities: string[];
}

export interface MountClaims {
  /** Path in the container; bytes that are not UTF-8 are percent-encoded, `%` itself too. */
  path: string;
  fsType: string;
  source: string;
  readonly: boolean;
  /** Whether the runtime's own spec names this mount. */
  inSpec: boolean;
  /** True where the path exists in the image. */
  coversImage: boolean;
}

/** Names a blob by digest; null where nothing could be made, with the reason among the limits. */
export type BlobRef = { sha256: string; bytes: number } | null;

/** Pod of a container, by the runtime's word. */
export interface PodClaims {
  namespace: string;
  name: string;
  uid: string;
  /** Of the pod, without those that Kubernetes itself adds; absent where no CRI tells. */
  labels?: Record<string, string>;
}

export interface ContainerClaims {
  type: 'container';
  id: string;
  namespace: string;
  name: string;
  pod: PodClaims | null;
  sandbox: boolean;
  /** How often the container was made anew in its pod before this one; absent where no CRI tells. */
  attempt?: number;
  /** Its processes were restored from a checkpoint; absent where nothing says so. */
  restored?: boolean;
  runtime: string;
  /** RFC 3339; from the runtime. */
  started: string | null;
  status: 'running' | 'paused' | 'stopped' | 'unsupported';
  image: ImageClaims;
  rootfs: RootfsClaims;
  /** Inventory of the merged view. */
  inventory: BlobRef;
  /** Inventory of the lower layers alone. */
  baseline: BlobRef;
  drift: BlobRef;
  driftCounts: { relevant: number; other: number } | null;
  process: ProcessClaims | null;
  security: SecurityClaims | null;
  mounts: MountClaims[];
  /** Null where its processes were never looked at, with the reason among the limits. */
  running: RunningClaims | null;
  /** `timed`: so much is written to its data places that changes there are looked at by the clock, within 3 s. */
  scan: { complete: boolean; limits: string[]; timed: boolean };
}

export type ClaimsSet = HostClaims | BootClaims | ImaClaims | KernelClaims | ContainersClaims | ContainerClaims;
