import { createHash } from 'node:crypto';
import { EvidenceError, type JsonValue, parseStrictJson } from '@holdfast/evidence';

/** Bound on a manifest, index or config. */
export const MAX_DOCUMENT_BYTES = 4 * 1024 * 1024;
const MAX_LAYERS = 512;

export interface ImagePlatform {
  readonly os: string;
  readonly architecture: string;
  readonly variant?: string;
}

export interface Descriptor {
  readonly mediaType: string;
  /** `sha256:` and 64 lower-case hex digits. */
  readonly digest: string;
  readonly size: number;
  readonly platform: ImagePlatform | undefined;
  /** Where the manifest is said to be that of something else than an image, mostly. */
  readonly artifactType: string | undefined;
  readonly annotations: Readonly<Record<string, string>>;
}

export interface ImageManifest {
  readonly config: Descriptor;
  readonly layers: readonly Descriptor[];
}

export interface ImageConfig {
  readonly platform: ImagePlatform;
  readonly diffIds: readonly string[];
}

type JsonObject = { [name: string]: JsonValue };

/** Parses an image index or Docker manifest list. Throws `EvidenceError`. OCI image spec 1.1, image-index.md. */
export function parseImageIndex(bytes: Uint8Array): Descriptor[] {
  const manifests = parseDocument(bytes)['manifests'];
  return asArray(manifests, 'manifests').map(parseDescriptor);
}

/** Parses an image manifest (OCI or Docker schema 2). Throws `EvidenceError`. OCI image spec 1.1, manifest.md. */
export function parseImageManifest(bytes: Uint8Array): ImageManifest {
  const document = parseDocument(bytes);
  const layers = asArray(document['layers'], 'layers');
  if (layers.length > MAX_LAYERS)
    throw new EvidenceError('ERR_EVIDENCE_LIMIT', `image: more than ${MAX_LAYERS} layers`);
  return { config: parseDescriptor(document['config']), layers: layers.map(parseDescriptor) };
}

/** Parses what counts of an image config. Throws `EvidenceError`. OCI image spec 1.1, config.md. */
export function parseImageConfig(bytes: Uint8Array): ImageConfig {
  const document = parseDocument(bytes);
  const rootfs = asObject(document['rootfs'], 'rootfs');
  if (rootfs['type'] !== 'layers') throw malformed('rootfs type');
  return {
    platform: parsePlatform(document),
    diffIds: asArray(rootfs['diff_ids'], 'diff_ids').map((value) => asDigest(value, 'diff_ids')),
  };
}

/** Chain ids of stacked layers, lowest first. OCI image spec 1.1, config.md, "Layer ChainID". */
export function computeChainIds(diffIds: readonly string[]): string[] {
  const chainIds: string[] = [];
  for (const diffId of diffIds) {
    const below = chainIds.at(-1);
    chainIds.push(
      below === undefined ? diffId : `sha256:${createHash('sha256').update(`${below} ${diffId}`).digest('hex')}`,
    );
  }
  return chainIds;
}

function parseDocument(bytes: Uint8Array): JsonObject {
  return asObject(parseStrictJson(bytes, { maxBytes: MAX_DOCUMENT_BYTES, maxDepth: 32 }), 'document');
}

function parseDescriptor(value: JsonValue | undefined): Descriptor {
  const descriptor = asObject(value, 'descriptor');
  const { mediaType, size, platform, artifactType, annotations } = descriptor;
  if (typeof mediaType !== 'string') throw malformed('media type');
  if (typeof size !== 'number' || !Number.isSafeInteger(size) || size < 0) throw malformed('size');
  return {
    mediaType,
    digest: asDigest(descriptor['digest'], 'digest'),
    size,
    platform: platform === undefined || platform === null ? undefined : parsePlatform(asObject(platform, 'platform')),
    artifactType: typeof artifactType === 'string' && artifactType !== '' ? artifactType : undefined,
    annotations: parseAnnotations(annotations),
  };
}

function parseAnnotations(value: JsonValue | undefined): Record<string, string> {
  const annotations: Record<string, string> = Object.create(null);
  if (value === undefined || value === null) return annotations;
  for (const [name, text] of Object.entries(asObject(value, 'annotations'))) {
    if (typeof text !== 'string') throw malformed('annotations');
    annotations[name] = text;
  }
  return annotations;
}

function parsePlatform(value: JsonObject): ImagePlatform {
  const { os, architecture, variant } = value;
  if (typeof os !== 'string' || typeof architecture !== 'string') throw malformed('platform');
  if (variant === undefined || variant === null || variant === '') return { os, architecture };
  if (typeof variant !== 'string') throw malformed('platform');
  return { os, architecture, variant };
}

function asObject(value: JsonValue | undefined, what: string): JsonObject {
  if (typeof value !== 'object' || value === null || Array.isArray(value)) throw malformed(what);
  return value;
}

function asArray(value: JsonValue | undefined, what: string): JsonValue[] {
  if (!Array.isArray(value)) throw malformed(what);
  return value;
}

function asDigest(value: JsonValue | undefined, what: string): string {
  if (typeof value !== 'string' || !/^sha256:[0-9a-f]{64}$/.test(value)) throw malformed(what);
  return value;
}

function malformed(what: string): EvidenceError {
  return new EvidenceError('ERR_EVIDENCE_MALFORMED', `image: ${what} is missing or malformed`);
}
