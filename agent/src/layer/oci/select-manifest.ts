import { EvidenceError } from '@holdfast/evidence';
import type { LayoutSource } from './layout-source.ts';
import { type Descriptor, type ImagePlatform, parseImageIndex } from './oci-documents.ts';

const INDEX_TYPES = new Set([
  'application/vnd.oci.image.index.v1+json',
  'application/vnd.docker.distribution.manifest.list.v2+json',
]);
const MANIFEST_TYPES = new Set([
  'application/vnd.oci.image.manifest.v1+json',
  'application/vnd.docker.distribution.manifest.v2+json',
]);
const CONFIG_TYPES = new Set([
  'application/vnd.oci.image.config.v1+json',
  'application/vnd.docker.container.image.v1+json',
]);
const ARCHITECTURES: Readonly<Record<string, string>> = { x64: 'amd64', arm64: 'arm64' };
const OWN_PLATFORM: ImagePlatform = { os: 'linux', architecture: ARCHITECTURES[process.arch] ?? process.arch };
/** Names in one message. */
const MAX_NAMES = 10;
const MAX_INDEX_DEPTH = 4;
const TAG = 'org.opencontainers.image.ref.name';
const NAME_ANNOTATIONS = [TAG, 'io.containerd.image.name'];

export interface SelectedManifest {
  readonly manifest: Descriptor;
  /** Digests of the indexes passed, outermost first; the layout's own index.json has none. */
  readonly indexDigests: readonly string[];
  readonly reference: string | null;
}

/** Which of several platforms is meant. */
export interface PlatformChoice {
  /** What was asked for: nothing else will do. */
  readonly wanted?: ImagePlatform | undefined;
  /** What decides among several where nothing was asked for. Default: linux on this machine's architecture. */
  readonly own?: ImagePlatform;
}

/**
 * Finds the one manifest that a reference and a platform lead to: first by tag, full name or digest in index.json, then
 * through nested indexes by platform.
 *
 * Throws `EvidenceError` ERR_EVIDENCE_MALFORMED where none or several fit: a guess would name another image.
 */
export function selectManifest(
  source: LayoutSource,
  ref: string | undefined,
  choice: PlatformChoice = {},
): SelectedManifest {
  const all = parseImageIndex(source.readIndex()).filter(isImage);
  const named = ref === undefined ? all : all.filter((descriptor) => matchesRef(descriptor, ref));
  if (named.length === 0 && all.length > 0) throw malformed(`no image is named ${ref}; the layout holds ${list(all)}`);
  const indexDigests: string[] = [];
  let chosen = choose(named, choice);
  const reference = NAME_ANNOTATIONS.map((name) => chosen.annotations[name]).find((name) => name !== undefined);
  while (INDEX_TYPES.has(chosen.mediaType)) {
    if (indexDigests.length >= MAX_INDEX_DEPTH) throw malformed('indexes are nested too deep');
    indexDigests.push(chosen.digest);
    chosen = choose(parseImageIndex(source.readDocument(chosen)).filter(isImage), choice);
  }
  return { manifest: chosen, indexDigests, reference: reference ?? null };
}

/** Throws `EvidenceError` where an image says in its config that it is for another platform than was asked for. */
export function checkPlatform(config: ImagePlatform, wanted: ImagePlatform | undefined): void {
  if (wanted === undefined || fits(config, wanted)) return;
  throw malformed(`no image fits ${formatPlatform(wanted)}; this one is for ${formatPlatform(config)}`);
}

/**
 * Attestation manifests of build tools stand in the same index under the platform unknown/unknown, signatures under an
 * artifact type of their own.
 */
function isImage({ mediaType, platform, artifactType }: Descriptor): boolean {
  const isKnown = INDEX_TYPES.has(mediaType) || MANIFEST_TYPES.has(mediaType);
  return isKnown && platform?.os !== 'unknown' && (artifactType === undefined || CONFIG_TYPES.has(artifactType));
}

function matchesRef(descriptor: Descriptor, ref: string): boolean {
  if (descriptor.digest === ref) return true;
  return NAME_ANNOTATIONS.some((name) => {
    const value = descriptor.annotations[name] ?? '';
    const lastPart = value.slice(value.lastIndexOf('/') + 1);
    return value === ref || lastPart.endsWith(`:${ref}`);
  });
}

/** An image that is alone is what was meant, for whatever machine it is, unless a platform was asked for. */
function choose(descriptors: readonly Descriptor[], { wanted, own = OWN_PLATFORM }: PlatformChoice): Descriptor {
  const platform = wanted ?? (countDigests(descriptors) > 1 ? own : undefined);
  const fitting =
    platform === undefined ? descriptors : descriptors.filter((descriptor) => fits(descriptor.platform, platform));
  const [first] = fitting;
  if (first !== undefined && countDigests(fitting) === 1) return first;
  if (platform === undefined || descriptors.length === 0) throw malformed('an index holds no image');
  const what = first === undefined ? 'no image fits' : 'more than one image fits';
  throw malformed(`${what} ${formatPlatform(platform)}; there are ${list(descriptors)}`);
}

function countDigests(descriptors: readonly Descriptor[]): number {
  return new Set(descriptors.map(({ digest }) => digest)).size;
}

function list(descriptors: readonly Descriptor[]): string {
  const names = descriptors.map(({ annotations, digest, platform }) => {
    const name = NAME_ANNOTATIONS.map((each) => annotations[each]).find((each) => each !== undefined) ?? digest;
    return platform === undefined ? name : `${name} (${formatPlatform(platform)})`;
  });
  const more = names.length > MAX_NAMES ? [`${names.length - MAX_NAMES} more`] : [];
  return [...names.slice(0, MAX_NAMES), ...more].join(', ');
}

function formatPlatform({ os, architecture, variant }: ImagePlatform): string {
  return [os, architecture, ...(variant === undefined ? [] : [variant])].join('/');
}

/** A descriptor without platform fits: the config says the platform later. */
function fits(offered: ImagePlatform | undefined, wanted: ImagePlatform): boolean {
  if (offered === undefined) return true;
  if (offered.os !== wanted.os || offered.architecture !== wanted.architecture) return false;
  return wanted.variant === undefined || offered.variant === undefined || offered.variant === wanted.variant;
}

function malformed(what: string): EvidenceError {
  return new EvidenceError('ERR_EVIDENCE_MALFORMED', `image: ${what}`);
}
