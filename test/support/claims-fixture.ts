import { createHash } from 'node:crypto';
import {
  type ContainerClaims,
  type ContainersClaims,
  type Drift,
  encodeClaimsSet,
  encodeDrift,
  encodeInventory,
  type Inventory,
  type InventoryPackage,
  type SubmoduleName,
} from '@holdfast/evidence';

/** Everything that a round's token names, as bytes. */
export interface ClaimsContent {
  readonly sets: Record<SubmoduleName, Buffer>;
  /** Claims-sets of containers and documents. */
  readonly blobs: readonly Buffer[];
}

export interface ContainerFixture {
  readonly id: string;
  readonly name?: string;
  readonly baseline?: Inventory;
  readonly inventory?: Inventory;
  readonly drift?: Partial<Drift>;
  readonly claims?: Partial<ContainerClaims>;
}

const DIGEST = (byte: string) => `sha256:${byte.repeat(64)}`;
/** Manifest of every container that says nothing else. */
export const MANIFEST = DIGEST('a');

export function createPackage(name: string, version: string): InventoryPackage {
  return {
    purl: `pkg:deb/debian/${name}@${version}?arch=amd64`,
    type: 'deb',
    name,
    version,
    arch: 'amd64',
    path: '/var/lib/dpkg/status',
  };
}

export function createInventory(packages: InventoryPackage[]): Inventory {
  return {
    format: 'holdfast-inventory-v1',
    databases: [{ type: 'deb', path: '/var/lib/dpkg/status', sha256: 'd'.repeat(64) }],
    complete: true,
    limits: [],
    packages,
    unowned: { executables: 0, sharedObjects: 0 },
  };
}

export const BASE_PACKAGES = [createPackage('base-files', '12.4'), createPackage('libc6', '2.36-9')];

/** The claims of one kube node with these containers. */
export function createClaimsContent(kubeNode: string, containers: readonly ContainerFixture[]): ClaimsContent {
  const made = containers.map(createContainer);
  const index: ContainersClaims = {
    type: 'containers',
    limits: [],
    containers: Object.fromEntries(made.map(({ id, set }) => [id, hash(set)])),
  };
  return {
    sets: {
      host: encodeClaimsSet({
        type: 'host',
        kubeNode,
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
      boot: encodeClaimsSet({ type: 'boot', eventLog: null, eventLogBytes: 0, secureBoot: null }),
      ima: encodeClaimsSet({ type: 'ima', active: false, template: null, policy: null, agent: null }),
      kernel: encodeClaimsSet({
        type: 'kernel',
        release: '6.1.0',
        version: '#1 SMP',
        buildId: null,
        cmdline: 'quiet',
        tainted: '0',
        lockdown: null,
        lsm: null,
        kexecLoaded: '0',
        moduleSigEnforce: null,
        modules: null,
        bpf: null,
        sysctlSet: 'v1',
        sysctl: { 'kernel.randomize_va_space': '2', 'vm.mmap_min_addr': '65536' },
        vulnerabilities: {},
        limits: [],
      }),
      containers: encodeClaimsSet(index),
    },
    blobs: made.flatMap(({ set, documents }) => [set, ...documents]),
  };
}

function createContainer(fixture: ContainerFixture): { id: string; set: Buffer; documents: Buffer[] } {
  const baseline = encodeInventory(fixture.baseline ?? createInventory(BASE_PACKAGES));
  const inventory = encodeInventory(fixture.inventory ?? fixture.baseline ?? createInventory(BASE_PACKAGES));
  const drift = encodeDrift({
    format: 'holdfast-drift-v1',
    rules: 'v1',
    complete: true,
    limits: [],
    relevant: [],
    other: { entries: 0, bytes: 0, byDirectory: {}, digest: 'e'.repeat(64) },
    ...fixture.drift,
  });
  const layer = { diffId: DIGEST('c'), chainId: DIGEST('c'), proof: 'content' as const };
  const set = encodeClaimsSet({
    type: 'container',
    id: fixture.id,
    namespace: 'k8s.io',
    name: fixture.name ?? fixture.id,
    pod: null,
    sandbox: false,
    runtime: 'io.containerd.runc.v2',
    started: '2026-01-01T00:00:00Z',
    status: 'running',
    image: {
      reference: 'registry.test/app:1',
      index: null,
      manifest: MANIFEST,
      config: DIGEST('b'),
      chainId: DIGEST('c'),
      platform: { os: 'linux', architecture: 'amd64' },
      layers: [layer],
      via: { manifest: 'content', config: 'content', chainId: 'snapshot' },
      retagged: false,
    },
    rootfs: { driver: 'overlayfs', snapshotKey: fixture.id, lowerCount: 1, upper: true },
    inventory: { sha256: hash(inventory), bytes: inventory.length },
    baseline: { sha256: hash(baseline), bytes: baseline.length },
    drift: { sha256: hash(drift), bytes: drift.length },
    driftCounts: { relevant: fixture.drift?.relevant?.length ?? 0, other: 0 },
    process: null,
    security: null,
    mounts: [],
    running: { code: [], executed: [], anonymous: [], foreign: [], injected: [], transient: [] },
    scan: { complete: true, limits: [], timed: false },
    ...fixture.claims,
  });
  return { id: fixture.id, set, documents: [baseline, inventory, drift] };
}

function hash(bytes: Buffer): string {
  return createHash('sha256').update(bytes).digest('hex');
}
