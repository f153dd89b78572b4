import type { ContainerClaims, LayerProof } from '@holdfast/evidence';
import { judgeRunning } from './judge-running.ts';

/**
 * What a live look at a container ends in: `changed`, something of the image or its surroundings was changed; `unproven`,
 * the layers are not shown to be those of an image; `undecided`, the look was not complete.
 */
export type ContainerVerdict = 'unchanged' | 'changed' | 'unproven' | 'undecided';

export interface JudgedContainer {
  readonly verdict: ContainerVerdict;
  /** What the verdict rests on, and what else was seen; the names of limits as in claims-sets. */
  readonly reasons: readonly string[];
  /** What was seen to run and may be as it is. */
  readonly notes: readonly string[];
  /** What is hidden by volumes and therefore not part of the proof. */
  readonly volumes: readonly string[];
  /** Layers by how they were proven. */
  readonly proof: Readonly<Record<LayerProof, number>>;
}

/** Limits that name a finding and not a look cut short. */
const CHANGES = [/^layerContent:/, /^rootMismatch$/];
const NO_PROOF = [/^layerBlobRefused$/, /^imageUnknown$/, /^imageAmbiguous$/];
const KERNEL_FILE_SYSTEMS = new Set(['proc', 'sysfs', 'cgroup', 'cgroup2', 'mqueue', 'devpts']);

/**
 * Judges a claims-set without references: first what was changed, then what is not proven, then whether the look was
 * complete. Missing data is never "unchanged". Volumes are named and judged by nobody: they have no baseline.
 */
export function judgeContainer(claims: ContainerClaims): JudgedContainer {
  const running = judgeRunning(claims);
  const changes = [
    ...listDriftReasons(claims),
    ...pick(claims, CHANGES),
    ...listHiddenPaths(claims),
    ...running.changes,
  ];
  const unproven = [...pick(claims, NO_PROOF), ...listUnproven(claims)];
  const named = [...CHANGES, ...NO_PROOF];
  const open = claims.scan.limits.filter((limit) => !named.some((pattern) => pattern.test(limit)));
  if (claims.driftCounts === null || claims.drift === null) open.push('drift');
  open.push(...running.open);
  return {
    verdict: chooseVerdict(changes, unproven, open),
    reasons: [...new Set([...changes, ...unproven, ...open])],
    notes: running.notes,
    volumes: listVolumes(claims),
    proof: countProofs(claims),
  };
}

function chooseVerdict(
  changes: readonly string[],
  unproven: readonly string[],
  open: readonly string[],
): ContainerVerdict {
  if (changes.length > 0) return 'changed';
  if (open.length > 0) return 'undecided';
  return unproven.length > 0 ? 'unproven' : 'unchanged';
}

function pick({ scan }: ContainerClaims, patterns: readonly RegExp[]): string[] {
  return scan.limits.filter((limit) => patterns.some((pattern) => pattern.test(limit)));
}

function listDriftReasons({ driftCounts }: ContainerClaims): string[] {
  const count = driftCounts?.relevant ?? 0;
  return count === 0 ? [] : [`drift:${count}`];
}

function listHiddenPaths({ mounts }: ContainerClaims): string[] {
  return mounts.filter((mount) => mount.coversImage && !mount.inSpec).map((mount) => `mount:${mount.path}`);
}

function listVolumes({ mounts }: ContainerClaims): string[] {
  return mounts
    .filter((mount) => mount.coversImage && mount.inSpec && !KERNEL_FILE_SYSTEMS.has(mount.fsType))
    .map((mount) => mount.path)
    .filter((path) => path !== '/dev' && !path.startsWith('/dev/'));
}

/** An unsupported container has said why it is not read; nothing more is asked of it. */
function listUnproven({ image, status }: ContainerClaims): string[] {
  if (status === 'unsupported') return [];
  if (image.manifest === null || image.layers.length === 0) return ['imageUnknown'];
  const unproven = image.layers.filter(({ proof }) => proof !== 'content' && proof !== 'tarSplit');
  return unproven.map(({ diffId, proof }) => `layer:${proof}:${diffId}`);
}

function countProofs({ image }: ContainerClaims): Record<LayerProof, number> {
  const counts = { content: 0, tarSplit: 0, firstUse: 0, none: 0 };
  for (const { proof } of image.layers) counts[proof] += 1;
  return counts;
}
