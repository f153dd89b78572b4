import { createHash } from 'node:crypto';
import {
  type BlobRef,
  type ContainerClaims,
  EvidenceError,
  encodeClaimsSet,
  type ImageClaims,
  type LayerClaims,
  type RunningClaims,
} from '@holdfast/evidence';
import type { ContainerRecord } from './container-record.ts';
import { computeChainIds } from './image-config.ts';
import type { ResolvedImage } from './image-resolver.ts';
import type { ProvenLayer } from './layer-proofs.ts';
import type { MountInfo } from './mountinfo.ts';
import type { Rootfs } from './rootfs-resolver.ts';
import { createMountClaims, createProcessClaims, createSecurityClaims } from './spec-claims.ts';

/** A document by its digest. */
export interface Document {
  readonly bytes: Buffer;
  readonly sha256: string;
}

/** Documents of the last finished scan; none of them where it failed. */
export interface ScanResult {
  readonly inventory: Document;
  readonly inventoryLimits: readonly string[];
  readonly baseline: Document;
  readonly drift: Document;
  /** Over the relevant part of the drift. */
  readonly relevantDigest: string;
  readonly counts: { readonly relevant: number; readonly other: number };
  readonly limits: readonly string[];
}

/** All that is known of a container, from which its claims-set follows. */
export interface ContainerFacts {
  readonly record: ContainerRecord;
  /** Undefined where the snapshot is gone or was not read yet. */
  readonly rootfs: Rootfs | undefined;
  readonly image: ResolvedImage | undefined;
  readonly layers: readonly ProvenLayer[];
  /** Mount table of the first process, as last seen. */
  readonly mounts: readonly MountInfo[];
  /** Mounts of other mount namespaces of the container that the first process does not have. */
  readonly otherMounts: readonly MountInfo[];
  /** Mount points at which the image has something. */
  readonly covered: ReadonlySet<string>;
  /** What was seen to run in it; undefined where nothing was looked at. */
  readonly running: RunningClaims | undefined;
  readonly scan: ScanResult | undefined;
  /** Limits that were hit outside of the scan. */
  readonly limits: readonly string[];
  /** Changes of its data places are looked at by the clock. */
  readonly isTimed: boolean;
  /** Why this kind of container is not read at all; empty where it is. */
  readonly unsupported: readonly string[];
}

const MAX_LIMITS = 256;
const MAX_DETAIL_CHARS = 256;

/**
 * Builds the claims-set of a container. It holds no time of its own and no process number, so that equal facts give equal
 * bytes. What passes the bounds of the format is left out and named among the limits.
 */
export function encodeContainerClaims(facts: ContainerFacts): Document {
  for (const leaveOut of LEFT_OUT) {
    const claims = buildClaims(facts, new Set(leaveOut));
    const bytes = tryEncode(claims);
    if (bytes !== undefined) return createDocument(bytes);
  }
  throw new TypeError('claims of a container without its own words are within their bounds');
}

/** What is left out one after the other until the rest fits. */
const LEFT_OUT: readonly (readonly string[])[] = [
  [],
  ['running'],
  ['running', 'mounts'],
  ['running', 'mounts', 'process'],
  ['running', 'mounts', 'process', 'labels'],
];

export function createDocument(bytes: Uint8Array): Document {
  const buffer = Buffer.from(bytes.buffer, bytes.byteOffset, bytes.byteLength);
  return { bytes: buffer, sha256: createHash('sha256').update(buffer).digest('hex') };
}

function tryEncode(claims: ContainerClaims): Buffer | undefined {
  try {
    return encodeClaimsSet(claims);
  } catch (error) {
    if (error instanceof EvidenceError) return undefined;
    throw error;
  }
}

