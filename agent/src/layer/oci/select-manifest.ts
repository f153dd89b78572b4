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
const MAX_INDEX_DEPTH = 4;
const TAG = 'org.opencontainers.image.ref.name';
const NAME_ANNOTATIONS = [TAG, 'io.containerd.image.name'];

export interface SelectedManifest {
  readonly manifest: Descriptor;
  /** Digests of the indexes passed, outermost first; the layout's own index.json has none. */
  readonly indexDigests: readonly string[];
  readonly reference: string | null;
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
  platform: ImagePlatform,
): SelectedManifest {
  const all = parseImageIndex(source.readIndex()).filter(isImage);
  const named = ref === undefined ? all : all.filter((descriptor) => matchesRef(descriptor, ref));
  const indexDigests: string[] = [];
  let chosen = choose(named, platform, ref);
  const reference = NAME_ANNOTATIONS.map((name) => chosen.annotations[name]).find((name) => name !== undefined);
  while (INDEX_TYPES.has(chosen.mediaType)) {
    if (indexDigests.length >= MAX_INDEX_DEPTH) throw malformed('indexes are nested too deep');
    indexDigests.push(chosen.digest);
    chosen = choose(parseImageIndex(source.readDocument(chosen)).filter(isImage), platform, undefined);
  }
  return { manifest: chosen, indexDigests, reference: reference ?? null };
}

/** Attestation manifests of build tools stand in the same index under the platform unknown/unknown. */
function isImage(descriptor: Descriptor): boolean {
  const isKnown = INDEX_TYPES.has(descriptor.mediaType) || MANIFEST_TYPES.has(descriptor.mediaType);
  return isKnown && descriptor.platform?.os !== 'unknown';
}

function matchesRef(descriptor: Descriptor, ref: string): boolean {
  if (descriptor.digest === ref) return true;
  return NAME_ANNOTATIONS.some((name) => {
    const value = descriptor.annotations[name] ?? '';
    const lastPart = value.slice(value.lastIndexOf('/') + 1);
    return value === ref || lastPart.endsWith(`:${ref}`);
  });
}

function choose(descriptors: readonly Descriptor[], platform: ImagePlatform, ref: string | undefined): Descriptor {
  const fitting = descriptors.filter((descriptor) => fits(descriptor.platform, platform));
  const digests = new Set(fitting.map((descriptor) => descriptor.digest));
  const [first] = fitting;
  if (first !== undefined && digests.size === 1) return first;
  const wanted = `${ref === undefined ? '' : `${ref} for `}${platform.os}/${platform.architecture}`;
  const names = descriptors.map((descriptor) => descriptor.annotations[TAG] ?? descriptor.digest).slice(0, 10);
  const choice = names.length === 0 ? 'it is empty' : `it holds ${names.join(', ')}`;
  throw malformed(`${digests.size === 0 ? 'no image' : 'more than one image'} fits ${wanted}; ${choice}`);
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
