import type { AgentConfig } from './config/agent-config.ts';
import type { ContainerCollector, ContainerCollectorOptions } from './container/container-collector.ts';
import type { DiagnosisOptions } from './doctor/diagnose-host.ts';
import type { HostCheck } from './doctor/host-check.ts';
import type { ImageViewOptions, OciImageView } from './layer/image/image-view.ts';
import type { LayerProofRequest, LayerProofResult, TarSplitProofRequest } from './layer/proof/prove-layer.ts';
import type { AgentDeps, RunningAgent } from './main.ts';

// What loads gRPC, the log, the TPM or the readers of images is loaded by its first call: an inventory of a directory
// needs none of them, and loading them would take it longer than the inventory itself.

/**
 * Starts one agent: loads or makes the TPM-resident keys, serves `EvidenceService`, dials the Verifier and begins rounds.
 *
 * Resolves once the keys are usable and the port listens; the Verifier need not be reachable. Start the process with
 * `--disable-sigusr1` (no inspector by signal) and a cleaned environment. Throws `AgentError`.
 */
export async function startAgent(config: AgentConfig, deps: AgentDeps = {}): Promise<RunningAgent> {
  const main = await import('./main.ts');
  return await main.startAgent(config, deps);
}

/** Creates the collector of one containerd. Nothing is opened before `start`. Throws `TypeError` for a relative address. */
export async function createContainerCollector(options: ContainerCollectorOptions): Promise<ContainerCollector> {
  const container = await import('./container/create-container-collector.ts');
  return container.createContainerCollector(options);
}

/**
 * Tries, one after the other and changing nothing, all that the agent needs of a machine: native parts, rights,
 * processes, TPM, runtime, file system, kernel. A facility that is missing is an answer and never an exception.
 */
export async function diagnoseHost(options: DiagnosisOptions): Promise<HostCheck[]> {
  const doctor = await import('./doctor/diagnose-host.ts');
  return await doctor.diagnoseHost(options);
}

/**
 * Opens an image of an OCI image layout (`DIRECTORY` or `DIRECTORY:REF`), every digest recomputed, as a view that was never
 * unpacked. Throws `EvidenceError` for a layout that is malformed, ambiguous, passes a limit or has a wrong digest, and
 * the system's own error for files that are missing or cannot be read.
 */
export async function openImageView(layout: string, options: ImageViewOptions = {}): Promise<OciImageView> {
  const image = await import('./layer/image/image-view.ts');
  return await image.openImageView(layout, options);
}

/**
 * Compares an unpacked layer with the blob that it should have come from, entry by entry. Throws `EvidenceError` when the
 * blob is not what its digests say, is malformed or passes a limit, and `RootfsError` when the directory cannot be read.
 */
export async function proveLayer(request: LayerProofRequest): Promise<LayerProofResult> {
  const proof = await import('./layer/proof/prove-layer.ts');
  return await proof.proveLayer(request);
}

/** Compares an unpacked layer with its own tar, built anew by what tar-split kept. Throws as `proveLayer` does. */
export async function proveLayerByTarSplit(request: TarSplitProofRequest): Promise<LayerProofResult> {
  const proof = await import('./layer/proof/prove-layer.ts');
  return await proof.proveLayerByTarSplit(request);
}
