/**
 * The pure core that Attester and Verifier share: formats, parsers, binding. No I/O, no clock, no randomness.
 *
 * @packageDocumentation
 */

export {
  BOOT_PREDICATE_TYPE,
  type BootReference,
  type ExpectedEvent,
  type ExpectedEventKind,
} from './boot-reference/boot-reference.ts';
export {
  type BootReferenceInput,
  createBootReference,
  type SecureBootVariables,
  type StartedImage,
} from './boot-reference/create-boot-reference.ts';
export { parseBootReference } from './boot-reference/parse-boot-reference.ts';
export {
  type Bundle,
  decodeSubmoduleDigest,
  encodeBundle,
  encodeSubmoduleDigest,
  nameSubmodule,
  parseBundle,
} from './bundle/bundle.ts';
export * from './byte-path.ts';
export * from './claims/claims-set.ts';
export { encodeClaimsSet, parseClaimsSet } from './claims/parse-claims-set.ts';
export type * from './claims/running-claims.ts';
export * from './drift/drift.ts';
export { encodeDrift, parseDrift } from './drift/parse-drift.ts';
export { decodeBase64url, encodeBase64url } from './encoding/base64url.ts';
export { BinaryReader } from './encoding/binary-reader.ts';
export { type JsonLimits, type JsonValue, parseStrictJson } from './encoding/strict-json.ts';
export { trimEndOf } from './encoding/trim-end.ts';
export { computeProof, computeTranscript, type EnrolmentTranscript, verifyProof } from './enrolment/transcript.ts';
export { type BootFacts, readBootFacts } from './event-log/boot-facts.ts';
export type { BootFinding, BootFindingCode, BootQuirk, BootQuirkCode } from './event-log/boot-finding.ts';
export type { MeasuredContent } from './event-log/boot-images.ts';
export {
  compareQuotedReplay,
  compareReplayedPcrs,
  type PcrComparison,
  type PcrOutcome,
  type QuotedReplay,
} from './event-log/compare-pcrs.ts';
export { parseUefiVariable } from './event-log/event-body.ts';
export { type CommandLineFacts, matchCommandLine } from './event-log/kernel-command-line.ts';
export { type EventLog, type LogEvent, parseEventLog } from './event-log/parse-event-log.ts';
export { type ReplayedBank, replayEventLog } from './event-log/replay-event-log.ts';
export type { MeasuredVariable, SecureBootFacts } from './event-log/secure-boot.ts';
export {
  listPhaseSequences,
  parseUserspaceLog,
  replayUserspaceLog,
  type UserspaceRecord,
} from './event-log/userspace-log.ts';
export * from './evidence-error.ts';
export { type ImaEntry, type ImaFileMeasurement, isImaViolation } from './ima/ima-entry.ts';
export { type ImaSummary, matchBootAggregate, summariseIma } from './ima/ima-summary.ts';
export { readImaMeasurement } from './ima/ima-template.ts';
export { parseImaList } from './ima/parse-ima-list.ts';
export {
  type ImaBankForm,
  type ImaPrefix,
  type ImaReplayState,
  judgeImaHistory,
  matchImaPrefix,
  readQuotedIma,
  replayIma,
  scanIma,
  startImaReplay,
} from './ima/replay-ima.ts';
export * from './inventory/inventory.ts';
export { encodeInventory, parseInventory } from './inventory/parse-inventory.ts';
export { type PackageRows, readPackageRows } from './inventory/read-package-rows.ts';
export { parseBytePath } from './path-text.ts';
export { computeAuthenticodeDigest, listImageSignatures } from './pe/authenticode.ts';
export { type PeImage, parsePeImage } from './pe/pe-image.ts';
export {
  EFI_SIGNATURE_TYPE,
  type EfiSignature,
  parseSignatureLists,
  readVariableFile,
} from './pe/signature-list.ts';
export { identifyLoader, readUnifiedKernel, type UnifiedKernel } from './pe/unified-kernel.ts';
export { type EnrolledKeys, type PreparedKeys, prepareEnrolledKeys } from './token/enrolled-keys.ts';
export { encodeHeader } from './token/header.ts';
export { computeKid, computeUeid, computeUeidWithoutTpm, exportSigningJwk } from './token/identity.ts';
export { checkNonce, listNonces } from './token/nonce.ts';
export { encodePayload } from './token/payload.ts';
export { computeQualifyingData, QUOTE_SELECTIONS } from './token/quote-binding.ts';
export type {
  DeclaredLoss,
  HoldfastClaims,
  SigningJwk,
  SubmoduleDigest,
  SubmoduleName,
  TokenClaims,
  TokenHeader,
  TokenQuote,
} from './token/token-claims.ts';
export { EVIDENCE_PROFILE } from './token/token-claims.ts';
export { assembleToken, parseToken, type UnverifiedToken } from './token/unverified-token.ts';
export {
  type VerifiedToken,
  type VerifiedTokenQuote,
  type VerifyTokenOptions,
  verifyToken,
} from './token/verify-token.ts';
export { type HashAlgorithm, TPM_ALG } from './tpm/algorithm.ts';
export { type Attest, type CertifyAttest, type ClockInfo, parseAttest, type QuoteAttest } from './tpm/attest.ts';
export { type CertifyExpectation, verifyCertify } from './tpm/certify.ts';
export { encodeDerSignature } from './tpm/der-signature.ts';
export { checkAkPublic, checkEkPublic, checkSigningPublic } from './tpm/key-check.ts';
export { publicToKeyObject } from './tpm/key-object.ts';
export { encodeAkTemplate, encodeSigningTemplate } from './tpm/key-template.ts';
export { type Credential, type CredentialInput, makeCredential } from './tpm/make-credential.ts';
export { computeAkQualifiedName, computeName, computeQualifiedName } from './tpm/object-name.ts';
export { composePcrDigest, type PcrBanks } from './tpm/pcr-composite.ts';
export { encodePcrSelection, isSameSelection, type PcrSelection } from './tpm/pcr-selection.ts';
export { type EccCurve, type EccPublic, parsePublic, type RsaPublic, type TpmPublic } from './tpm/public-area.ts';
export { type QuoteExpectation, type SignedAttest, type VerifiedQuote, verifyQuote } from './tpm/quote.ts';
export { parseSignature, type TpmSignature, toRawSignature, verifySignature } from './tpm/signature.ts';
