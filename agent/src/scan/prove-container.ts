import { EvidenceError } from '@holdfast/evidence';
import { createContainerdClient } from '../containerd/containerd-client.ts';
import { digestDirectory } from '../layer/proof/directory-digest.ts';
import { fingerprintDirectory } from '../layer/proof/fingerprint-directory.ts';
import { digestImplied, openImpliedDirectories } from '../layer/proof/implied-directory.ts';
import { type LayerProofResult, proveLayer, proveLayerByTarSplit } from '../layer/proof/prove-layer.ts';
import type { LayerDigest, ProofBlob, ProofReply, ProofRequest } from './scan-protocol.ts';

const MAX_NAMED = 5;

/**
 * Compares a layer directory with its blob, unless it is what it was at the last proof: by its fingerprint, or for a
 * scrub by its content. Without a blob what is known of the directory is of first use; a blob that is malformed or not what
 * its digest says proves nothing and is a limit. Throws `RootfsError` where the directory cannot be read.
 */
export async function proveContainerLayer(request: ProofRequest): Promise<ProofReply> {
  const { blob } = request;
  const now = findKnown(request);
  if (now.isKnown) return { proof: 'known', digest: now.digest, differing: [], limit: undefined };
  if (blob === null) return { proof: 'firstUse', digest: now.digest, differing: [], limit: undefined };
  try {
    const { proof, fingerprint, content, implied, differences } = await compareWithBlob(request, blob);
    return { proof, digest: { fingerprint, content, implied }, differing: differences, limit: undefined };
  } catch (error) {
    if (isMissing(error)) return { proof: 'firstUse', digest: now.digest, differing: [], limit: undefined };
    if (!(error instanceof EvidenceError)) throw error;
    return { proof: 'none', digest: now.digest, differing: [], limit: 'layerBlobRefused' };
  }
}

async function compareWithBlob(
  { directory, diffId, lowers }: ProofRequest,
  { digest, mediaType, from }: ProofBlob,
): Promise<LayerProofResult> {
  const options = { diffId, directory, maxDifferences: MAX_NAMED };
  if ('tarSplit' in from) return await proveLayerByTarSplit({ ...options, tarSplit: from.tarSplit });
  if ('path' in from) return await proveLayer({ ...options, lowers, digest, mediaType, blob: { path: from.path } });
  const client = createContainerdClient({ address: from.address });
  try {
    const blob = { open: () => client.streamBlob(from.namespace, digest) };
    return await proveLayer({ ...options, lowers, digest, mediaType, blob });
  } finally {
    client.close();
  }
}

function findKnown(request: ProofRequest): { isKnown: boolean; digest: LayerDigest } {
  const { directory, known, scrub } = request;
  const implied = known?.implied;
  if (scrub && known?.content != null) {
    const digest = { ...digestDirectory(directory), implied };
    return { isKnown: digest.content === known.content && hasSameBelow(request), digest };
  }
  const fingerprint = fingerprintDirectory(directory);
  if (known !== null && fingerprint === known.fingerprint && hasSameBelow(request)) {
    return { isKnown: true, digest: known };
  }
  return { isKnown: false, digest: { fingerprint, content: null } };
}

/** Whether the layers below still are what the last proof rested on: no fingerprint of this layer's own would tell. */
function hasSameBelow({ known, lowers, blob }: ProofRequest): boolean {
  const implied = known?.implied;
  if (implied === undefined || (blob !== null && 'tarSplit' in blob.from)) return true;
  const directories = openImpliedDirectories(lowers);
  try {
    return digestImplied(implied.paths, directories).digest === implied.digest;
  } finally {
    directories.close();
  }
}

/** ENOENT of a file or NOT_FOUND of the runtime: the blob was discarded after unpacking, or collected meanwhile. */
function isMissing(error: unknown): boolean {
  const GRPC_NOT_FOUND = 5;
  return error instanceof Error && 'code' in error && (error.code === 'ENOENT' || error.code === GRPC_NOT_FOUND);
}
