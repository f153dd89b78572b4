import type { ContainerClaims, DriftEntry, KernelClaims, TokenClaims } from '@holdfast/evidence';
import type { BootConclusion } from '../boot/boot-conclusion.ts';
import type { ContainerEvidence, Resolved, VerifiedEvidence } from './appraisal-input.ts';

const DIGEST = (byte: string) => `sha256:${byte.repeat(64)}`;

/** A value that is there. */
export function ok<T>(value: T): Resolved<T> {
  return { state: 'ok', value };
}

export const CLEAN_CLAIMS: ContainerClaims = {
  type: 'container',
  id: 'c1',
  namespace: 'k8s.io',
  name: 'app',
  pod: null,
  sandbox: false,
  runtime: 'io.containerd.runc.v2',
  started: null,
  status: 'running',
  image: {
    reference: 'registry.test/app:1',
    index: null,
    manifest: DIGEST('a'),
    config: DIGEST('b'),
    chainId: DIGEST('c'),
    platform: { os: 'linux', architecture: 'amd64' },
    layers: [{ diffId: DIGEST('c'), chainId: DIGEST('c'), proof: 'content' }],
    via: { manifest: 'content', config: 'content', chainId: 'snapshot' },
    retagged: false,
  },
  rootfs: { driver: 'overlayfs', snapshotKey: 'k', lowerCount: 1, upper: true },
  inventory: { sha256: '1'.repeat(64), bytes: 1 },
  baseline: { sha256: '2'.repeat(64), bytes: 1 },
  drift: { sha256: '3'.repeat(64), bytes: 1 },
  driftCounts: { relevant: 0, other: 0 },
  process: null,
  security: null,
  mounts: [],
  running: { code: [], executed: [], anonymous: [], foreign: [], injected: [], transient: [] },
  scan: { complete: true, limits: [], timed: false },
};

const FACTS = { complete: true, limits: [], packages: 2, databases: 1 };
const MATCH = { decided: true, match: 2, explained: [], unexpected: [], missing: [], changed: [] } as const;

/** A container of which nothing is wrong. */
export function createContainerEvidence(
  claims: Partial<ContainerClaims> = {},
  changes: Partial<ContainerEvidence> = {},
): ContainerEvidence {
  return {
    claims: ok({ ...CLEAN_CLAIMS, ...claims }),
    inventory: ok(FACTS),
    baseline: ok(FACTS),
    drift: ok(createDrift([])),
    packageDelta: { added: [], removed: [], changed: [] },
    sboms: [{ digest: DIGEST('5'), keyId: 'builder', comparison: MATCH }],
    hasSbom: true,
    ...changes,
  };
}

export function createDrift(relevant: DriftEntry[]) {
  return {
    format: 'holdfast-drift-v1' as const,
    rules: 'v1',
    complete: true,
    limits: [],
    relevant,
    other: { entries: 0, bytes: 0, byDirectory: {}, digest: '0'.repeat(64) },
  };
}

export const QUIET_KERNEL: KernelClaims = {
  type: 'kernel',
  release: '6.1.0',
  version: '#1',
  buildId: null,
  cmdline: '',
  tainted: '0',
  lockdown: 'none [integrity] confidentiality',
  lsm: null,
  kexecLoaded: '0',
  moduleSigEnforce: null,
  modules: null,
  bpf: null,
  sysctlSet: 'v1',
  sysctl: {},
  vulnerabilities: {},
  limits: [],
};

/** A kube node without a boot event log, whose PCRs are zero. */
export const NO_LOG: BootConclusion = {
  facts: null,
  hasBank: false,
  isQuoted: true,
  mismatched: [],
  unexplained: [],
  values: null,
  phases: null,
};

const RECEIVED_MS = Date.parse('2026-01-01T00:00:00Z');

/** Evidence of a kube node with these containers, of which nothing more is wrong than can be known today. */
export function createEvidence(
  containers: Record<string, ContainerEvidence> = {},
  changes: Partial<VerifiedEvidence> = {},
  holdfast: Partial<TokenClaims['holdfast']> = {},
): VerifiedEvidence {
  return {
    evidenceId: 'e'.repeat(64),
    kubeNode: 'worker-1',
    claims: createTokenClaims(holdfast),
    quotes: { resetCount: 1, restartCount: 0, safe: true, imaPcrIsZero: true },
    receivedAtMs: RECEIVED_MS,
    chainFindings: [],
    host: ok({
      type: 'host',
      kubeNode: 'worker-1',
      machineId: null,
      vendor: null,
      model: null,
      serial: null,
      cpu: null,
      bios: null,
      os: null,
      kernelRelease: '6.1.0',
      runtimes: [],
    }),
    boot: ok({ type: 'boot', eventLog: null, eventLogBytes: 0, secureBoot: null }),
    ima: ok({ type: 'ima', active: false, template: null, policy: null, agent: null }),
    kernel: ok(QUIET_KERNEL),
    bootLog: NO_LOG,
    bootReferences: [],
    imaLog: { outcome: 'matched', entries: 0, extended: 0, violations: 0, aggregate: null, isRestarted: false },
    imaFiles: null,
    containerIndex: ok({ type: 'containers', limits: [], containers: {} }),
    containers: new Map(Object.entries(containers)),
    ...changes,
  };
}

function createTokenClaims(holdfast: Partial<TokenClaims['holdfast']>): TokenClaims {
  const digest: TokenClaims['submods']['host'] = ['DIGEST', [-16, 'A'.repeat(43)]];
  return {
    eat_profile: '2.25.148018808497791279178755095034755802300',
    iat: RECEIVED_MS / 1000,
    jti: 'AAAA',
    ueid: 'AQ',
    bootseed: 'AAAA',
    uptime: 1,
    swname: 'holdfast-agent',
    swversion: ['0.1.0'],
    cnf: { jwk: { kty: 'EC', crv: 'P-256', x: '', y: '' } },
    holdfast: {
      chain: 'chain',
      seq: 0,
      prev: null,
      kubeNode: 'worker-1',
      agent: { version: '0.1.0', image: null },
      tls: '',
      pending: [],
      oldestScanMs: null,
      lost: [],
      ...holdfast,
    },
    submods: { host: digest, boot: digest, ima: digest, kernel: digest, containers: digest },
  };
}
