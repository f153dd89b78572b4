/** Which endorsement key template the AK and the signing key descend from (TCG EK Credential Profile 2.5, annex B). */
export type EkTemplateName = 'L-1' | 'L-2' | 'H-1' | 'H-2' | 'H-3';

export type LogLevel = 'trace' | 'debug' | 'info' | 'warn' | 'error' | 'silent';

/** Paths of PEM files. The certificate's key has role `agent` and serves as client and as server key. */
export interface AgentTlsFiles {
  ca: string;
  cert: string;
  key: string;
}

/** How the TPM is reached; `none` in its place runs without one, and every result then says so. */
export interface TpmConfig {
  /** `device:/dev/tpmrm0`, `swtpm:path=…`, `mssim:…` or `tabrmd:…`. */
  tcti: string;
  ekTemplate: EkTemplateName;
  /** Nobody else uses this TPM and no resource manager stands before it: what a killed agent left in it is flushed. */
  exclusive: boolean;
}

/** One runtime or both. */
export interface RuntimeConfig {
  /** Socket of containerd. */
  containerd?: string;
  /** Namespaces of containerd; all of them where none are named. */
  namespaces?: string[];
  /** Store of podman or CRI-O: what lasts, and what a restart of the machine clears. */
  containersStorage?: { root: string; runRoot: string };
}

/** Settings of one agent. Made by `parseAgentConfig`, which fills the defaults. */
export interface AgentConfig {
  /** Label of the kube node, 1 to 253 characters. A label, never an identity. */
  kubeNode: string;
  tpm: TpmConfig | 'none';
  /** What runs containers here, or `none` on machines without them. */
  runtime: RuntimeConfig | 'none';
  /** Directory for key blobs, chain and certificates; made with mode 0700 where it is missing. */
  stateDir: string;
  /** Where the host's root directory is mounted; `/` outside a container. */
  hostRoot: string;
  /** `host:port` of the Verifier that the agent dials; without it the agent only serves its own port. */
  verifier?: { address: string };
  /** `host:port` of the agent's own services; port 0 lets the kernel choose. Without it nothing listens. */
  listen?: string;
  tls: AgentTlsFiles;
  /** Milliseconds between rounds when nothing changes; each interval is drawn from 0.7 to 0.9 of it. */
  heartbeatMs: number;
  /** Age of AK and signing key from which on new ones take their place when their certificates are renewed. */
  keyLifetimeMs?: number;
  /** Manifest digest of the agent's own image, `sha256:…`, where it runs in a container. */
  image?: string;
  logLevel: LogLevel;
}
