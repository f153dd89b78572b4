/**
 * The Verifier: enrolment, the conversation with agents, appraisal, results. Loads no native code.
 *
 * @packageDocumentation
 */
export type { Finding } from './appraisal/finding.ts';
export {
  type AppraisalStatus,
  FINDING_RULES,
  type FindingCode,
  type FindingSeverity,
} from './appraisal/finding-code.ts';
export { loadVerifierKeys, type PublishedKey } from './certificates/verifier-keys.ts';
export { verifyKeyCertificates } from './certificates/verify-key-certificates.ts';
export { parseVerifierConfig, type VerifierConfig } from './config/verifier-config.ts';
export { findCertainDifferences } from './conformity/certain-differences.ts';
export { comparePackageLists, comparePackages, comparePrepared } from './conformity/compare-packages.ts';
export type {
  ExplainedReason,
  PackageComparison,
  PackageList,
  UndecidedComparison,
} from './conformity/comparison.ts';
export { listInventory, type PreparedPackages, preparePackages } from './conformity/prepared-packages.ts';
export { formatPurl, type Purl, parsePurl } from './conformity/purl.ts';
export type { Ear, EarProfile, EarSubmodule, TrustVector, VerifiedEar } from './ear/ear.ts';
export { type EarReason, EarRefused } from './ear/ear-refused.ts';
export { encodeEar } from './ear/encode-ear.ts';
export { createKeySigner } from './ear/key-signer.ts';
export { signEar } from './ear/sign-ear.ts';
export type { Signer } from './ear/signer.ts';
export { type EarContext, verifyEar } from './ear/verify-ear.ts';
export { encodeVsa, type VerificationSummary, VSA_PREDICATE_TYPE } from './ear/vsa.ts';
export { describeRequirement, type KernelRule } from './kernel/kernel-rule.ts';
export { KERNEL_RULES } from './kernel/kernel-rules.ts';
export { startVerifier, type VerifierDeps } from './main.ts';
export { checkCertifiedNow, isCertifiedAt } from './offline/certified-period.ts';
export { type SnapshotInputs, type VerifiedSnapshot, verifySnapshot } from './offline/verify-snapshot.ts';
export { openStores, type Stores } from './open-stores.ts';
export { AGENT_PREDICATE_TYPE, type AgentBuild, readAgentBuild } from './references/agent-files.ts';
export { findImageAuthority, type SignedImage } from './references/image-signature.ts';
export type { ReferenceContext, ReferenceReason, ReferenceSubject, VerifiedReference } from './references/reference.ts';
export { ReferenceRefused } from './references/reference-refused.ts';
export { createStatement, type SignStatementOptions, signStatement } from './references/sign-statement.ts';
export { findSubject, verifyReference } from './references/verify-reference.ts';
export type { RunningVerifier } from './running-verifier.ts';
export { parseSbom, readSbom } from './sbom/parse-sbom.ts';
export type { SbomDocument, SbomPackage } from './sbom/sbom.ts';
export { inventoryToCycloneDx, type SbomSubject } from './sbom/write-cyclonedx.ts';
export { checkTrustSuccessor, loadTrust } from './trust/load-trust.ts';
export { selectKey, usableKeys } from './trust/select-key.ts';
export type { KeyRefusal, KeyUse, Trust, TrustEnvironment, TrustKey, TrustRole } from './trust/trust.ts';
export { createVerifierCore, type VerifierCore } from './verifier-core.ts';
export { VerifierError, type VerifierErrorCode } from './verifier-error.ts';
