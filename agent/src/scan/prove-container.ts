import { EvidenceError } from '@holdfast/evidence';
import { createContainerdClient } from '../containerd/containerd-client.ts';
import type { LayerBlob } from '../layer/blob/open-blob.ts';
import { digestDirectory } from '../layer/proof/directory-digest.ts';
import { fingerprintDirectory } from '../layer/proof/fingerprint-directory.ts';
import { proveLayer } from '../layer/proof/prove-layer.ts';
import type { LayerDigest, ProofBlob, ProofReply, ProofRequest } from './scan-protocol.ts';

const MAX_NAMED = 5;

/**
 * Compares a layer directory with its blob, unless it is what it was at the last proof: by its fingerprint, or for a
 * scrub by its content. Without a blob what is known of the directory is of first use; a blob that is malformed or not what
 * its digest says proves nothing and is a limit. Throws `RootfsError` where the directory cannot be read.
 */
export async function proveContainerLayer(request: ProofRequest): Promise<ProofReply> {
  const { directory, diffId, blob } = request;
  const now = findKnown(request);
  if (now.isKnown) return { proof: 'known', digest: now.digest, differing: [], limit: undefined };
  if (blob === null) return { proof: 'firstUse', digest: now.digest, differing: [], limit: undefined };
  const opened = openLayerBlob(blob);
  try {
    const { digest, mediaType } = blob;
    const result = await proveLayer({
      blob: opened.blob,
      digest,
      mediaType,
      diffId,
      directory,
      maxDifferences: MAX_NAMED,
    });
    const differing = result.differences.map((difference) => difference.path);
    const { proof, fingerprint, content } = result;
    return { proof, digest: { fingerprint, content }, differing, limit: undefined };
  } catch (error) {
    if (isMissing(error)) return { proof: 'firstUse', digest: now.digest, differing: [], limit: undefined };
    if (!(error instanceof EvidenceError)) throw error;
    return { proof: 'none', digest: now.digest, differing: [], limit: 'layerBlobRefused' };
  } finally {
    opened.close();
  }
}

function findKnown({ directory, known, scrub }: ProofRequest): { isKnown: boolean; digest: LayerDigest } {
  if (scrub && known?.content != null) {
    const digest = digestDirectory(directory);
    return { isKnown: digest.content === known.content, digest };
  }
  const fingerprint = fingerprintDirectory(directory);
  if (known !== null && fingerprint === known.fingerprint) return { isKnown: true, digest: known };
  return { isKnown: false, digest: { fingerprint, content: null } };
}

function openLayerBlob({ from, digest }: ProofBlob): { blob: LayerBlob; close(): void } {
  if ('path' in from) return { blob: { path: from.path }, close: () => undefined };
  const client = createContainerdClient({ address: from.address });
  return { blob: { open: () => client.streamBlob(from.namespace, digest) }, close: () => client.close() };
}

/** ENOENT of a file or NOT_FOUND of the runtime: the blob was discarded after unpacking, or collected meanwhile. */
function isMissing(error: unknown): boolean {
  const GRPC_NOT_FOUND = 5;
  return error instanceof Error && 'code' in error && (error.code === 'ENOENT' || error.code === GRPC_NOT_FOUND);
}
