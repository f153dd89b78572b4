import { createHash } from 'node:crypto';
import { EvidenceError, type ImageClaims, type JsonValue, parseStrictJson } from '@holdfast/evidence';
import { readList, readMember, readString, readStrings } from './json-value.ts';

/** What the agent reads of an image configuration whose digest was checked. */
export interface ImageConfig {
  readonly platform: NonNullable<ImageClaims['platform']>;
  /** Bottom first. */
  readonly diffIds: readonly string[];
  readonly entrypoint: readonly string[];
  readonly cmd: readonly string[];
  /** `NAME=value` each. */
  readonly env: readonly string[];
}

export interface ManifestLayer {
  readonly digest: string;
  readonly mediaType: string;
}

/** A manifest of one platform, or an index of several. */
export type ImageDocument =
  | { readonly kind: 'manifest'; readonly config: string; readonly layers: readonly ManifestLayer[] }
  | { readonly kind: 'index'; readonly manifests: readonly string[] };

/** Largest manifest, index or configuration, in bytes. */
export const MAX_IMAGE_DOCUMENT_BYTES = 4 << 20;
const LIMITS = { maxBytes: MAX_IMAGE_DOCUMENT_BYTES, maxDepth: 32, maxKeys: 100_000 };
const DIGEST = /^sha256:[0-9a-f]{64}$/;
/** What `docker inspect` calls the same thing; overlayfs itself cannot mount more. */
const MAX_LAYERS = 500;
const MAX_MANIFESTS = 64;

/** Reads an image configuration (OCI image spec, config.md). Throws `EvidenceError` for anything else. */
export function parseImageConfig(bytes: Uint8Array): ImageConfig {
  const value = parseStrictJson(bytes, LIMITS);
  const diffIds = readDigests(readMember(value, 'rootfs', 'diff_ids'), MAX_LAYERS);
  const config = readMember(value, 'config');
  const variant = readString(readMember(value, 'variant'));
  const platform = {
    os: readString(readMember(value, 'os')) ?? '',
    architecture: readString(readMember(value, 'architecture')) ?? '',
  };
  return {
    platform: variant === undefined || variant === '' ? platform : { ...platform, variant },
    diffIds,
    entrypoint: readStrings(readMember(config, 'Entrypoint')),
    cmd: readStrings(readMember(config, 'Cmd')),
    env: readStrings(readMember(config, 'Env')),
  };
}

/** Reads a manifest or an index (OCI image spec; Docker's forms have the same members). Throws `EvidenceError`. */
export function parseImageDocument(bytes: Uint8Array): ImageDocument {
  const value = parseStrictJson(bytes, LIMITS);
  const manifests = readMember(value, 'manifests');
  const config = readString(readMember(value, 'config', 'digest'));
  if (manifests !== undefined && config !== undefined) throw malformed('it is a manifest and an index at once');
  if (manifests !== undefined) {
    const digests = readList(manifests).map((row) => readMember(row, 'digest') ?? null);
    return { kind: 'index', manifests: readDigests(digests, MAX_MANIFESTS) };
  }
  if (config === undefined || !DIGEST.test(config)) throw malformed('it names no configuration');
  const layers = readList(readMember(value, 'layers'));
  const digests = readDigests(
    layers.map((row) => readMember(row, 'digest') ?? null),
    MAX_LAYERS,
  );
  const mediaTypes = layers.map((row) => readString(readMember(row, 'mediaType')) ?? '');
  return {
    kind: 'manifest',
    config,
    layers: digests.map((digest, at) => ({ digest, mediaType: mediaTypes[at] ?? '' })),
  };
}

function readDigests(value: JsonValue | undefined, max: number): string[] {
  const list = readList(value);
  const digests = readStrings(value).filter((text) => DIGEST.test(text));
  if (digests.length !== list.length || list.length > max) throw malformed('a list of digests is not one');
  return digests;
}

/** chainIDs of a list of diffIDs, bottom first (OCI image spec, config.md, Layer ChainID). */
export function computeChainIds(diffIds: readonly string[]): string[] {
  const chain: string[] = [];
  for (const diffId of diffIds) {
    const below = chain.at(-1);
    chain.push(
      below === undefined ? diffId : `sha256:${createHash('sha256').update(`${below} ${diffId}`).digest('hex')}`,
    );
  }
  return chain;
}

function malformed(detail: string): EvidenceError {
  return new EvidenceError('ERR_EVIDENCE_MALFORMED', `image document: ${detail}`);
}
