import type { ContainerClaims, Drift, MountClaims } from '@holdfast/evidence';
import type { AppraisalPolicy, ContainerEvidence, InventoryFacts, Resolved } from './appraisal-input.ts';
import { appraisePackageDelta } from './appraise-drift.ts';
import { appraiseImage } from './appraise-image.ts';
import { withClaims } from './appraise-kube-node.ts';
import { appraiseRunning } from './appraise-running.ts';
import { createFinding, type Finding } from './finding.ts';

/** Mounted into every container by its runtime; none of them holds files of a disk. */
const KERNEL_FILE_SYSTEMS: ReadonlySet<string> = new Set(['proc', 'sysfs', 'cgroup', 'cgroup2', 'mqueue', 'devpts']);

/** A container's findings and the SBOM that it was compared with. */
export interface ContainerFindings {
  /** Without those of the drift document. */
  readonly findings: Finding[];
  /** The drift document, which other containers can have too; null where there is none or it does not count. */
  readonly drift: Drift | null;
  /** `sha256:…` of the envelope; null where there is none. */
  readonly sbom: string | null;
}

/**
 * Appraises one container, pause containers like any other: that the claims are about it and complete; its image and
 * SBOM (see `appraiseImage`); packages and files that differ from the image; mounts over image paths; what runs. What is missing
 * leaves the container undecided, never clean.
 */
export function appraiseContainer(
  id: string,
  evidence: ContainerEvidence,
  pendingMs: number,
  policy: AppraisalPolicy,
): ContainerFindings {
  if (evidence.claims.state !== 'ok') {
    return { findings: withClaims(evidence.claims, 'container', () => []), drift: null, sbom: null };
  }
  const claims = evidence.claims.value;
  if (claims.id !== id) {
    const foreign = createFinding('CLAIMS_IDENTITY', { expected: id, actual: claims.id });
    return { findings: [foreign], drift: null, sbom: null };
  }
  const image = appraiseImage(claims, evidence);
  const drift = evidence.drift?.state === 'ok' ? evidence.drift.value : null;
  const findings = [
    ...appraiseState(claims, pendingMs, policy),
    ...image.findings,
    ...appraiseInventories(claims, evidence),
    ...(evidence.packageDelta === null ? [] : appraisePackageDelta(evidence.packageDelta)),
    ...appraiseDriftState(evidence),
    ...claims.mounts.flatMap(appraiseMount),
    ...appraiseRunning(claims, drift),
  ];
  return { findings, drift, sbom: image.sbom };
}

function appraiseState(claims: ContainerClaims, pendingMs: number, policy: AppraisalPolicy): Finding[] {
  const findings: Finding[] = [];
  if (claims.status === 'unsupported')
    findings.push(createFinding('CONTAINER_UNSUPPORTED', { actual: claims.runtime }));
  if (claims.status === 'stopped') findings.push(createFinding('CONTAINER_STOPPED'));
  if (pendingMs > policy.maxPendingMs) findings.push(createFinding('SCAN_PENDING'));
  const limits = listLimits(claims);
  const isExplained = claims.scan.limits.length > limits.length;
  if (limits.length > 0 || (!claims.scan.complete && !isExplained)) {
    findings.push(createFinding('SCAN_INCOMPLETE', { actual: limits.join(', ') || 'no reason given' }));
  }
  if (claims.scan.timed) findings.push(createFinding('SCAN_TIMED'));
  return findings;
}

/** Without differing layers, where they have a finding of their own. */
function listLimits({ scan, image }: ContainerClaims): string[] {
  const hasDifferences = image.layers.some(({ differing = [] }) => differing.length > 0);
  return scan.limits.filter((limit) => !hasDifferences || !limit.startsWith('layerContent:'));
}

function appraiseInventories(claims: ContainerClaims, { inventory, baseline }: ContainerEvidence): Finding[] {
  if (inventory === null || baseline === null) return [createFinding('INVENTORY_MISSING')];
  const findings = [
    ...withClaims(inventory, 'inventory', checkComplete),
    ...withClaims(baseline, 'baseline', checkComplete),
  ];
  if (countDatabases(inventory) === 0 && countDatabases(baseline) === 0) {
    findings.push(createFinding('NO_PACKAGE_DATABASE', { actual: claims.image.manifest ?? undefined }));
  }
  return findings;
}

function checkComplete(facts: Pick<InventoryFacts, 'complete' | 'limits'>): Finding[] {
  if (facts.complete && facts.limits.length === 0) return [];
  return [createFinding('SCAN_INCOMPLETE', { actual: facts.limits.join(', ') || 'no reason given' })];
}

function countDatabases(facts: Resolved<InventoryFacts>): number | undefined {
  return facts.state === 'ok' ? facts.value.databases : undefined;
}

function appraiseDriftState({ drift }: ContainerEvidence): Finding[] {
  if (drift === null) return [createFinding('DRIFT_MISSING')];
  return withClaims(drift, 'drift', checkComplete);
}

function appraiseMount(mount: MountClaims): Finding[] {
  if (!mount.coversImage) return [];
  if (!mount.inSpec) return [createFinding('MOUNT_OVER_IMAGE', { path: mount.path, actual: mount.fsType })];
  if (KERNEL_FILE_SYSTEMS.has(mount.fsType) || mount.path === '/dev' || mount.path.startsWith('/dev/')) return [];
  return [createFinding('VOLUME_UNPROVEN', { path: mount.path, actual: mount.fsType })];
}
