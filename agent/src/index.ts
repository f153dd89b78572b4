/**
 * The Attester: one process a kube node that turns TPM quotes, kernel parameters and container inventories into evidence.
 *
 * Importing this package loads no native code and no gRPC; `startAgent` does, when it runs.
 *
 * @packageDocumentation
 */
export { AgentError, type AgentErrorCode } from './agent-error.ts';
export type { AgentConfig, AgentTlsFiles, EkTemplateName, LogLevel, TpmConfig } from './config/agent-config.ts';
export { parseAgentConfig } from './config/parse-agent-config.ts';
export type {
  ContainerCollector,
  ContainerCollectorOptions,
  ContainerSnapshot,
} from './container/container-collector.ts';
export type { DiagnosisOptions } from './doctor/diagnose-host.ts';
export type { CheckStatus, HostCheck } from './doctor/host-check.ts';
export { collectInventory, type InventoryOptions } from './inventory/collect-inventory.ts';
export { createPackageOwners, type FileOwner, type PackageOwners } from './inventory/package-owners.ts';
export type { ImageViewOptions, OciImageView } from './layer/image/image-view.ts';
export { findLayout } from './layer/oci/find-layout.ts';
export { type DirectoryDigest, digestDirectory } from './layer/proof/directory-digest.ts';
export { fingerprintDirectory } from './layer/proof/fingerprint-directory.ts';
export type { LayerDifference, LayerDifferenceField } from './layer/proof/layer-difference.ts';
export type { LayerProofRequest, LayerProofResult, TarSplitProofRequest } from './layer/proof/prove-layer.ts';
export {
  createContainerCollector,
  diagnoseHost,
  openImageView,
  proveLayer,
  proveLayerByTarSplit,
  startAgent,
} from './lazy-entry-points.ts';
export type { AgentDeps, RunningAgent } from './main.ts';
export { type ClosableView, openDirectoryView } from './root-view/directory-view.ts';
export { type RootView, ViewLimitError } from './root-view/root-view.ts';
