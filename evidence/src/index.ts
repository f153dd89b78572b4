/**
 * The pure core that Attester and Verifier share: formats, parsers, binding. No I/O, no clock, no randomness.
 *
 * @packageDocumentation
 */
export * from './byte-path.ts';
export * from './claims/claims-set.ts';
export * from './drift/drift.ts';
export { decodeBase64url, encodeBase64url } from './encoding/base64url.ts';
export { BinaryReader } from './encoding/binary-reader.ts';
export { type JsonLimits, type JsonValue, parseStrictJson } from './encoding/strict-json.ts';
export * from './evidence-error.ts';
export * from './inventory/inventory.ts';
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
export { type Attest, type CertifyAttest, type ClockInfo, parseAttest, type QuoteAttest } from './tpm/attest.ts';
export { encodePcrSelection, type PcrSelection } from './tpm/pcr-selection.ts';