function buildClaims(facts: ContainerFacts, leaveOut: ReadonlySet<string>): ContainerClaims {
  const { record, scan, rootfs } = facts;
  const isPlain = !leaveOut.has('labels');
  const limits = listLimits(facts, leaveOut);
  return {
    type: 'container',
    id: record.key,
    namespace: record.namespace,
    name: isPlain ? record.name : record.key,
    pod: isPlain ? createPodClaims(record) : null,
    sandbox: record.sandbox,
    ...(record.restored === true ? { restored: true } : {}),
    ...(record.cri?.attempt === undefined ? {} : { attempt: record.cri.attempt }),
    runtime: isPlain ? record.runtime : '',
    started: record.started,
    status: facts.unsupported.length > 0 ? 'unsupported' : (record.task?.status ?? 'stopped'),
    image: createImageClaims(facts, isPlain),
    rootfs: {
      driver: rootfs?.driver ?? 'none',
      snapshotKey: isPlain ? record.snapshotKey : null,
      lowerCount: rootfs?.lowers.length ?? 0,
      upper: rootfs?.upper !== undefined,
    },
    inventory: toRef(scan?.inventory),
    baseline: toRef(scan?.baseline),
    drift: toRef(scan?.drift),
    driftCounts: scan === undefined ? null : { ...scan.counts },
    process:
      record.spec === undefined || leaveOut.has('process')
        ? null
        : createProcessClaims(record.spec, facts.image?.image?.config),
    security: record.spec === undefined ? null : createSecurityClaims(record.spec),
    mounts: leaveOut.has('mounts') ? [] : createMountClaims(facts, record.spec),
    running: leaveOut.has('running') ? null : (facts.running ?? null),
    scan: { complete: limits.length === 0 && scan !== undefined, limits, timed: facts.isTimed },
  };
}

function createPodClaims({ pod, cri }: ContainerRecord): ContainerClaims['pod'] {
  return pod === null || cri?.labels === undefined ? pod : { ...pod, labels: { ...cri.labels } };
}

function toRef(document: Document | undefined): BlobRef {
  return document === undefined ? null : { sha256: document.sha256, bytes: document.bytes.length };
}

function createImageClaims({ record, rootfs, image, layers }: ContainerFacts, isPlain: boolean): ImageClaims {
  const found = image?.image;
  const chainIds = rootfs?.chainIds ?? [];
  const diffIds = found?.config.diffIds ?? [];
  const via: Record<string, string> = {};
  if (chainIds.length > 0) via['chainId'] = 'snapshot';
  if (found !== undefined && image?.from !== undefined)
    Object.assign(via, { manifest: image.from, config: image.from });
  if (found?.index != null && image?.from !== undefined) via['index'] = image.from;
  const own = computeChainIds(diffIds);
  return {
    reference: isPlain && record.imageName !== '' ? record.imageName : null,
    index: found?.index ?? null,
    manifest: found?.manifest ?? null,
    config: found?.configDigest ?? null,
    chainId: chainIds.at(-1) ?? null,
    platform: found?.config.platform ?? null,
    layers: diffIds.map((diffId, at) => ({
      diffId,
      chainId: own[at] ?? diffId,
      proof: layers[at]?.proof ?? 'none',
      ...describeDifferences(layers[at]?.differing),
    })),
    via,
    retagged: image?.isRetagged ?? false,
  };
}

function describeDifferences(differing: ProvenLayer['differing']): Pick<LayerClaims, 'differing'> {
  if (differing === undefined) return {};
  const cut = (text: string | null) => text?.slice(0, MAX_DETAIL_CHARS) ?? null;
  return {
    differing: differing.map(({ path, field, expected, actual }) => ({
      path,
      field,
      expected: cut(expected),
      actual: cut(actual),
    })),
  };
}

function listLimits(facts: ContainerFacts, leaveOut: ReadonlySet<string>): string[] {
  const { record, rootfs, image, scan, layers, unsupported } = facts;
  const limits = new Set([...facts.limits, ...unsupported.map((what) => `unsupported:${what}`.slice(0, 256))]);
  for (const part of leaveOut) limits.add(`claims:${part}`);
  for (const contradiction of record.cri?.contradictions ?? []) limits.add(contradiction);
  if (record.spec === undefined) limits.add('spec');
  if (unsupported.length === 0) {
    if (rootfs === undefined) limits.add('rootfsUnknown');
    if (image?.isAmbiguous === true) limits.add('imageAmbiguous');
    else if (image?.image === undefined) limits.add('imageUnknown');
    if (scan === undefined) limits.add('notScanned');
  }
  for (const limit of scan?.limits ?? []) limits.add(limit);
  for (const limit of layers.flatMap((layer) => layer.limits)) limits.add(limit);
  const sorted = [...limits].sort();
  return sorted.length <= MAX_LIMITS ? sorted : [...sorted.slice(0, MAX_LIMITS - 1), 'limits'];
}
