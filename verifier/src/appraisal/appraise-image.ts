import { createHash } from 'node:crypto';
import type { ContainerClaims, LayerClaims } from '@holdfast/evidence';
import type { PackageComparison } from '../conformity/comparison.ts';
import type { ContainerEvidence, SbomComparison } from './appraisal-input.ts';
import { createFinding, type Finding } from './finding.ts';
import { FINDING_RULES } from './finding-code.ts';

/** Findings about a container's image and the SBOM that it was compared with. */
export interface ImageFindings {
  readonly findings: Finding[];
  /** `sha256:…` of the envelope; null where there is none. */
  readonly sbom: string | null;
}

const DIGEST = /^sha256:[0-9a-f]{64}$/;

/**
 * Appraises the way from the running root file system to a manifest digest, then the manifest's signed SBOM against the
 * inventory of the lower layers. Names and tags count for nothing. Of several SBOMs the newest one that agrees is taken,
 * else the newest.
 */
export function appraiseImage(claims: ContainerClaims, evidence: ContainerEvidence): ImageFindings {
  const { image } = claims;
  const findings: Finding[] = [];
  if (!isChained(claims)) findings.push(createFinding('IMAGE_UNPROVEN', { actual: image.manifest ?? undefined }));
  if (image.retagged) findings.push(createFinding('IMAGE_RETAGGED', { actual: image.reference ?? undefined }));
  const unproven = image.layers.filter(({ proof }) => proof !== 'content' && proof !== 'tarSplit');
  for (const layer of unproven) findings.push(...appraiseLayer(layer));
  if (!evidence.hasSbom) return { findings: [...findings, createFinding('SBOM_MISSING')], sbom: null };
  const chosen = evidence.sboms.find(({ comparison }) => isMatch(comparison)) ?? evidence.sboms[0];
  if (chosen === undefined) return { findings: [...findings, createFinding('SBOM_NOT_COMPARED')], sbom: null };
  return { findings: [...findings, ...appraiseSbom(chosen, evidence)], sbom: chosen.digest };
}

/** A layer that differs is named by its chainID, with each path that was told; one that nobody compared by its diffID. */
function appraiseLayer({ diffId, chainId, proof, differing = [] }: LayerClaims): Finding[] {
  if (differing.length === 0) {
    return [createFinding('LAYER_UNPROVEN', { expected: 'content or tarSplit', actual: `${diffId}: ${proof}` })];
  }
  return differing.map(({ path, field, expected, actual }) => {
    const message = `${FINDING_RULES.LAYER_MODIFIED.meaning} Chain ${chainId}, ${field}.`;
    const detail = { path, expected: expected ?? undefined, actual: actual ?? undefined };
    return createFinding('LAYER_MODIFIED', detail, message);
  });
}

/**
 * Every link is there, the running snapshot was where it began, and the layers give the chain that the snapshot has. A name
 * may have shown where to look for the configuration; it counts because its layers are those that run.
 */
function isChained({ image }: ContainerClaims): boolean {
  return (
    DIGEST.test(image.manifest ?? '') &&
    DIGEST.test(image.config ?? '') &&
    image.via['chainId'] === 'snapshot' &&
    image.chainId !== null &&
    image.chainId === computeChainId(image.layers)
  );
}

/** The chainID of layers, bottom first (OCI image specification, "Layer ChainID"); null where a link is not as stated. */
function computeChainId(layers: ContainerClaims['image']['layers']): string | null {
  let chainId: string | null = null;
  for (const layer of layers) {
    if (!DIGEST.test(layer.diffId)) return null;
    const text: string = `${chainId} ${layer.diffId}`;
    chainId = chainId === null ? layer.diffId : `sha256:${createHash('sha256').update(text).digest('hex')}`;
    if (layer.chainId !== chainId) return null;
  }
  return chainId;
}

function isMatch(comparison: SbomComparison['comparison']): boolean {
  return comparison.decided && countDifferences(comparison) === 0;
}

function countDifferences({ unexpected, missing, changed }: PackageComparison): number {
  return unexpected.length + missing.length + changed.length;
}

function appraiseSbom({ comparison, digest }: SbomComparison, evidence: ContainerEvidence): Finding[] {
  if (!comparison.decided) {
    const hasNoDatabase = evidence.baseline?.state === 'ok' && evidence.baseline.value.databases === 0;
    // Its own finding says that there is nothing to compare.
    if (comparison.reason === 'ACTUAL_EMPTY' && hasNoDatabase) return [];
    return [createFinding('SBOM_NOT_COMPARED', { expected: digest, actual: comparison.reason })];
  }
  return [
    ...comparison.changed.map(({ purl, from, to }) =>
      createFinding('SBOM_PACKAGE_CHANGED', { purl, expected: from, actual: to }),
    ),
    ...comparison.unexpected.map((purl) => createFinding('SBOM_PACKAGE_UNLISTED', { purl })),
    ...comparison.missing.map((purl) => createFinding('SBOM_PACKAGE_ABSENT', { purl })),
    ...comparison.explained.map(({ purl, reason }) =>
      createFinding('SBOM_DIFFERENCE_EXPLAINED', { purl, actual: reason }),
    ),
  ];
}
