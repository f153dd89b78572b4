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
  /** `name size taint-flags`, sorted by name; null where /proc/modules cannot be read. */
  modules: { name: string; size: number; taint: string; signer: string | null }[] | null;
  /** Version of the list of names that sysctl holds. */
  sysctlSet: string;
  sysctl: Record<string, string>;
  vulnerabilities: Record<string, string>;
  /** What could not be read, named. */
  limits: string[];
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
  layers: { diffId: string; chainId: string; proof: LayerProof }[];
  /** How each digest was obtained: snapshot, name, images, content. */
  via: Record<string, string>;
  /** True when the image's name now leads to another image (retag under a running container). */
  retagged: boolean;
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

export interface ContainerClaims {
  type: 'container';
  id: string;
  namespace: string;
  name: string;
  pod: { namespace: string; name: string; uid: string } | null;
  sandbox: boolean;
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
  scan: { complete: boolean; limits: string[] };
}

export type ClaimsSet = HostClaims | BootClaims | ImaClaims | KernelClaims | ContainersClaims | ContainerClaims;
